"""Waiting until a child answers, and asking one whether it still does; no probe carries a key."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from memory_proxy.core.errors import ExitedEarly, StartTimeout
from memory_proxy.processes.child import Child
from memory_proxy.processes.ports import LOOPBACK, in_use, is_listening

_POLL_EVERY_S = 0.1
_PROGRESS_EVERY_S = 2.0


@dataclass(frozen=True, slots=True)
class Probe:
    """Where a program says that it is ready: a path that costs nothing to ask."""

    name: str
    port: int
    path: str
    port_setting: str

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}{self.path}"


async def until_ready(
    child: Child,
    probe: Probe,
    *,
    session: aiohttp.ClientSession,
    report: Callable[[str], None],
    limit_s: float,
) -> float:
    """Return the seconds it took until `child`, and nobody else, answers on its port.

    Raises ExitedEarly as soon as it ends, PortInUse when another process answers, StartTimeout.
    """
    clock = asyncio.get_running_loop().time
    started, told = clock(), clock()
    while not await answers(probe, session=session, limit_s=2):
        if child.exited.is_set():
            lines = await child.last_lines()
            raise ExitedEarly(f"{probe.name} did not start: {child.ending}; it wrote:{lines}")
        if clock() - started > limit_s:
            lines = await child.last_lines()
            raise StartTimeout(f"{probe.name} is not ready after {limit_s:g} s; it wrote:{lines}")
        if clock() - told >= _PROGRESS_EVERY_S:
            told = clock()
            report(f"{probe.name}: starting, {told - started:.0f} s")
        await child.exited_within(_POLL_EVERY_S)
    if not is_listening(probe.port, child.processes()):
        raise in_use(probe.port, setting=probe.port_setting)
    return clock() - started


async def answers(probe: Probe, *, session: aiohttp.ClientSession, limit_s: float) -> bool:
    """Whether its readiness is confirmed within `limit_s`, by whoever listens there."""
    try:
        async with session.get(
            probe.url, allow_redirects=False, timeout=aiohttp.ClientTimeout(total=limit_s)
        ) as response:
            return response.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
