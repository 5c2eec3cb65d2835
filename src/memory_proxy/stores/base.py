"""The storage contract. `tests/stores/contract.py` is its executable form."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from memory_proxy.core.types import Exchange, Scope, SessionId, SessionSummary, Turn


@dataclass(frozen=True, slots=True)
class Candidates:
    """What a ranker needs to order turns: the turns, and how common each term is in the scope.

    `turn_count` counts the scope's findable turns (those with terms) and `mean_length` is their
    mean number of terms: N and avgdl of BM25. `frequency` says in how many of them a term stands.
    """

    turns: Sequence[Turn]
    turn_count: int
    mean_length: float
    frequency: Mapping[str, int]


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
        """

    @abstractmethod
    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        """The newest `limit` turns of a session, oldest first: by time of their exchange, then
        by order of arrival in the store, then by position. They come without their terms."""

    @abstractmethod
    async def candidates(self, scope: Scope, terms: Sequence[str], *, limit: int) -> Candidates:
        """Up to `limit` turns of `scope` that hold at least one of `terms`, likeliest first.

        They come with their terms. `terms` are literal: no character in them means anything to
        the store. In a large scope the commonest of them may not be searched for, but the
        frequency of every one that stands in the scope is reported.
        """

    @abstractmethod
    async def sessions(
        self, scope: Scope, *, limit: int, before: datetime | None = None
    ) -> Sequence[SessionSummary]:
        """Sessions whose last exchange is earlier than `before`, the most recent first."""

    @abstractmethod
    async def delete_session(self, scope: Scope, session: SessionId) -> int:
        """Forget a session wholly; how many turns it had."""

    @abstractmethod
    async def expire(self, before: datetime) -> int:
        """Forget the exchanges of every scope that are older than `before`; how many turns."""

    @abstractmethod
    async def session_count(self) -> int:
        """Sessions of all scopes: for the metrics, never for a caller."""
