"""All that recall needs to know of the turns of one scope, in arrays: a row for each turn, in the
order of their arrival."""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from memory_proxy.embedding.quantising import lengths
from memory_proxy.retrieval.entries import Entries
from memory_proxy.retrieval.postings import Postings, Rows, phrases

NOWHERE: Final = -1
_FIRST_SPACE: Final = 64
_PIECE: Final = 2_048

_Number = TypeVar("_Number", bound=np.generic)


class Column:
    """Whole numbers, one a row, that grow at their end."""

    def __init__(self) -> None:
        self._space = np.empty(_FIRST_SPACE, np.int64)
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def values(self) -> Rows:
        return self._space[: self._length]

    @property
    def size_bytes(self) -> int:
        return self._space.nbytes

    def extend(self, values: NDArray[np.integer]) -> None:
        length = self._length + len(values)
        if length > len(self._space):
            self._space = _with_room(self._space, length)
        self._space[self._length : length] = values
        self._length = length


class ScopeIndex:
    """`numbers` are the store's own for the turns. `previous` and `next` are the rows of the turns
    around one in its session, or NOWHERE."""

    def __init__(self) -> None:
        self.numbers = Column()
        self.sessions = Column()
        self.speakers = Column()
        self.minutes = Column()
        self.traits = Column()
        self.lengths = Column()
        self.previous = Column()
        self.next = Column()
        self.postings = Postings()
        self.vectors = VectorTable()
        self._last_of_session: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def size_bytes(self) -> int:
        columns = (self.numbers, self.sessions, self.speakers, self.minutes, self.traits,
                   self.lengths, self.previous, self.next)  # fmt: skip
        sessions = 100 * len(self._last_of_session)
        return (
            sum(column.size_bytes for column in columns)
            + self.postings.size_bytes
            + self.vectors.size_bytes
            + sessions
        )

    def relative_lengths(self) -> NDArray[np.float32]:
        """By how many times each turn is longer than the mean."""
        lengths = self.lengths.values.astype(np.float32)
        return lengths / max(float(lengths.mean()), 1.0) if len(lengths) else lengths

    def add(self, numbers: Rows, entries: Entries) -> None:
        """Turns that came after all that are here; `numbers` in order."""
        first = len(self)
        self.numbers.extend(numbers)
        self.sessions.extend(entries.sessions)
        self.speakers.extend(entries.speakers)
        self.minutes.extend(entries.minutes)
        self.traits.extend(entries.traits)
        self.lengths.extend(entries.lengths)
        self._link(first, entries.sessions.tolist())
        rows = np.repeat(np.arange(first, len(self)), entries.lengths)
        together, their_rows = phrases(entries.terms, rows)
        self.postings.add(
            np.concatenate([entries.terms, together]), np.concatenate([rows, their_rows])
        )

    def add_vectors(self, numbers: Rows, vectors: NDArray[np.int8]) -> None:
        """Of turns that are here; those of others are left out."""
        rows = np.searchsorted(self.numbers.values, numbers)
        known = rows < len(self)
        known[known] = self.numbers.values[rows[known]] == numbers[known]
        self.vectors.put(rows[known], vectors[known], row_count=len(self))

    def _link(self, first: int, sessions: list[int]) -> None:
        previous = [NOWHERE] * len(sessions)
        following = np.full(len(sessions), NOWHERE)
        self.next.extend(following)
        for row, session in enumerate(sessions, first):
            before = self._last_of_session.get(session, NOWHERE)
            self._last_of_session[session] = row
            previous[row - first] = before
            if before != NOWHERE:
                self.next.values[before] = row
        self.previous.extend(np.array(previous, np.int64))


class VectorTable:
    """The vectors of rows; a row of zeros where there is none (yet)."""

    def __init__(self) -> None:
        self.clear()

    @property
    def size_bytes(self) -> int:
        return self._vectors.nbytes + self._scales.nbytes

    def clear(self) -> None:
        self._vectors = np.zeros((0, 0), np.int8)
        self._scales = np.zeros(0, np.float32)  # 1 / length; 0 for a row of zeros

    def put(self, rows: Rows, vectors: NDArray[np.int8], *, row_count: int) -> None:
        if not len(rows):
            return
        if vectors.shape[1] != self._vectors.shape[1]:
            self.clear()
            self._vectors = np.zeros((0, vectors.shape[1]), np.int8)
        if row_count > len(self._vectors):
            self._vectors = _with_room(self._vectors, row_count)
            self._scales = _with_room(self._scales, row_count)
        self._vectors[rows] = vectors
        self._scales[rows] = 1 / lengths(vectors)

    def cosines(self, query: NDArray[np.float32]) -> NDArray[np.float32]:
        """Of every row with `query`, of length 1; NaN for a row without a vector.

        In pieces that fit into a processor's cache: numbers of one byte have no fast product.
        """
        products = np.empty(len(self._vectors), np.float32)
        for start in range(0, len(products), _PIECE):
            end = start + _PIECE
            np.dot(self._vectors[start:end].astype(np.float32), query, out=products[start:end])
        with np.errstate(invalid="ignore"):
            scales = np.where(self._scales > 0, self._scales, np.float32(np.nan))
        return products * scales

    def unit_rows(self, rows: Rows) -> NDArray[np.float32]:
        """Vectors of length 1; of zeros for a row without."""
        rows = np.where(rows < len(self._vectors), rows, NOWHERE)
        units = self._vectors[rows].astype(np.float32) * self._scales[rows, np.newaxis]
        units[rows == NOWHERE] = 0
        return units


def _with_room(array: NDArray[_Number], length: int) -> NDArray[_Number]:
    """The same, with space for `length` rows and for as many again as it had."""
    space = max(length, 2 * len(array), _FIRST_SPACE) - len(array)
    return np.concatenate([array, np.zeros((space, *array.shape[1:]), array.dtype)])
