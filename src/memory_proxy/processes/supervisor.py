"""Keeps one program running: starts it, notices when it is gone or hangs, starts it again."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
import psutil

from memory_proxy.core.errors import ProcessError
from memory_proxy.processes.child import Child, start_child
from memory_proxy.processes.ports import require_free
from memory_proxy.processes.readiness import Probe, answers, until_ready
from memory_proxy.upstream import Gate


@dataclass(frozen=True, slots=True)
class Program:
    """What to run, and where it says that it is ready; no secret belongs into `command`."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    probe: Probe


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds. A program that says nothing for `silent_s` without using the processor hangs; one
    that is busy is given `busy_s`. One that ran for `stable_s` begins its back-off anew."""

    start_s: float = 120.0
    stop_s: float = 10.0
    probe_every_s: float = 1.0
    silent_s: float = 8.0
    busy_s: float = 60.0
    first_backoff_s: float = 0.25
    longest_backoff_s: float = 30.0
    stable_s: float = 60.0


def backoff_s(failures: int, limits: Limits, *, chance: float) -> float:
    """The wait before the next start, after `failures` in a row: doubling, up to half of it spared
    by `chance` (0 to 1), so that many proxies do not start at the same moments."""
    longest = min(limits.longest_backoff_s, limits.first_backoff_s * 2.0 ** min(failures, 30))
    return max(limits.first_backoff_s, longest * (1 - chance / 2))


class Supervisor:
    """Runs `program` from entering to leaving; `gate` is open exactly while it is ready.

    Entering returns once it is ready, or raises ProcessError with nothing left running. From then
    on it is started again whenever it is gone. `warm_up` is tried before each opening of the gate;
    `report` gets what it writes, line by line, and what becomes of it.
    """

    def __init__(
        self,
        program: Program,
        *,
        gate: Gate,
        report: Callable[[str], None],
        warm_up: Callable[[aiohttp.ClientSession], Awaitable[None]] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._program = program
        self._name = program.probe.name
        self._gate = gate
        self._report = report
        self._warm_up = warm_up
        self._limits = limits or Limits()
        self._usual_start_s = 0.0

    async def __aenter__(self) -> Self:
        self._gate.close()
        self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        try:
            self._child = await self._start()
        except BaseException:
            await self._session.close()
            raise
        self._tasks = asyncio.TaskGroup()
        await self._tasks.__aenter__()
        self._watch = self._tasks.create_task(self._keep_running())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gate.close()
        self._watch.cancel()
        try:
            # Only a cancellation is the group's business: it would wrap any other error.
            await self._tasks.__aexit__(
                *((kind, error, trace) if kind is asyncio.CancelledError else (None, None, None))
            )
        finally:
            await self._child.end(grace_s=self._limits.stop_s)
            await self._session.close()

    async def _start(self) -> Child:
        """A child that is ready, and the gate open for it."""
        probe = self._program.probe
        require_free(probe.port, setting=probe.port_setting)
        child = await start_child(
            self._program.command, environment=self._program.environment, on_line=self._overheard
        )
        try:
            self._usual_start_s = await until_ready(
                child,
                probe,
                session=self._session,
                report=self._report,
                limit_s=self._limits.start_s,
            )
            await self._warmed_up()
        except BaseException:
            await child.end(grace_s=0)
            raise
        self._report(f"{self._name}: ready after {self._usual_start_s:.1f} s")
        self._gate.open()
        return child

    async def _warmed_up(self) -> None:
        if self._warm_up is None:
            return
        try:
            await self._warm_up(self._session)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._report(f"{self._name}: its first request failed ({type(error).__name__} {error})")

    async def _keep_running(self) -> None:
        clock, failures = asyncio.get_running_loop().time, 0
        while True:
            ready = clock()
            reason = await self._gone()
            failures = 0 if clock() - ready >= self._limits.stable_s else failures
            self._close_gate()
            self._report(f"{self._name}: {reason}; starting it again")
            await self._child.end(grace_s=0)
            failures = await self._start_again(failures)

    async def _start_again(self, failures: int) -> int:
        """Try until it is ready; how many tries in a row it took, with those before."""
        while True:
            delay_s = backoff_s(failures, self._limits, chance=random.random())
            self._close_gate(delay_s)
            await asyncio.sleep(delay_s)
            failures += 1
            try:
                self._child = await self._start()
            except ProcessError as error:
                self._report(f"{self._name}: {error}")
            else:
                return failures

    def _close_gate(self, delay_s: float = 0.0) -> None:
        self._gate.close(retry_after_s=math.ceil(delay_s + self._usual_start_s))

    async def _gone(self) -> str:
        """Return, with the reason, once the child has ended or hangs."""
        clock, limits = asyncio.get_running_loop().time, self._limits
        answered, work_s = clock(), _processor_s(self._child)
        while not await self._child.exited_within(limits.probe_every_s):
            if await answers(
                self._program.probe, session=self._session, limit_s=limits.silent_s / 4
            ):
                answered, work_s = clock(), _processor_s(self._child)
            silence_s = clock() - answered
            is_busy = _processor_s(self._child) - work_s > 0.05 * silence_s
            if silence_s > (limits.busy_s if is_busy else limits.silent_s):
                return f"no answer for {silence_s:.0f} s"
        return self._child.ending

    def _overheard(self, line: str) -> None:
        self._report(f"{self._name} | {line}")


def _processor_s(child: Child) -> float:
    """The processor time that a child and its descendants have used."""
    total = 0.0
    for process in child.processes():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total
