"""Does recall find what was said? Labelled conversations through the product's own way of storing
and recalling, in one store, each owner apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import psutil

from memory_proxy.bench.asking import Asked, Interviewer
from memory_proxy.bench.corpus import Corpus
from memory_proxy.bench.figures import spread
from memory_proxy.bench.ingest import Cost, own_scopes, remember
from memory_proxy.bench.memory import Say, open_memory
from memory_proxy.bench.places import StorePlace
from memory_proxy.bench.summary import (
    INSTRUCTION_TOKENS,
    Group,
    Summary,
    collections,
    summarise,
)
from memory_proxy.retrieval.engine import RecallEngine

BUDGETS = (500, 1_000, 2_000, 4_000)


@dataclass(frozen=True, slots=True)
class RetrievalReport:
    """`foreign_turns` is how many turns came back to an owner who never said them: it must be 0.
    `cost` has its units in its names; what could not be measured is None."""

    store: str
    embedder: str | None
    files: Sequence[Summary]
    collections: Sequence[Summary]
    foreign_turns: int
    cost: Mapping[str, float | None]


async def measure_retrieval(
    corpora: Sequence[Corpus],
    place: StorePlace,
    *,
    embedder: str = "none",
    budgets: Sequence[int] = BUDGETS,
    say: Say = lambda _: None,
) -> RetrievalReport:
    """What it stored is gone afterwards. Raises ConfigurationError, StoreError, EmbeddingError."""
    cost = Cost()
    async with (
        open_memory(place, embedder) as memory,
        own_scopes(corpora, place, memory.store) as scopes,
    ):
        say(f"storing {sum(len(corpus.turns) for corpus in corpora)} turns")
        asked = [Asked(owner) for owner in await remember(scopes, memory.store, cost)]
        await memory.embedded(say)
        await _interview(asked, memory.engine, budgets, say)
        rss = psutil.Process().memory_info().rss
        id_ = memory.embedder
    return RetrievalReport(
        place.name,
        id_,
        [summarise(Group(each.owner.corpus.name, [each]), budgets) for each in asked],
        [summarise(group, budgets) for group in collections(asked)],
        sum(each.foreign_turns for each in asked),
        _costs(cost, asked, rss=rss, size=place.size_bytes()),
    )


async def _interview(
    asked: Sequence[Asked], engine: RecallEngine, budgets: Sequence[int], say: Say
) -> None:
    """Every question is asked of its own owner, and of every other."""
    interviewer = Interviewer(engine, (*budgets, INSTRUCTION_TOKENS))
    for each in asked:
        say(f"asking {each.owner.corpus.name}")
        for other in asked:
            for question in other.owner.corpus.questions:
                if other is each:
                    await interviewer.ask(each, question)
                else:
                    await interviewer.ask_about_another(each, question)


def _costs(
    cost: Cost, asked: Sequence[Asked], *, rss: int, size: int | None
) -> dict[str, float | None]:
    messages = sum(len(each.owner.kept) for each in asked)
    return {
        **spread("recall_cpu", [ms for each in asked for ms in each.cpu_ms]),
        **spread("on_request_cpu", cost.on_request_ms),
        **spread("stored_cpu", cost.stored_ms),
        "rss_mb": rss / 1e6,
        "mb_per_1000": None if size is None else size / 1e3 / messages,
    }
