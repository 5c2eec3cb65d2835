"""One child process behind its keeper (keeper.py): started, overheard, ended with all its own."""

import asyncio
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import cast

import psutil

from memory_proxy.processes.lines import LineSplitter

_KEEPER = Path(__file__).with_name("keeper.py")
_KEPT_LINES = 30
_KILL_LIMIT_S = 6.0
_ASK_TO_END = b"T"


class Child(asyncio.SubprocessProtocol):
    """A running program and what it writes; made by `start_child`, ended by `end`.

    Its output is read as it comes and never held back, so it cannot block on us. `exited` is set
    once the program and all its descendants are gone.
    """

    def __init__(self, on_line: Callable[[str], None]) -> None:
        self.exited = asyncio.Event()
        self._closed = asyncio.Event()
        self._on_line = on_line
        self._lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._splitter = LineSplitter()
        self._transport: asyncio.SubprocessTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.SubprocessTransport", transport)

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self._note(self._splitter.feed(data))

    def process_exited(self) -> None:
        if self.transport.get_returncode() == -signal.SIGKILL:
            _kill_session(self.transport.get_pid())  # not the program, its keeper was killed
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._note(self._splitter.finish())
        self._closed.set()

    @property
    def transport(self) -> asyncio.SubprocessTransport:
        assert self._transport is not None, "start_child waits for the connection"
        return self._transport

    @property
    def status(self) -> int | None:
        """Its exit status, 128 + N if signal N ended it; None while it runs."""
        return self.transport.get_returncode()

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        status = self.status
        if status is None:
            return "it is still running"
        number = -status if status < 0 else status - 128
        if number > 0:
            return f"it was ended by {signal.Signals(number).name}"
        return f"it ended with status {status}"

    def processes(self) -> list[psutil.Process]:
        """The program and its descendants; none once they are gone."""
        try:
            return psutil.Process(self.transport.get_pid()).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    async def last_lines(self) -> str:
        """The end of what it wrote, one indented line each; for a program that has exited."""
        try:
            async with asyncio.timeout(1):
                await self._closed.wait()
        except TimeoutError:
            pass  # somebody still holds its output open: what came so far must do
        return "".join(f"\n    {line}" for line in self._lines)

    async def end(self, *, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` seconds kill what is left; cancelled: kill at once."""
        leash = cast("asyncio.WriteTransport", self.transport.get_pipe_transport(0))
        try:
            if grace_s > 0 and not self.exited.is_set():
                leash.write(_ASK_TO_END)
                await self.exited_within(grace_s)
        finally:
            leash.close()
            await self.exited_within(_KILL_LIMIT_S)
            self.transport.close()

    async def exited_within(self, limit_s: float) -> bool:
        """Wait for its end, but not longer; whether it came."""
        try:
            async with asyncio.timeout(limit_s):
                await self.exited.wait()
        except TimeoutError:
            return False
        return True

    def _note(self, lines: Sequence[str]) -> None:
        self._lines.extend(lines)
        for line in lines:
            self._on_line(line)


async def start_child(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str] | None,
    on_line: Callable[[str], None],
) -> Child:
    """Launch `command`; `environment` None means ours. No secret belongs into `command`."""
    _, child = await asyncio.get_running_loop().subprocess_exec(
        lambda: Child(on_line),
        *(sys.executable, "-I", "-S", _KEEPER, *command),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=None if environment is None else dict(environment),
        start_new_session=True,  # a Ctrl-C in our terminal is for us to act on
    )
    return child


def _kill_session(session: int) -> None:
    """Kill the processes of a session whose keeper can no longer do so."""
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
