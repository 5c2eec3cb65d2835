"""The vectors of one scope of an in-memory store."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import islice
from secrets import token_hex

import numpy as np
from numpy.typing import NDArray

from memory_proxy.stores.base import PageCursor, TurnKey, VectorPage

_Rows = dict[TurnKey, NDArray[np.int8]]


@dataclass(slots=True)
class ScopeVectors:
    """A cursor is the era, which ends when vectors are removed, and how many were read in it."""

    _rows: defaultdict[str, _Rows] = field(default_factory=lambda: defaultdict(_Rows))
    _era: str = field(default_factory=token_hex)

    def has(self, embedder: str, key: TurnKey) -> bool:
        return key in self._rows[embedder]

    def put(self, embedder: str, key: TurnKey, row: NDArray[np.int8]) -> None:
        """The first one stays."""
        self._rows[embedder].setdefault(key, row)

    def page(
        self,
        embedder: str,
        *,
        after: PageCursor | None,
        limit: int,
        number_of: Callable[[TurnKey], int],
    ) -> VectorPage:
        era, _, count = (after or "").partition(".")
        read = int(count) if era == self._era else 0
        found = list(islice(self._rows[embedder].items(), read, read + max(0, limit)))
        rows = np.array([row for _, row in found]) if found else np.empty((0, 0), np.int8)
        cursor = PageCursor(f"{self._era}.{read + len(found)}")
        numbers = np.array([number_of(key) for key, _ in found], np.int64)
        return VectorPage(numbers, rows, cursor, era != self._era)

    def remove(self, keys: Iterable[TurnKey]) -> int:
        """Those of some turns, by every embedder; how many."""
        found = [(rows, key) for key in keys for rows in self._rows.values() if key in rows]
        for rows, key in found:
            del rows[key]
        if found:
            self._era = token_hex()
        return len(found)

    def keep_only(self, embedder: str) -> int:
        """Remove those of all other embedders; how many."""
        others = [name for name in self._rows if name != embedder]
        return sum(len(self._rows.pop(name)) for name in others)
