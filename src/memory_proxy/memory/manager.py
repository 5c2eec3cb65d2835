"""What to recall before a chat, and what to keep after it."""

import asyncio
import logging
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Scope,
    SessionId,
    Turn,
)
from memory_proxy.embedding.queries import QueryEmbedder
from memory_proxy.memory.breaker import Breaker
from memory_proxy.memory.history import merged, window
from memory_proxy.memory.ledger import Ledger
from memory_proxy.memory.notes import Notes, note_id, render_notes
from memory_proxy.retrieval.engine import RecallEngine
from memory_proxy.retrieval.recalled import Scored
from memory_proxy.retrieval.terms import query_terms
from memory_proxy.stores.base import MemoryStore

logger = logging.getLogger(__name__)

_T = TypeVar("_T")
_MOST_PINNED = 50
_TERMS_FROM_CHARACTERS = 2_000


@dataclass(frozen=True, slots=True)
class MemoryLimits:
    """`ttl` None keeps for ever; `recall_tokens` 0: nothing is recalled."""

    history_messages: int = 20
    history_tokens: int = 8_000
    recall_tokens: int = 2_000
    recall_deadline_s: float = 0.25
    ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class History:
    """A session's newest messages, oldest first, and the exchange they end with."""

    messages: tuple[Message, ...] = ()
    newest: ExchangeId | None = None


class MemoryTrouble(Exception):
    """Memory cannot serve this chat, which goes on without; the text is the reason, for a mark."""


@dataclass(slots=True)
class MemoryManager:
    """Never fails a chat: what is read for one raises MemoryTrouble only."""

    store: MemoryStore
    limits: MemoryLimits = field(default_factory=MemoryLimits)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    breaker: Breaker = field(default_factory=Breaker)
    queries: QueryEmbedder | None = None
    engine: RecallEngine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = RecallEngine(self.store, self.queries)

    @asynccontextmanager
    async def deadline(self) -> AsyncGenerator[None]:
        """Raises MemoryTrouble when what is done within takes longer than a chat may wait."""
        try:
            async with asyncio.timeout(self.limits.recall_deadline_s):
                yield
        except TimeoutError as error:
            self.breaker.failed()
            raise MemoryTrouble("deadline") from error

    async def history(
        self, scope: Scope, session: SessionId, unsaved: Iterable[Exchange]
    ) -> History:
        """What `session` holds; `unsaved` are its exchanges still on their way to the store."""
        limit = self.limits.history_messages
        if limit <= 0:
            return History()
        stored = await self._guarded(lambda: self.store.history(scope, session, limit=limit))
        turns = [turn for turn in merged(stored, unsaved) if self._is_current(turn)]
        if not turns:
            return History()
        messages = window(turns, limit_messages=limit, budget_tokens=self.limits.history_tokens)
        return History(messages, turns[-1].exchange)

    async def ledger(self, scope: Scope, session: SessionId, unsaved: Iterable[Exchange]) -> Ledger:
        """What was put into the messages of `session` so far."""
        stored = await self._guarded(lambda: self.store.ledger(scope, session))
        return Ledger.of(stored, unsaved)

    async def is_known(self, scope: Scope, session: SessionId, unsaved: Iterable[Exchange]) -> bool:
        """Whether `session` holds anything yet."""
        if any(True for _ in unsaved):
            return True
        return bool(await self._guarded(lambda: self.store.history(scope, session, limit=1)))

    async def recall(
        self, scope: Scope, said: str, *, held: Set[str], quoted: Set[str] = frozenset()
    ) -> Notes:
        """The block of notes relevant to `said`, after what the user has pinned.

        `held` are texts that the request brings, `quoted` the ids of turns in its earlier notes.
        """
        pinned = await self._guarded(lambda: self.store.pinned(scope, limit=_MOST_PINNED))
        found = await self._guarded(
            lambda: self.engine.recall(scope, said, held=held, now=self.now())
        )
        known = {text.strip() for text in held}
        by_hand = (Scored(turn, 0.0, ("you pinned it",)) for turn in pinned)
        wanted = partial(self._is_wanted, quoted=quoted)
        chosen = replace(
            found,
            pinned=tuple(filter(wanted, _distinct((*by_hand, *found.pinned), known))),
            turns=tuple(filter(wanted, found.turns)),
        )
        return await asyncio.to_thread(
            render_notes,
            chosen,
            query_terms(said[:_TERMS_FROM_CHARACTERS]),
            budget_tokens=self.limits.recall_tokens,
            mark=secrets.token_hex(4),
        )

    async def search(self, scope: Scope, query: str, *, limit: int) -> list[Scored]:
        """The turns relevant to `query`, best first. Raises StoreError."""
        found = await self.engine.recall(scope, query, held=frozenset(), now=self.now())
        return [one for one in found.turns if self._is_current(one.turn)][:limit]

    async def remember(self, exchange: Exchange) -> None:
        """Raises StoreError when the store cannot keep it now."""
        await self.store.append(exchange)

    async def expire(self) -> int:
        """Forget what is older than the configuration allows; how many turns are gone."""
        if self.limits.ttl is None:
            return 0
        return await self.store.expire(self.now() - self.limits.ttl)

    def _is_wanted(self, one: Scored, quoted: Set[str]) -> bool:
        return self._is_current(one.turn) and note_id(one.turn) not in quoted

    def _is_current(self, turn: Turn) -> bool:
        return self.limits.ttl is None or turn.at >= self.now() - self.limits.ttl

    async def _guarded(self, read: Callable[[], Awaitable[_T]]) -> _T:
        """What `read` gives, while the store is not known to be broken."""
        if self.breaker.is_open:
            raise MemoryTrouble("store-paused")
        try:
            found = await read()
        except StoreError as error:
            self.breaker.failed()
            logger.warning("memory cannot be read", extra={"error": str(error)})
            raise MemoryTrouble("store") from error
        self.breaker.succeeded()
        return found


def _distinct(scored: Iterable[Scored], known: Set[str]) -> Iterator[Scored]:
    """Each text once, and none that is known."""
    seen = set(known)
    for one in scored:
        text = one.turn.message.text.strip()
        if text not in seen:
            seen.add(text)
            yield one
