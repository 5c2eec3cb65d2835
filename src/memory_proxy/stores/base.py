"""The storage contract. `tests/stores/contract.py` is its executable form."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NewType, Self

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


class TurnKey(NamedTuple):
    """Which turn of a scope."""

    exchange: ExchangeId
    position: int


@dataclass(frozen=True, slots=True)
class Unembedded:
    """A turn that has no vector yet. `text` is what it says, or the head of it; `version` is the
    store's own and tells whether the turn is still the same when its vector comes."""

    scope: Scope
    key: TurnKey
    text: str
    version: int


@dataclass(frozen=True, slots=True, order=True)
class TurnPlace:
    """Where a turn stands among those of its scope: by the time of its exchange, then by order of
    arrival in the store, then by position."""

    at: datetime
    arrival: int
    position: int


@dataclass(frozen=True, slots=True)
class TurnPage:
    """`last` is the place of the last of `turns`; None: there are no more after them."""

    turns: Sequence[Turn]
    last: TurnPlace | None


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What went with a turn: its entry in the index, ledger entries that quoted it, its vectors."""

    turns: int
    index_entries: int
    ledger_entries: int
    vectors: int


PageCursor = NewType("PageCursor", str)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """Entries of one scope: `entries` are those of the turns with the `numbers`, joined, and
    `sizes` how many bytes each has. A number is the store's own for a turn and grows with time.

    `restarts`: since the cursor that was given some have gone, or it was None. Whoever keeps what
    earlier pages brought must forget it; this page begins anew. No numbers: there are no more yet.
    """

    numbers: NDArray[np.int64]
    entries: bytes
    sizes: NDArray[np.int64]
    cursor: PageCursor
    restarts: bool


@dataclass(frozen=True, slots=True)
class VectorPage:
    """Vectors of one scope in the order in which they came: `rows[i]` is that of the turn with
    `numbers[i]`. `restarts` as in an EntryPage."""

    numbers: NDArray[np.int64]
    rows: NDArray[np.int8]
    cursor: PageCursor
    restarts: bool


class MemoryStore(ABC):
    """Keeps exchanges, one scope apart from another.

    Used as an async context manager: entering opens (and creates or migrates), leaving writes what
    was accepted and closes. Every method raises StoreError, with the driver's own error as its
    cause, and nothing else. No method ever sees or touches a scope other than the one it is given.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    @property
    def notices(self) -> tuple[str, ...]:
        """What an operator should know about how the store opened: one sentence each."""
        return ()

    @abstractmethod
    async def append(self, exchange: Exchange) -> None:
        """Store `exchange` durably (as far as this store can) before returning.

        The same id in the same scope again changes nothing, except that a complete exchange
        replaces a partial one, and a longer partial a shorter one (by total text length). The
        replacement keeps the place in the order of arrival of what it replaces.

        Its ledger entries are kept by session and message, also where it has no turns; of two
        entries for one message the first stays. An entry that quotes a turn which is gone, or was
        changed, is not kept; later it goes with that turn.
        """

    @abstractmethod
    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        """The notes of a session, by the digest of the message that they were put into."""

    @abstractmethod
    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        """The newest `limit` turns of a session, oldest first: by time of their exchange, then
        by order of arrival in the store, then by position. They come without their entries."""

    @abstractmethod
    async def entries(
        self, scope: Scope, *, after: PageCursor | None, limit: int = 2_000
    ) -> EntryPage:
        """The next entries of the findable turns, those that have one, after the page that had the
        cursor `after`, in the order of their numbers."""

    @abstractmethod
    async def turns_numbered(self, scope: Scope, numbers: Sequence[int]) -> Mapping[int, Turn]:
        """Those of the turns that are still there, without their entries."""

    @abstractmethod
    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        """Sessions whose last exchange is earlier than `before`, the most recent first."""

    @abstractmethod
    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        """Forget a session wholly, its ledger too; how many turns it had."""

    @abstractmethod
    async def expire(self, before: datetime) -> int:
        """Forget the exchanges and the ledger entries of every scope that are older than `before`;
        how many turns."""

    @abstractmethod
    async def session_count(self) -> int:
        """Sessions of all scopes: for the metrics, never for a caller."""

    @abstractmethod
    async def turns(
        self,
        scope: Scope,
        *,
        limit: int,
        session: SessionId | None = None,
        after: TurnPlace | None = None,
        oldest_first: bool = False,
    ) -> TurnPage:
        """Up to `limit` turns of `scope`, or of one session of it, that come after the place
        `after`. A page of very long turns may end earlier. They come without their entries."""

    @abstractmethod
    async def turn(self, scope: Scope, key: TurnKey) -> Turn | None:
        """One turn, without its entry."""

    @abstractmethod
    async def add_turns(self, exchanges: Sequence[Exchange]) -> int:
        """Like `append`, for turns one by one: of an exchange that is known those turns are added
        whose position is not, in the session that it has. How many were new."""

    @abstractmethod
    async def pin(self, scope: Scope, key: TurnKey, *, pinned: bool) -> bool:
        """Pin a turn, or unpin it; False when there is none. Like any change of a turn this ends
        its exchange: no longer or complete one replaces it any more."""

    @abstractmethod
    async def pinned(self, scope: Scope, *, limit: int) -> Sequence[Turn]:
        """The newest `limit` turns that are pinned, newest first, without their entries."""

    @abstractmethod
    async def replace_turn(self, scope: Scope, turn: Turn) -> Forgotten | None:
        """Put `turn` in the place of the stored one of its exchange and position, of whose words
        nothing is left; what went with them. None when there is none."""

    @abstractmethod
    async def delete_turn(self, scope: Scope, key: TurnKey) -> Forgotten | None:
        """Forget one turn, and all that holds its words; None when there is none."""

    @abstractmethod
    async def unembedded(self, embedder: str, *, limit: int) -> Sequence[Unembedded]:
        """Up to `limit` findable turns, of every scope, that have no vector by `embedder`, the
        newest first: for the background worker, never for a caller."""

    @abstractmethod
    async def put_vectors(
        self, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
    ) -> int:
        """Keep `rows[i]` as the vector of `turns[i]`, and go when it goes; how many were kept.

        A turn that was deleted or replaced meanwhile gets none. All rows of one embedder have the
        same length.
        """

    @abstractmethod
    async def vectors(
        self, scope: Scope, embedder: str, *, after: PageCursor | None, limit: int = 2_000
    ) -> VectorPage:
        """The next vectors by `embedder` after those of the page that had the cursor `after`."""

    @abstractmethod
    async def embedding_backlog(self, embedder: str) -> int:
        """How many findable turns of all scopes have no vector by `embedder`."""

    @abstractmethod
    async def drop_other_vectors(self, embedder: str) -> int:
        """Forget the vectors by every embedder but this one; how many."""
