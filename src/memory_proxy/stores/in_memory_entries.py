"""The findable turns of one scope of an in-memory store, in the order of their numbers."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, islice
from secrets import token_hex

import numpy as np

from memory_proxy.core.types import Turn
from memory_proxy.stores.base import EntryPage, PageCursor, TurnKey


@dataclass(slots=True)
class ScopeEntries:
    """A cursor is the era, which ends when turns are removed, and how many were read in it."""

    _turns: dict[int, Turn] = field(default_factory=dict[int, Turn])
    _numbers: dict[TurnKey, int] = field(default_factory=dict[TurnKey, int])
    _next: Iterator[int] = field(default_factory=lambda: count(1))
    _era: str = field(default_factory=token_hex)

    def add(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            if turn.entry:
                number = next(self._next)
                self._turns[number] = turn
                self._numbers[key_of(turn)] = number

    def remove(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            if turn.entry:
                del self._turns[self._numbers.pop(key_of(turn))]
                self._era = token_hex()

    def __iter__(self) -> Iterator[Turn]:
        return iter(self._turns.values())

    def number_of(self, key: TurnKey) -> int:
        return self._numbers[key]

    def numbered(self, numbers: Sequence[int]) -> dict[int, Turn]:
        return {number: self._turns[number] for number in numbers if number in self._turns}

    def page(self, *, after: PageCursor | None, limit: int) -> EntryPage:
        era, _, read = (after or "").partition(".")
        start = int(read) if era == self._era else 0
        found = list(islice(self._turns.items(), start, start + max(0, limit)))
        return EntryPage(
            np.array([number for number, _ in found], np.int64),
            b"".join(turn.entry for _, turn in found),
            np.array([len(turn.entry) for _, turn in found], np.int64),
            PageCursor(f"{self._era}.{start + len(found)}"),
            era != self._era,
        )


def key_of(turn: Turn) -> TurnKey:
    return TurnKey(turn.exchange, turn.position)
