"""Runs a coroutine as a program: in a loop of its own, until it ends or a signal ends it."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any


def run_until_stopped(work: Coroutine[Any, Any, None], *, report: Callable[[str], None]) -> int:
    """The exit code: 0, or 128 + its number when a second SIGTERM or Ctrl-C cut `work` short.

    Each signal cancels `work`, which is to take the first one as a request to drain.
    """
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_until_stopped(work, report))


async def _until_stopped(work: Coroutine[Any, Any, None], report: Callable[[str], None]) -> int:
    received: list[signal.Signals] = []
    task = asyncio.current_task()
    assert task is not None, "a coroutine runs in a task"

    def stop(number: signal.Signals) -> None:
        received.append(number)
        task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)
    try:
        await work
    except asyncio.CancelledError:
        if not received:
            raise
        report("stopped")
    return 0 if len(received) < 2 else 128 + received[-1]


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:  # there is none for Windows
        return None
    return uvloop.new_event_loop
