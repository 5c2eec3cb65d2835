"""Which turn holds which term how often: an inverted index that grows at its end.

Segments as in a log-structured merge tree (O'Neil et al., 1996): a small one is merged with the one
before it once they are alike in size, and a full one is left alone, so that nothing large is ever
sorted again.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.retrieval.entries import Numbers

_FULL: Final = 2_000_000  # postings of a segment
_ROW_BITS, _COUNT_BITS = 24, 8
_MOST: Final = (1 << _COUNT_BITS) - 1
_PHRASE_MULTIPLIER: Final = np.uint32(0x9E3779B1)

Rows = NDArray[np.int64]
Counts = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Segment:
    """`postings[starts[i] : starts[i + 1]]` are those of `terms[i]`: a row and a count in each."""

    terms: Numbers
    starts: NDArray[np.int64]
    postings: Numbers

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> "_Segment":
        """`keys` hold a term in their upper half and a posting in the lower, in order."""
        terms = (keys >> np.uint64(32)).astype(np.uint32)
        firsts = np.flatnonzero(np.diff(terms, prepend=~terms[:1]))
        return cls(terms[firsts], np.append(firsts, len(keys)), keys.astype(np.uint32))

    def keys(self) -> NDArray[np.uint64]:
        terms = np.repeat(self.terms, np.diff(self.starts)).astype(np.uint64)
        return (terms << np.uint64(32)) | self.postings

    def of_term(self, term: int) -> Numbers:
        at = int(np.searchsorted(self.terms, np.uint32(term)))
        if at == len(self.terms) or self.terms[at] != term:
            return self.postings[:0]
        return self.postings[self.starts[at] : self.starts[at + 1]]

    @property
    def size_bytes(self) -> int:
        return self.terms.nbytes + self.starts.nbytes + self.postings.nbytes


@dataclass(slots=True)
class Postings:
    _segments: list[_Segment] = field(default_factory=list[_Segment])

    def add(self, terms: Numbers, rows: Rows) -> None:
        """`rows` says where each of `terms` stands; rows only ever grow."""
        if len(terms):
            self._segments.append(_Segment.of(_counted(terms, rows)))
            self._merge()

    def of_term(self, term: int) -> tuple[Rows, Counts]:
        """The rows that hold `term`, in order, and how often."""
        found = [segment.of_term(term) for segment in self._segments]
        postings = np.concatenate(found) if found else np.empty(0, np.uint32)
        rows = (postings >> np.uint32(_COUNT_BITS)).astype(np.int64)
        return rows, (postings & np.uint32(_MOST)).astype(np.float32)

    @property
    def size_bytes(self) -> int:
        return sum(segment.size_bytes for segment in self._segments)

    def _merge(self) -> None:
        while len(self._segments) > 1:
            *_, large, small = (len(segment.postings) for segment in self._segments)
            if large > 2 * small or large + small > _FULL:
                return
            right, left = self._segments.pop(), self._segments.pop()
            # Timsort: two runs in order are merged in one pass.
            keys = np.sort(np.concatenate([left.keys(), right.keys()]), kind="stable")
            self._segments.append(_Segment.of(keys))


def phrases(terms: Numbers, rows: Rows) -> tuple[Numbers, Rows]:
    """Each two terms that stand side by side in a row, as a term of their own."""
    together = rows[1:] == rows[:-1]
    return phrase(terms[:-1], terms[1:])[together], rows[1:][together]


def phrase(first: Numbers, second: Numbers) -> Numbers:
    return first * _PHRASE_MULTIPLIER + second


def _counted(terms: Numbers, rows: Rows) -> NDArray[np.uint64]:
    """Keys in order; a term that stands in a row more than once has one, which says how often."""
    keys = (terms.astype(np.uint64) << np.uint64(_ROW_BITS)) | rows.astype(np.uint64)
    keys, counts = np.unique(keys, return_counts=True)
    counted = np.minimum(counts, _MOST).astype(np.uint64)
    return np.asarray((keys << np.uint64(_COUNT_BITS)) | counted, np.uint64)
