"""One thread that owns the only writing connection and commits in groups."""

import asyncio
import logging
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from threading import Condition, Thread
from typing import Any, Final, TypeVar

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Exchange
from memory_proxy.stores.sqlite_schema import transaction

_MAX_BATCH: Final = 64
_CROWD: Final = 16  # enough to share a commit; no longer worth waiting for more
_LINGER_S: Final = 0.003
_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
_Outcome = tuple[asyncio.Future[Any], object]  # a value, or the StoreError


@dataclass(frozen=True, slots=True)
class _Append:
    exchange: Exchange
    future: asyncio.Future[None]


@dataclass(frozen=True, slots=True)
class _Work:
    """Done in slices, each of which makes its own transactions; nobody waits for a chore."""

    slices: Iterator[None]
    future: asyncio.Future[Any] | None


class Writer:
    """Everything that waits when the thread comes round goes into one transaction.

    Most of its cost is that of one, so a moment is waited for more when there were several the
    last time. Between two transactions one slice of longer work is done. `chores` are begun when
    the thread starts and after each longer work.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        *,
        append_all: Callable[[sqlite3.Connection, Sequence[Exchange]], None],
        capacity: int,
        chores: Callable[[sqlite3.Connection], Iterator[None]],
    ) -> None:
        self._db = db
        self._append_all = append_all
        self._capacity = capacity
        self._chores = chores
        self._loop = asyncio.get_running_loop()
        self._wakeup = Condition()
        self._waiting: deque[_Append] = deque()
        self._work: deque[_Work] = deque()
        self._has_company = False
        self._closing = False
        self._closed: asyncio.Future[None] = self._loop.create_future()
        self._thread = Thread(target=self._run, name="sqlite-writer", daemon=True)
        self._begin_chores()
        self._thread.start()

    def append(self, exchange: Exchange) -> asyncio.Future[None]:
        """Done when it is on the disk; done even if nobody waits any more."""
        future: asyncio.Future[None] = self._loop.create_future()
        with self._wakeup:
            self._refuse_unless_open(len(self._waiting))
            self._waiting.append(_Append(exchange, future))
            self._wakeup.notify()
        return future

    def work(
        self, begin: Callable[[sqlite3.Connection], Generator[None, None, T]]
    ) -> asyncio.Future[T]:
        """What the work returns in the end; appends are done between its slices."""
        future: asyncio.Future[T] = self._loop.create_future()
        with self._wakeup:
            self._refuse_unless_open(len(self._work))
            self._work.append(_Work(begin(self._db), future))
            self._wakeup.notify()
        return future

    async def close(self) -> None:
        """Do all that was accepted, then end the thread and close the connection."""
        with self._wakeup:
            self._closing = True
            self._wakeup.notify()
        await asyncio.shield(self._closed)

    def _refuse_unless_open(self, queued: int) -> None:
        if self._closing:
            raise StoreError("the store is closed")
        if queued >= self._capacity:
            raise StoreError(f"the store is behind: {queued} writes wait for the disk")

    def _run(self) -> None:
        try:
            while self._has_something_to_do():
                if batch := self._next_batch():
                    self._deliver(self._commit(batch))
                if self._work:
                    self._advance(self._work.popleft())
        finally:
            self._db.close()
            self._deliver([(self._closed, None)])

    def _has_something_to_do(self) -> bool:
        """Waits for it; False when there will never be any."""
        with self._wakeup:
            self._wakeup.wait_for(lambda: self._waiting or self._work or self._closing)
            return bool(self._waiting or self._work)

    def _next_batch(self) -> list[_Append]:
        if self._has_company and len(self._waiting) < _CROWD and not self._closing:
            time.sleep(_LINGER_S)
        with self._wakeup:
            size = min(len(self._waiting), _MAX_BATCH)
            self._has_company = size > 1
            return [self._waiting.popleft() for _ in range(size)]

    def _commit(self, batch: Sequence[_Append]) -> list[_Outcome]:
        """All in one transaction; if one of them fails, each in its own.

        Not savepoints: the full-text index writes a segment at each of them, and a full disk may
        undo the transaction around them.
        """
        try:
            with transaction(self._db):
                self._append_all(self._db, [each.exchange for each in batch])
            return [(each.future, None) for each in batch]
        except Exception as error:  # noqa: BLE001 - the thread's outer edge; handed to who waits
            if len(batch) == 1 or _is_busy(error):
                return [(each.future, _as_store_error(error)) for each in batch]
            return [outcome for each in batch for outcome in self._commit([each])]

    def _advance(self, work: _Work) -> None:
        try:
            next(work.slices)
        except StopIteration as end:
            self._finish(work, end.value)
        except Exception as error:  # noqa: BLE001 - the thread's outer edge; handed to who waits
            self._finish(work, _as_store_error(error))
        else:
            self._work.append(work)

    def _finish(self, work: _Work, outcome: object) -> None:
        if work.future is not None:
            self._begin_chores()
            self._deliver([(work.future, outcome)])
        elif isinstance(outcome, StoreError):
            _log.warning("store chore put off", extra={"reason": str(outcome)})

    def _begin_chores(self) -> None:
        with self._wakeup:
            if not any(work.future is None for work in self._work):
                self._work.append(_Work(self._chores(self._db), None))

    def _deliver(self, outcomes: Sequence[_Outcome]) -> None:
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self._loop.call_soon_threadsafe(_resolve, outcomes)


def _resolve(outcomes: Sequence[_Outcome]) -> None:
    for future, outcome in outcomes:
        if future.done():  # its caller was cancelled
            continue
        if isinstance(outcome, StoreError):
            future.set_exception(outcome)
        else:
            future.set_result(outcome)


def _as_store_error(error: Exception) -> StoreError:
    wrapped = StoreError(f"SQLite could not write: {error}")
    wrapped.__cause__ = error
    return wrapped


def _is_busy(error: Exception) -> bool:
    """Another process holds the lock: to try again at once would only wait as long again."""
    if not isinstance(error, sqlite3.OperationalError):
        return False
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
