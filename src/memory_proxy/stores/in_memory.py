"""A store that lives and dies with the process."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import count
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.types import (
    Exchange,
    MessageDigest,
    Scope,
    SessionId,
    SessionSummary,
    Turn,
)
from memory_proxy.stores.base import (
    EntryPage,
    Forgotten,
    MemoryStore,
    PageCursor,
    TurnKey,
    TurnPage,
    TurnPlace,
    Unembedded,
    VectorPage,
)
from memory_proxy.stores.in_memory_entries import key_of
from memory_proxy.stores.in_memory_scope import Kept, ScopeMemory


class InMemoryStore(MemoryStore):
    """Bounded only by the process."""

    def __init__(self) -> None:
        self._memories: dict[Scope, ScopeMemory] = {}
        self._arrivals = count()

    async def append(self, exchange: Exchange) -> None:
        memory = self._memories.setdefault(exchange.scope, ScopeMemory())
        for entry in exchange.ledger:
            memory.note(exchange.session, entry, exchange.at)
        if not exchange.turns:
            self._drop_if_empty(exchange.scope)
            return
        kept = Kept(next(self._arrivals), exchange)
        if known := memory.exchanges.get(exchange.id):
            if not _replaces(kept, known):
                return
            kept.arrival = known.arrival
            memory.remove([known])
        memory.add(kept)

    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        if limit <= 0 or scope not in self._memories:
            return []
        turns = [
            turn
            for kept in self._memories[scope].in_session(session)
            for turn in sorted(kept.exchange.turns, key=lambda turn: turn.position)
        ]
        return [replace(turn, entry=b"") for turn in turns[-limit:]]

    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        notes = self._memories.get(scope, ScopeMemory()).notes(session)
        return {message: note.text for message, note in notes.items()}

    async def entries(
        self, scope: Scope, *, after: PageCursor | None, limit: int = 2_000
    ) -> EntryPage:
        memory = self._memories.get(scope, ScopeMemory())
        return memory.findable.page(after=after, limit=limit)

    async def turns_numbered(self, scope: Scope, numbers: Sequence[int]) -> Mapping[int, Turn]:
        found = self._memories.get(scope, ScopeMemory()).findable.numbered(numbers)
        return {number: replace(turn, entry=b"") for number, turn in found.items()}

    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        memory = self._memories.get(scope, ScopeMemory())
        summaries = [_summary(name, memory.in_session(name)) for name in memory.sessions]
        earlier = [each for each in summaries if before is None or each.last_at < before]
        return sorted(earlier, key=lambda each: each.last_at, reverse=True)[: max(0, limit)]

    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        memory = self._memories.get(scope, ScopeMemory())
        turn_count = memory.remove(memory.in_session(session))
        memory.ledger.pop(session, None)
        self._drop_if_empty(scope)
        return turn_count

    async def expire(self, before: datetime) -> int:
        turn_count = 0
        for scope, memory in list(self._memories.items()):
            old = [kept for kept in memory.exchanges.values() if kept.exchange.at < before]
            turn_count += memory.remove(old)
            memory.expire_notes(before)
            self._drop_if_empty(scope)
        return turn_count

    async def session_count(self) -> int:
        return sum(len(memory.sessions) for memory in self._memories.values())

    async def turns(
        self,
        scope: Scope,
        *,
        limit: int,
        session: SessionId | None = None,
        after: TurnPlace | None = None,
        oldest_first: bool = False,
    ) -> TurnPage:
        memory = self._memories.get(scope, ScopeMemory())
        placed = memory.placed(session)
        if not oldest_first:
            placed.reverse()
        if after is not None:
            placed = [one for one in placed if (one[0] > after if oldest_first else one[0] < after)]
        page = placed[: max(0, limit)]
        last = page[-1][0] if page and len(page) < len(placed) else None
        return TurnPage([replace(turn, entry=b"") for _, turn in page], last)

    async def turn(self, scope: Scope, key: TurnKey) -> Turn | None:
        found = self._memories.get(scope, ScopeMemory()).find(key)
        return replace(found, entry=b"") if found else None

    async def add_turns(self, exchanges: Sequence[Exchange]) -> int:
        added = 0
        for exchange in exchanges:
            memory = self._memories.get(exchange.scope, ScopeMemory())
            if exchange.id in memory.exchanges:
                added += memory.complete(exchange)
            else:
                await self.append(exchange)
                added += len(exchange.turns)
        return added

    async def pin(self, scope: Scope, key: TurnKey, *, pinned: bool) -> bool:
        memory = self._memories.get(scope, ScopeMemory())
        found = memory.find(key)
        if found is None:
            return False
        others = [each for each in memory.exchanges[key.exchange].exchange.turns if each != found]
        memory.set_turns(key.exchange, [*others, replace(found, pinned=pinned)])
        return True

    async def pinned(self, scope: Scope, *, limit: int) -> Sequence[Turn]:
        memory = self._memories.get(scope, ScopeMemory())
        pinned = [replace(turn, entry=b"") for _, turn in memory.placed() if turn.pinned]
        return pinned[::-1][: max(0, limit)]

    async def replace_turn(self, scope: Scope, turn: Turn) -> Forgotten | None:
        memory = self._memories.get(scope, ScopeMemory())
        found = memory.find(key_of(turn))
        return memory.exchange_turn(found, turn) if found else None

    async def delete_turn(self, scope: Scope, key: TurnKey) -> Forgotten | None:
        memory = self._memories.get(scope, ScopeMemory())
        found = memory.find(key)
        forgotten = memory.exchange_turn(found, None) if found else None
        self._drop_if_empty(scope)
        return forgotten

    async def unembedded(self, embedder: str, *, limit: int) -> Sequence[Unembedded]:
        found = sorted(self._without_vector(embedder), key=itemgetter(0), reverse=True)
        return [waiting for _, waiting in found[: max(0, limit)]]

    async def put_vectors(
        self, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
    ) -> int:
        kept = 0
        for turn, row in zip(turns, rows, strict=True):
            memory = self._memories.get(turn.scope, ScopeMemory())
            exchange = memory.exchanges.get(turn.key.exchange)
            if exchange is not None and exchange.version == turn.version:
                memory.vectors.put(embedder, turn.key, row)
                kept += 1
        return kept

    async def vectors(
        self, scope: Scope, embedder: str, *, after: PageCursor | None, limit: int = 2_000
    ) -> VectorPage:
        memory = self._memories.get(scope, ScopeMemory())
        return memory.vectors.page(
            embedder, after=after, limit=limit, number_of=memory.findable.number_of
        )

    async def embedding_backlog(self, embedder: str) -> int:
        return sum(1 for _ in self._without_vector(embedder))

    async def drop_other_vectors(self, embedder: str) -> int:
        return sum(memory.vectors.keep_only(embedder) for memory in self._memories.values())

    def _without_vector(self, embedder: str) -> Iterator[tuple[tuple[int, int], Unembedded]]:
        """With the order in which they came."""
        for scope, memory in self._memories.items():
            for turn in memory.findable:
                if not memory.vectors.has(embedder, key_of(turn)):
                    kept = memory.exchanges[turn.exchange]
                    waiting = Unembedded(scope, key_of(turn), turn.message.text, kept.version)
                    yield (kept.arrival, turn.position), waiting

    def _drop_if_empty(self, scope: Scope) -> None:
        memory = self._memories.get(scope)
        if memory is not None and not memory.exchanges and not memory.ledger:
            del self._memories[scope]


def _replaces(newcomer: Kept, known: Kept) -> bool:
    if not known.exchange.partial:
        return False
    return not newcomer.exchange.partial or newcomer.size > known.size


def _summary(name: SessionId, exchanges: Sequence[Kept]) -> SessionSummary:
    return SessionSummary(
        id=name,
        started_at=exchanges[0].exchange.at,
        last_at=exchanges[-1].exchange.at,
        turn_count=sum(len(kept.exchange.turns) for kept in exchanges),
    )
