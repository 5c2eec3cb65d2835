"""A store that lives and dies with the process."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    MessageDigest,
    Scope,
    SessionId,
    SessionSummary,
    Turn,
)
from memory_proxy.stores.base import (
    Candidates,
    MemoryStore,
    TurnKey,
    Unembedded,
    VectorCursor,
    VectorPage,
)
from memory_proxy.stores.in_memory_vectors import ScopeVectors
from memory_proxy.stores.lexical import inverse_document_frequency, searchable_terms

_SATURATION = 1.2  # k1 and b of BM25
_LENGTH_PENALTY = 0.75

_Place = tuple[int, int]  # arrival of the exchange, index of the turn in it


@dataclass(slots=True)
class _Kept:
    arrival: int
    exchange: Exchange

    @property
    def size(self) -> int:
        return sum(len(turn.message.text) for turn in self.exchange.turns)

    @property
    def version(self) -> int:
        """Another one for each exchange that replaces this one: that is longer, or complete."""
        return self.size * 2 + self.exchange.partial


@dataclass(slots=True)
class _Memory:
    """All that one scope holds, and the index that its turns are found by."""

    exchanges: dict[ExchangeId, _Kept] = field(default_factory=dict[ExchangeId, _Kept])
    sessions: dict[SessionId, dict[ExchangeId, _Kept]] = field(
        default_factory=dict[SessionId, dict[ExchangeId, _Kept]]
    )
    findable: dict[_Place, Turn] = field(default_factory=dict[_Place, Turn])
    postings: dict[str, dict[_Place, int]] = field(default_factory=dict[str, dict[_Place, int]])
    ledger: dict[SessionId, dict[MessageDigest, tuple[str, datetime]]] = field(
        default_factory=dict[SessionId, dict[MessageDigest, tuple[str, datetime]]]
    )
    term_count: int = 0
    vectors: ScopeVectors = field(default_factory=ScopeVectors)

    def add(self, kept: _Kept) -> None:
        self.exchanges[kept.exchange.id] = kept
        self.sessions.setdefault(kept.exchange.session, {})[kept.exchange.id] = kept
        for place, turn in _findable(kept):
            self.findable[place] = turn
            self.term_count += len(turn.terms)
            for term, occurrences in Counter(turn.terms).items():
                self.postings.setdefault(term, {})[place] = occurrences

    def remove(self, kept: _Kept) -> int:
        """Forget an exchange; how many turns it had."""
        del self.exchanges[kept.exchange.id]
        del self.sessions[kept.exchange.session][kept.exchange.id]
        if not self.sessions[kept.exchange.session]:
            del self.sessions[kept.exchange.session]
        self.vectors.remove(_key(turn) for turn in kept.exchange.turns)
        for place, turn in _findable(kept):
            del self.findable[place]
            self.term_count -= len(turn.terms)
            for term in set(turn.terms):
                del self.postings[term][place]
                if not self.postings[term]:
                    del self.postings[term]
        return len(kept.exchange.turns)

    def expire_notes(self, before: datetime) -> None:
        for session, notes in list(self.ledger.items()):
            kept = {message: value for message, value in notes.items() if value[1] >= before}
            if kept:
                self.ledger[session] = kept
            else:
                del self.ledger[session]

    def in_session(self, session: SessionId) -> list[_Kept]:
        """Its exchanges, oldest first."""
        own = self.sessions.get(session, {}).values()
        return sorted(own, key=lambda kept: (kept.exchange.at, kept.arrival))

    @property
    def mean_length(self) -> float:
        return self.term_count / len(self.findable) if self.findable else 0.0


class InMemoryStore(MemoryStore):
    """Bounded only by the process."""

    def __init__(self) -> None:
        self._memories: dict[Scope, _Memory] = {}
        self._arrivals = count()

    async def append(self, exchange: Exchange) -> None:
        memory = self._memories.setdefault(exchange.scope, _Memory())
        for entry in exchange.ledger:
            notes = memory.ledger.setdefault(exchange.session, {})
            notes.setdefault(entry.message, (entry.note, exchange.at))
        if not exchange.turns:
            self._drop_if_empty(exchange.scope)
            return
        kept = _Kept(next(self._arrivals), exchange)
        if known := memory.exchanges.get(exchange.id):
            if not _replaces(kept, known):
                return
            kept.arrival = known.arrival
            memory.remove(known)
        memory.add(kept)

    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        if limit <= 0 or scope not in self._memories:
            return []
        turns = [
            turn
            for kept in self._memories[scope].in_session(session)
            for turn in sorted(kept.exchange.turns, key=lambda turn: turn.position)
        ]
        return [replace(turn, terms=()) for turn in turns[-limit:]]

    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        notes = self._memories.get(scope, _Memory()).ledger.get(session, {})
        return {message: note for message, (note, _) in notes.items()}

    async def candidates(self, scope: Scope, terms: Sequence[str], *, limit: int) -> Candidates:
        memory = self._memories.get(scope, _Memory())
        frequency = {term: len(memory.postings[term]) for term in terms if term in memory.postings}
        places = _likeliest(memory, searchable_terms(frequency, turn_count=len(memory.findable)))
        return Candidates(
            turns=[memory.findable[place] for place in places[: max(0, limit)]],
            turn_count=len(memory.findable),
            mean_length=memory.mean_length,
            frequency=frequency,
        )

    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        memory = self._memories.get(scope, _Memory())
        summaries = [_summary(name, memory.in_session(name)) for name in memory.sessions]
        earlier = [each for each in summaries if before is None or each.last_at < before]
        return sorted(earlier, key=lambda each: each.last_at, reverse=True)[: max(0, limit)]

    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        memory = self._memories.get(scope, _Memory())
        turn_count = sum(memory.remove(kept) for kept in memory.in_session(session))
        memory.ledger.pop(session, None)
        self._drop_if_empty(scope)
        return turn_count

    async def expire(self, before: datetime) -> int:
        turn_count = 0
        for scope, memory in list(self._memories.items()):
            old = [kept for kept in memory.exchanges.values() if kept.exchange.at < before]
            turn_count += sum(memory.remove(kept) for kept in old)
            memory.expire_notes(before)
            self._drop_if_empty(scope)
        return turn_count

    async def session_count(self) -> int:
        return sum(len(memory.sessions) for memory in self._memories.values())

    async def unembedded(self, embedder: str, *, limit: int) -> Sequence[Unembedded]:
        found = self._without_vector(embedder)
        newest = sorted(found, key=lambda one: one[0], reverse=True)[: max(0, limit)]
        return [waiting for _, waiting in newest]

    async def put_vectors(
        self, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
    ) -> int:
        kept = 0
        for turn, row in zip(turns, rows, strict=True):
            memory = self._memories.get(turn.scope, _Memory())
            exchange = memory.exchanges.get(turn.key.exchange)
            if exchange is not None and exchange.version == turn.version:
                memory.vectors.put(embedder, turn.key, row)
                kept += 1
        return kept

    async def vectors(
        self, scope: Scope, embedder: str, *, after: VectorCursor | None, limit: int = 2_000
    ) -> VectorPage:
        memory = self._memories.get(scope, _Memory())
        return memory.vectors.page(embedder, after=after, limit=limit)

    async def embedding_backlog(self, embedder: str) -> int:
        return sum(1 for _ in self._without_vector(embedder))

    async def drop_other_vectors(self, embedder: str) -> int:
        return sum(memory.vectors.keep_only(embedder) for memory in self._memories.values())

    def _without_vector(self, embedder: str) -> Iterator[tuple[_Place, Unembedded]]:
        for scope, memory in self._memories.items():
            for place, turn in memory.findable.items():
                if not memory.vectors.has(embedder, _key(turn)):
                    version = memory.exchanges[turn.exchange].version
                    yield place, Unembedded(scope, _key(turn), turn.message.text, version)

    def _drop_if_empty(self, scope: Scope) -> None:
        memory = self._memories.get(scope)
        if memory is not None and not memory.exchanges and not memory.ledger:
            del self._memories[scope]


def _findable(kept: _Kept) -> list[tuple[_Place, Turn]]:
    numbered = enumerate(kept.exchange.turns)
    return [((kept.arrival, index), turn) for index, turn in numbered if turn.terms]


def _key(turn: Turn) -> TurnKey:
    return TurnKey(turn.exchange, turn.position)


def _replaces(newcomer: _Kept, known: _Kept) -> bool:
    if not known.exchange.partial:
        return False
    return not newcomer.exchange.partial or newcomer.size > known.size


def _likeliest(memory: _Memory, terms: Sequence[str]) -> list[_Place]:
    """Places of the turns that hold any of `terms`, by BM25; equal ones, the newest first."""
    scores: defaultdict[_Place, float] = defaultdict(float)
    for term in terms:
        postings = memory.postings[term]
        weight = inverse_document_frequency(len(postings), turn_count=len(memory.findable))
        for place, occurrences in postings.items():
            length = len(memory.findable[place].terms) / memory.mean_length
            room = _SATURATION * (1 - _LENGTH_PENALTY + _LENGTH_PENALTY * length)
            scores[place] += weight * occurrences * (_SATURATION + 1) / (occurrences + room)
    return sorted(scores, key=lambda place: (scores[place], place), reverse=True)


def _summary(name: SessionId, exchanges: Sequence[_Kept]) -> SessionSummary:
    return SessionSummary(
        id=name,
        started_at=exchanges[0].exchange.at,
        last_at=exchanges[-1].exchange.at,
        turn_count=sum(len(kept.exchange.turns) for kept in exchanges),
    )
