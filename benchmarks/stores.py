"""What the stores cost: `python -m benchmarks.stores [--json] [--turns 10000] [--others 20]`.

Three questions: how many exchanges a second reach the disk (and at what CPU), how long the last 20
turns of a session take to read, and how long the candidates of a question take in a large scope
beside other scopes. Words are drawn by Zipf's law, as in real text.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Final

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Role,
    Scope,
    SessionId,
    TenantId,
    Turn,
    UserId,
)
from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.opening import open_store

Figures = dict[str, float]

_START: Final = datetime(2030, 1, 1, tzinfo=UTC)
_VOCABULARY: Final = [f"word{rank}" for rank in range(30_000)]
_WEIGHTS: Final = list(accumulate(1 / (rank + 3) for rank in range(len(_VOCABULARY))))
_LARGE: Final = Scope(TenantId("bench"), UserId("large"))
_QUESTION_RANKS: Final = (5, 40, 90, 300, 900, 2_000, 5_000, 12_000)
_COMMON_RANKS: Final = (0, 1, 2, 3, 4, 20)


def main() -> None:
    arguments = _arguments()
    figures: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as directory:
        for name in arguments.stores:
            url = "memory://" if name == "memory" else f"sqlite:///{directory}/bench.db"
            figures[name] = asyncio.run(_measured(url, arguments, Path(directory)))
    if arguments.json:
        json.dump(figures, sys.stdout, indent=2)
    else:
        _print_table(figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="figures only, for a machine")
    parser.add_argument("--turns", type=int, default=10_000, help="in the large scope")
    parser.add_argument("--others", type=int, default=20, help="scopes beside it, 1,000 turns each")
    parser.add_argument("--stores", nargs="+", default=["memory", "sqlite"])
    return parser.parse_args()


async def _measured(url: str, arguments: argparse.Namespace, directory: Path) -> Figures:
    source = _Exchanges(seed=1)
    figures: Figures = {}
    async with open_store(url) as store:
        for writers in (1, 16, 64):
            figures |= await _appending(store, source, writers=writers)
        await _fill(store, source.of(_LARGE, arguments.turns // 2))
        for number in range(arguments.others):
            other = Scope(TenantId("bench"), UserId(f"other {number}"))
            await _fill(store, source.of(other, 500))
        figures |= await _reading(store, source)
        figures |= await _deleting(store)
    figures["file_mb"] = sum(file.stat().st_size for file in directory.iterdir()) / 1e6
    return figures


async def _appending(store: MemoryStore, source: "_Exchanges", *, writers: int) -> Figures:
    """Exchanges a second when `writers` append one after another, each waiting for its own."""
    each = 2_000 // writers if writers > 1 else 200
    piles = [list(source.of(Scope(TenantId("w"), UserId(str(n))), each)) for n in range(writers)]

    async def write(pile: list[Exchange]) -> None:
        for exchange in pile:
            await store.append(exchange)

    wall, cpu = time.perf_counter(), time.process_time()
    async with asyncio.TaskGroup() as group:
        for pile in piles:
            group.create_task(write(pile))
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    count = each * writers
    return {
        f"appends_per_s_{writers}_writers": count / wall,
        f"append_cpu_us_{writers}_writers": cpu / count * 1e6,
    }


async def _reading(store: MemoryStore, source: "_Exchanges") -> Figures:
    session = source.last_session[_LARGE]

    def asking(ranks: tuple[int, ...]) -> Callable[[], Awaitable[object]]:
        terms = [_VOCABULARY[rank] for rank in ranks]
        return lambda: store.candidates(_LARGE, terms, limit=200)

    question = await _times(asking(_QUESTION_RANKS), 30)
    common = await _times(asking(_COMMON_RANKS), 30)
    history = await _times(lambda: store.history(_LARGE, session, limit=20), 2_000)
    sessions = await _times(lambda: store.sessions(_LARGE, limit=50), 100)
    return {
        "history_20_turns_us": history[0] * 1e6,
        "candidates_ms_p50": question[0] * 1e3,
        "candidates_ms_p99": question[1] * 1e3,
        "candidates_common_words_ms_p50": common[0] * 1e3,
        "sessions_50_ms_p50": sessions[0] * 1e3,
    }


async def _deleting(store: MemoryStore) -> Figures:
    """How long an append waits while everything of the large scope is forgotten."""
    waits: list[float] = []
    source = _Exchanges(seed=2)
    start = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        deletion = group.create_task(store.expire(_START + timedelta(days=365)))
        while not deletion.done():
            [exchange] = source.of(Scope(TenantId("late"), UserId("comer")), 1, days=400)
            before = time.perf_counter()
            await store.append(exchange)
            waits.append(time.perf_counter() - before)
            await asyncio.sleep(0)  # a store may never wait
    turn_count = deletion.result()
    return {
        "deleted_turns_per_s": turn_count / (time.perf_counter() - start),
        "append_during_deletion_ms_p50": statistics.median(waits) * 1e3,
        "append_during_deletion_ms_max": max(waits) * 1e3,
    }


async def _times(act: Callable[[], Awaitable[object]], count: int) -> tuple[float, float]:
    """Median and 99th percentile, in seconds."""
    await act()
    times: list[float] = []
    for _ in range(count):
        before = time.perf_counter()
        await act()
        times.append(time.perf_counter() - before)
    times.sort()
    return statistics.median(times), times[int(len(times) * 0.99)]


async def _fill(store: MemoryStore, exchanges: Iterator[Exchange]) -> None:
    batch: list[Exchange] = []
    for exchange in exchanges:
        batch.append(exchange)
        if len(batch) == 500:
            await asyncio.gather(*map(store.append, batch))
            batch.clear()
    await asyncio.gather(*map(store.append, batch))


class _Exchanges:
    """Endless exchanges of a question and an answer, 40 turns to a session."""

    def __init__(self, *, seed: int) -> None:
        self._random = random.Random(seed)
        self._count = 0
        self.last_session: dict[Scope, SessionId] = {}

    def of(self, scope: Scope, count: int, *, days: int = 0) -> Iterator[Exchange]:
        for number in range(count):
            self._count += 1
            session = SessionId(f"session {number // 20}")
            if number % 20 == 19:
                self.last_session[scope] = session
            yield self._exchange(scope, session, _START + timedelta(days=days, seconds=number))

    def _exchange(self, scope: Scope, session: SessionId, at: datetime) -> Exchange:
        name = ExchangeId(f"exchange {self._count}")
        turns = (
            self._turn(session, name, 0, Role.USER, at, length=15),
            self._turn(session, name, 1, Role.ASSISTANT, at, length=60),
        )
        return Exchange(name, scope, session, turns, at)

    def _turn(
        self,
        session: SessionId,
        name: ExchangeId,
        position: int,
        role: Role,
        at: datetime,
        *,
        length: int,
    ) -> Turn:
        words = self._random.choices(_VOCABULARY, cum_weights=_WEIGHTS, k=length)
        return Turn(session, name, position, Message(role, " ".join(words)), at, tuple(words))


def _print_table(figures: dict[str, Figures]) -> None:
    names = list(figures)
    print(f"{'':34}" + "".join(f"{name:>12}" for name in names))
    for row in figures[names[0]]:
        print(f"{row:34}" + "".join(f"{figures[name][row]:>12,.1f}" for name in names))


if __name__ == "__main__":
    main()
