"""The indexes of the scopes that were asked most recently, kept up with the store."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Final, TypeVar

from memory_proxy.core.types import Scope
from memory_proxy.retrieval.entries import read_entries
from memory_proxy.retrieval.index import ScopeIndex
from memory_proxy.stores.base import EntryPage, MemoryStore, PageCursor, VectorPage

DEFAULT_BUDGET_BYTES: Final = 128 * 1024 * 1024
_PAGE: Final = 2_000

T = TypeVar("T")


@dataclass(slots=True)
class _Kept:
    """An index, and how far in the store it has come; whoever holds `lock` may use it."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    index: ScopeIndex = field(default_factory=ScopeIndex)
    entries: PageCursor | None = None
    vectors: PageCursor | None = None
    embedder: str | None = None

    def add_entries(self, page: EntryPage) -> None:
        if page.restarts:
            self.index = ScopeIndex()
            self.vectors = None
        self.index.add(page.numbers, read_entries(page.entries, page.sizes))
        self.entries = page.cursor

    def add_vectors(self, page: VectorPage, embedder: str) -> None:
        if page.restarts or self.embedder != embedder:
            self.index.vectors.clear()
        self.index.add_vectors(page.numbers, page.rows)
        self.vectors, self.embedder = page.cursor, embedder


class Indexes:
    """Together they take about `budget_bytes`; the one that was used last stays in any case."""

    def __init__(self, store: MemoryStore, *, budget_bytes: int = DEFAULT_BUDGET_BYTES) -> None:
        self._store = store
        self._budget_bytes = budget_bytes
        self._kept: OrderedDict[Scope, _Kept] = OrderedDict()

    @asynccontextmanager
    async def current(self, scope: Scope, embedder: str | None) -> AsyncGenerator[ScopeIndex]:
        """The index of all that `scope` holds now, for nobody else meanwhile; without `embedder`
        its vectors may be behind. Raises StoreError.

        What was read stays when the caller is cancelled: the next one goes on from there.
        """
        kept = self._kept.setdefault(scope, _Kept())
        self._kept.move_to_end(scope)
        async with kept.lock:
            await self._read_entries(scope, kept)
            if embedder is not None:
                await self._read_vectors(scope, kept, embedder)
            self._make_room()
            yield kept.index

    async def _read_entries(self, scope: Scope, kept: _Kept) -> None:
        is_behind = True
        while is_behind:
            page = await self._store.entries(scope, after=kept.entries, limit=_PAGE)
            if page.restarts or len(page.numbers):
                await in_thread(partial(kept.add_entries, page))
            is_behind = len(page.numbers) == _PAGE

    async def _read_vectors(self, scope: Scope, kept: _Kept, embedder: str) -> None:
        is_behind = True
        while is_behind:
            after = kept.vectors if kept.embedder == embedder else None
            page = await self._store.vectors(scope, embedder, after=after, limit=_PAGE)
            if page.restarts or len(page.numbers):
                await in_thread(partial(kept.add_vectors, page, embedder))
            is_behind = len(page.numbers) == _PAGE

    def _make_room(self) -> None:
        """Let go of those that were not asked for the longest time, and that nobody is using."""
        size_bytes = sum(kept.index.size_bytes for kept in self._kept.values())
        for scope, kept in list(self._kept.items())[:-1]:
            if size_bytes <= self._budget_bytes:
                return
            if not kept.lock.locked():
                size_bytes -= kept.index.size_bytes
                del self._kept[scope]


async def in_thread(work: Callable[[], T]) -> T:
    """Off the event loop. Also when it is cancelled this only ends after `work` has."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
