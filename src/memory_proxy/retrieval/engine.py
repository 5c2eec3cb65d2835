"""Recall: the turns of one scope that matter for what is being said now."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from memory_proxy.core.types import Scope, Turn
from memory_proxy.embedding.queries import QueryEmbedder, QueryVector
from memory_proxy.retrieval.indexes import Indexes, in_thread
from memory_proxy.retrieval.matching import Hit, Match, match
from memory_proxy.retrieval.questions import question_of
from memory_proxy.retrieval.recalled import Drop, Dropped, Recalled, Scored
from memory_proxy.retrieval.superseding import superseded
from memory_proxy.retrieval.weights import Weights, shipped_weights
from memory_proxy.stores.base import MemoryStore

_MOST_INSTRUCTIONS: Final = 12
_SHOWN_BEHIND_GATE: Final = 5
_EVEN: Final = 0.5


@dataclass(slots=True)
class RecallEngine:
    """Recall goes by words alone where there are no `queries`, or their vector does not come."""

    store: MemoryStore
    queries: QueryEmbedder | None = None
    weights: Weights = field(default_factory=shipped_weights)
    _indexes: Indexes = field(init=False)

    def __post_init__(self) -> None:
        self._indexes = Indexes(self.store)

    async def recall(self, scope: Scope, said: str, *, held: Set[str], now: datetime) -> Recalled:
        """Turns relevant to `said`; those whose text is in `held` the request brings itself.

        `now` is what `last week` is counted from. Raises StoreError.
        """
        vector = await self.queries.vector(said) if self.queries and said.strip() else None
        found = await self._match(scope, said, now, vector)
        hits = (*found.hits, *found.instructions[:_MOST_INSTRUCTIONS])
        turns = await self.store.turns_numbered(scope, [hit.number for hit in hits])
        return _recalled(found, turns, held, by_meaning=vector is not None)

    async def _match(
        self, scope: Scope, said: str, now: datetime, vector: QueryVector | None
    ) -> Match:
        embedder = vector.embedder if vector else None
        numbers = vector.numbers if vector else None
        async with self._indexes.current(scope, embedder) as index:
            return await in_thread(
                lambda: match(
                    index, question_of(said, now, numbers), self.weights, embedder=embedder or ""
                )
            )


def _recalled(
    found: Match, turns: Mapping[int, Turn], held: Set[str], *, by_meaning: bool
) -> Recalled:
    """A turn that was deleted meanwhile is in no case recalled: the store no longer has it."""
    scored = _scored(found.hits, turns)
    if found.confidence < _EVEN:
        kept: list[Scored] = []
        dropped = [Dropped(one.turn, one.score, Drop.GATE) for one in scored[:_SHOWN_BEHIND_GATE]]
    else:
        kept, dropped = _sifted(scored, held)
    pinned, _ = _sifted(_scored(found.instructions, turns), held)
    return Recalled(
        turns=tuple(_with_latest_first(kept)),
        pinned=tuple(pinned),
        dropped=tuple(dropped),
        considered=found.considered,
        confidence=found.confidence,
        by_meaning=by_meaning,
    )


def _scored(hits: Sequence[Hit], turns: Mapping[int, Turn]) -> list[Scored]:
    return [
        Scored(turns[hit.number], hit.score, hit.reasons) for hit in hits if hit.number in turns
    ]


def _sifted(scored: Sequence[Scored], held: Set[str]) -> tuple[list[Scored], list[Dropped]]:
    """Each text once, by its newest turn, and none that is in `held`; and what fell through."""
    held = {text.strip() for text in held}
    newest = {one.turn.message.text.strip(): one.turn for one in sorted(scored, key=_at)}
    kept: list[Scored] = []
    dropped: list[Dropped] = []
    for one in scored:
        text = one.turn.message.text.strip()
        if text in held:
            dropped.append(Dropped(one.turn, one.score, Drop.HELD))
        elif newest[text] is not one.turn:
            dropped.append(Dropped(one.turn, one.score, Drop.DUPLICATE))
        else:
            kept.append(one)
    return kept, dropped


def _at(one: Scored) -> datetime:
    return one.turn.at


def _with_latest_first(scored: Sequence[Scored]) -> list[Scored]:
    """What is out of date is marked, and comes right after what made it so, if not later."""
    later = superseded([one.turn for one in scored])
    places = list(range(len(scored)))
    for old, new in later.items():
        places[new] = min(places[new], old)
    order = sorted(range(len(scored)), key=lambda n: (places[n], n in later))
    return [
        replace(scored[n], superseded_by=scored[later[n]].turn) if n in later else scored[n]
        for n in order
    ]
