"""A store that may be away at the start: it is tried again until it opens."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.errors import StoreError, StoreUnavailable
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

logger = logging.getLogger(__name__)


class ReopeningStore(MemoryStore):
    """Entering never fails. Until `store` has opened, every call raises StoreUnavailable with the
    reason, and `notices` tells it; another attempt is made every `retry_s` seconds.
    """

    def __init__(self, store: MemoryStore, *, retry_s: float = 2.0) -> None:
        self._store = store
        self._retry_s = retry_s
        self._trouble: str | None = "not opened yet"

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as entering:
            tasks = await entering.enter_async_context(asyncio.TaskGroup())
            opened = await entering.enter_async_context(AsyncExitStack())
            if not await self._open(opened):
                retrying = tasks.create_task(self._retry(opened))
                entering.callback(retrying.cancel)
            self._closing = entering.pop_all()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._trouble = "closed"
        await self._closing.aclose()

    @property
    def notices(self) -> tuple[str, ...]:
        if self._trouble is None:
            return self._store.notices
        return (f"store: {self._trouble}",)

    async def append(self, exchange: Exchange) -> None:
        await self._opened().append(exchange)

    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        return await self._opened().history(scope, session, limit=limit)

    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        return await self._opened().ledger(scope, session)

    async def entries(
        self, scope: Scope, *, after: PageCursor | None, limit: int = 2_000
    ) -> EntryPage:
        return await self._opened().entries(scope, after=after, limit=limit)

    async def turns_numbered(self, scope: Scope, numbers: Sequence[int]) -> Mapping[int, Turn]:
        return await self._opened().turns_numbered(scope, numbers)

    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        return await self._opened().sessions(scope, limit=limit, before=before)

    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        return await self._opened().delete_session(scope, session)

    async def expire(self, before: datetime) -> int:
        return await self._opened().expire(before)

    async def session_count(self) -> int:
        return await self._opened().session_count()

    async def turns(
        self,
        scope: Scope,
        *,
        limit: int,
        session: SessionId | None = None,
        after: TurnPlace | None = None,
        oldest_first: bool = False,
    ) -> TurnPage:
        store = self._opened()
        return await store.turns(
            scope, limit=limit, session=session, after=after, oldest_first=oldest_first
        )

    async def turn(self, scope: Scope, key: TurnKey) -> Turn | None:
        return await self._opened().turn(scope, key)

    async def add_turns(self, exchanges: Sequence[Exchange]) -> int:
        return await self._opened().add_turns(exchanges)

    async def pin(self, scope: Scope, key: TurnKey, *, pinned: bool) -> bool:
        return await self._opened().pin(scope, key, pinned=pinned)

    async def pinned(self, scope: Scope, *, limit: int) -> Sequence[Turn]:
        return await self._opened().pinned(scope, limit=limit)

    async def replace_turn(self, scope: Scope, turn: Turn) -> Forgotten | None:
        return await self._opened().replace_turn(scope, turn)

    async def delete_turn(self, scope: Scope, key: TurnKey) -> Forgotten | None:
        return await self._opened().delete_turn(scope, key)

    async def unembedded(self, embedder: str, *, limit: int) -> Sequence[Unembedded]:
        return await self._opened().unembedded(embedder, limit=limit)

    async def put_vectors(
        self, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
    ) -> int:
        return await self._opened().put_vectors(embedder, turns, rows)

    async def vectors(
        self, scope: Scope, embedder: str, *, after: PageCursor | None, limit: int = 2_000
    ) -> VectorPage:
        return await self._opened().vectors(scope, embedder, after=after, limit=limit)

    async def embedding_backlog(self, embedder: str) -> int:
        return await self._opened().embedding_backlog(embedder)

    async def drop_other_vectors(self, embedder: str) -> int:
        return await self._opened().drop_other_vectors(embedder)

    def _opened(self) -> MemoryStore:
        if self._trouble is not None:
            raise StoreUnavailable(self._trouble)
        return self._store

    async def _open(self, opened: AsyncExitStack) -> bool:
        try:
            await opened.enter_async_context(self._store)
        except StoreError as error:
            if self._trouble != str(error):
                logger.error("the store cannot be opened", extra={"error": str(error)})
            self._trouble = str(error)
            return False
        self._trouble = None
        return True

    async def _retry(self, opened: AsyncExitStack) -> None:
        while True:
            await asyncio.sleep(self._retry_s)
            if await self._open(opened):
                logger.info("the store is open again")
                return
