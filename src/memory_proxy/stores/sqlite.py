"""A store in one SQLite file: durable, private, for one machine."""

import asyncio
import sqlite3
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import Final, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import (
    Exchange,
    MessageDigest,
    Scope,
    SessionId,
    SessionSummary,
    Turn,
)
from memory_proxy.stores import (
    sqlite_entries,
    sqlite_items,
    sqlite_ledger,
    sqlite_reading,
    sqlite_vectors,
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
from memory_proxy.stores.sqlite_appending import append_all
from memory_proxy.stores.sqlite_deletion import expire, finish_deletions, forget_session
from memory_proxy.stores.sqlite_file import connect, prepare
from memory_proxy.stores.sqlite_writer import Writer

_READERS: Final = 2

T = TypeVar("T")


class SQLiteStore(MemoryStore):
    """Writes go through one thread (`Writer`), which commits in groups and to the medium itself.

    A session is read on the event loop: it costs less than handing it to a thread would. All
    else is read in threads. Up to `capacity` appends may wait for the disk; one more is refused.
    """

    def __init__(self, path: Path | str, *, capacity: int = 1024) -> None:
        self._path = Path(path)
        self._capacity = capacity
        self._notices: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        self._notices = await asyncio.to_thread(prepare, self._path)
        self._db = connect(self._path, busy_timeout_s=0.02, read_only=True)
        self._readers = _Readers(self._path)
        self._writer = Writer(
            connect(self._path, busy_timeout_s=5, read_only=False),
            append_all=append_all,
            capacity=self._capacity,
            chores=finish_deletions,
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._db.close()
        try:
            await self._readers.close()
        finally:
            await self._writer.close()  # last: to close the last connection empties the log

    @property
    def notices(self) -> tuple[str, ...]:
        return self._notices

    async def append(self, exchange: Exchange) -> None:
        await self._writer.append(exchange)

    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        with _translated():
            return sqlite_reading.history(self._db, scope, session, limit=limit)

    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        with _translated():
            return sqlite_ledger.ledger(self._db, scope, session)

    async def entries(
        self, scope: Scope, *, after: PageCursor | None, limit: int = 2_000
    ) -> EntryPage:
        read = partial(sqlite_entries.page, scope=scope, after=after, limit=limit)
        return await self._readers.run(read)

    async def turns_numbered(self, scope: Scope, numbers: Sequence[int]) -> Mapping[int, Turn]:
        read = partial(sqlite_entries.turns_numbered, scope=scope, numbers=numbers)
        return await self._readers.run(read)

    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        read = partial(sqlite_reading.sessions, scope=scope, limit=limit, before=before)
        return await self._readers.run(read)

    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        work = partial(forget_session, scope=scope, session=session)
        return await self._writer.work(work)

    async def expire(self, before: datetime) -> int:
        return await self._writer.work(partial(expire, before=before))

    async def session_count(self) -> int:
        return await self._readers.run(sqlite_reading.session_count)

    async def turns(
        self,
        scope: Scope,
        *,
        limit: int,
        session: SessionId | None = None,
        after: TurnPlace | None = None,
        oldest_first: bool = False,
    ) -> TurnPage:
        read = partial(sqlite_items.turns, scope=scope, limit=limit, session=session)
        return await self._readers.run(partial(read, after=after, oldest_first=oldest_first))

    async def turn(self, scope: Scope, key: TurnKey) -> Turn | None:
        return await self._readers.run(partial(sqlite_items.turn, scope=scope, key=key))

    async def add_turns(self, exchanges: Sequence[Exchange]) -> int:
        return await self._writer.work(partial(sqlite_items.add, exchanges=exchanges))

    async def pin(self, scope: Scope, key: TurnKey, *, pinned: bool) -> bool:
        work = partial(sqlite_items.pin, scope=scope, key=key, pinned=pinned)
        return await self._writer.work(work)

    async def pinned(self, scope: Scope, *, limit: int) -> Sequence[Turn]:
        with _translated():
            return sqlite_items.pinned(self._db, scope, limit=limit)

    async def replace_turn(self, scope: Scope, turn: Turn) -> Forgotten | None:
        work = partial(sqlite_items.replace_turn, scope=scope, new=turn)
        return await self._writer.work(work)

    async def delete_turn(self, scope: Scope, key: TurnKey) -> Forgotten | None:
        work = partial(sqlite_items.delete_turn, scope=scope, key=key)
        return await self._writer.work(work)

    async def unembedded(self, embedder: str, *, limit: int) -> Sequence[Unembedded]:
        read = partial(sqlite_vectors.unembedded, embedder=embedder, limit=limit)
        return await self._readers.run(read)

    async def put_vectors(
        self, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
    ) -> int:
        work = partial(sqlite_vectors.put, embedder=embedder, turns=turns, rows=rows)
        return await self._writer.work(work)

    async def vectors(
        self, scope: Scope, embedder: str, *, after: PageCursor | None, limit: int = 2_000
    ) -> VectorPage:
        read = partial(sqlite_vectors.page, scope=scope, embedder=embedder, after=after)
        return await self._readers.run(partial(read, limit=limit))

    async def embedding_backlog(self, embedder: str) -> int:
        return await self._readers.run(partial(sqlite_vectors.backlog, embedder=embedder))

    async def drop_other_vectors(self, embedder: str) -> int:
        return await self._writer.work(partial(sqlite_vectors.drop_others, embedder=embedder))


class _Readers:
    """A few threads, each with a connection of its own while it reads."""

    def __init__(self, path: Path) -> None:
        self._threads = ThreadPoolExecutor(_READERS, thread_name_prefix="sqlite-reader")
        self._idle: SimpleQueue[sqlite3.Connection] = SimpleQueue()
        self._closed = False
        for _ in range(_READERS):
            self._idle.put(connect(path, busy_timeout_s=1, read_only=True))

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        if self._closed:
            raise StoreError("the store is closed")
        with _translated():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, self._read, read)

    async def close(self) -> None:
        self._closed = True
        await asyncio.to_thread(self._threads.shutdown)
        for _ in range(_READERS):
            self._idle.get_nowait().close()

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        db = self._idle.get()
        try:
            return read(db)
        finally:
            self._idle.put(db)


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (sqlite3.Error, ValueError) as error:  # ValueError: text that is no Unicode
        raise StoreError(f"SQLite could not read: {error}") from error
