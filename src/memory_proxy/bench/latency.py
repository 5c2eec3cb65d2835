"""What a recall costs in a memory of many messages, and whether anything else waits for it."""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import psutil

from memory_proxy.bench.figures import spread
from memory_proxy.bench.ingest import Cost, own_scopes, remember
from memory_proxy.bench.memory import Say, open_memory
from memory_proxy.bench.places import StorePlace
from memory_proxy.bench.talk import invented
from memory_proxy.core.types import Scope
from memory_proxy.retrieval.engine import RecallEngine

_QUESTIONS = 200
_TICK_S = 0.001


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """`figures` have their units in their names; what could not be measured is None."""

    store: str
    embedder: str | None
    messages: int
    figures: Mapping[str, float | None]


async def measure_latency(
    messages: int, place: StorePlace, *, embedder: str = "none", say: Say = lambda _: None
) -> LatencyReport:
    """What it stored is gone afterwards. Raises ConfigurationError, StoreError, EmbeddingError."""
    say(f"inventing {messages} messages")
    corpus = invented(messages, questions=2 * _QUESTIONS)
    questions = [question.question for question in corpus.questions]
    cost = Cost()
    async with (
        open_memory(place, embedder) as memory,
        own_scopes([corpus], place, memory.store) as scopes,
    ):
        say("storing them")
        started = time.perf_counter()
        [owner] = await remember(scopes, memory.store, cost)
        stored_s = time.perf_counter() - started
        await memory.embedded(say)
        say("asking")
        [first_ms], _ = await _timed(memory.engine, owner.scope, ["What was said first?"])
        cpu_ms, wall_ms = await _timed(memory.engine, owner.scope, questions[:_QUESTIONS])
        async with _loop_waits() as waits_ms:
            await _timed(memory.engine, owner.scope, questions[_QUESTIONS:])
        rss = psutil.Process().memory_info().rss
        id_ = memory.embedder
    size = place.size_bytes()
    return LatencyReport(
        place.name,
        id_,
        messages,
        {
            "first_recall_cpu_ms": first_ms,
            **spread("recall_cpu", cpu_ms),
            **spread("recall_wall", wall_ms),
            **spread("loop_wait", waits_ms or [0.0]),
            "longest_loop_wait_ms": max(waits_ms, default=None),
            **spread("on_request_cpu", cost.on_request_ms),
            **spread("stored_cpu", cost.stored_ms),
            "stored_wall_ms": stored_s * 1000 / messages,
            "rss_mb": rss / 1e6,
            "mb_per_1000": None if size is None else size / 1e3 / messages,
        },
    )


async def _timed(
    engine: RecallEngine, scope: Scope, questions: Sequence[str]
) -> tuple[list[float], list[float]]:
    """Milliseconds of CPU (in all threads) and on the clock, for each question."""
    cpu_ms: list[float] = []
    wall_ms: list[float] = []
    for question in questions:
        cpu, wall = time.process_time(), time.perf_counter()
        await engine.recall(scope, question, held=frozenset(), now=datetime.now(UTC))
        cpu_ms.append((time.process_time() - cpu) * 1000)
        wall_ms.append((time.perf_counter() - wall) * 1000)
    return cpu_ms, wall_ms


@asynccontextmanager
async def _loop_waits() -> AsyncGenerator[list[float]]:
    """By how many milliseconds the event loop was late, every time it should have come round."""
    late_ms: list[float] = []

    async def tick() -> None:
        while True:
            due = time.perf_counter() + _TICK_S
            await asyncio.sleep(_TICK_S)
            late_ms.append((time.perf_counter() - due) * 1000)

    async with asyncio.TaskGroup() as tasks:
        ticker = tasks.create_task(tick())
        yield late_ms
        ticker.cancel()
