"""The turns of an index that are worth a second look for a question, and what the first one showed.

The first look goes over every turn, by arrays: BM25, the cosine with the question, and the time.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.retrieval.entries import minute_of
from memory_proxy.retrieval.index import NOWHERE, ScopeIndex
from memory_proxy.retrieval.postings import Rows
from memory_proxy.retrieval.questions import Question
from memory_proxy.retrieval.traits import Trait

Floats = NDArray[np.floating]

# BM25's usual constants (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009).
_K1: Final = 1.2
_B: Final = 0.75

_BY_WORDS: Final = 250
_BY_MEANING: Final = 80
_BY_TIME: Final = 40
_ALIKE: Final = 0.5  # of the best; what is less is about something else
_MINUTES_OF_A_WEEK: Final = 7 * 24 * 60


@dataclass(frozen=True, slots=True)
class Candidates:
    """`rows` of the index, in order. `around` has five of each: the two turns before it in its
    session, itself, and the two after it, or NOWHERE.

    `bm25` and `cosines` are of every row of the index; a cosine is NaN where a vector is missing.
    """

    index: ScopeIndex
    question: Question
    terms: "QuestionTerms"
    bm25: Floats
    cosines: Floats
    rows: Rows
    around: Rows

    @property
    def has_meaning(self) -> bool:
        """Whether vectors could be compared."""
        return bool(np.isfinite(self.cosines).any())

    @property
    def best_meaning(self) -> float:
        return float(np.nanmax(self.cosines)) if self.has_meaning else 0.0

    @property
    def known_terms(self) -> float:
        """The share of the question's terms that any turn holds."""
        return sum(len(rows) > 0 for rows, _ in self.terms.found) / max(1, len(self.terms.found))

    def traits(self, trait: Trait, *, of: Rows | None = None) -> Floats:
        """1 for each of the candidates (or of the rows `of`) that has it."""
        rows = self.rows if of is None else of
        traits = np.where(rows == NOWHERE, 0, self.index.traits.values[rows])
        return ((traits & trait) > 0).astype(np.float32)

    def bm25_at(self, rows: Rows) -> Floats:
        return np.where(rows == NOWHERE, np.float32(0), self.bm25[rows])

    def apt(self) -> NDArray[np.bool_]:
        """Whether each holds a term of the question, answers a question that does, means something
        like it, or was said at the time that it names. The others show by contrast what is rare."""
        before = self.around[:, 1]
        answers = (self.bm25_at(before) > 0) & (self.traits(Trait.ENDS_ASKING, of=before) > 0)
        alike = self.cosines[self.rows] >= _ALIKE * self.best_meaning
        then = nearness(self.index, self.question, self.rows) >= _ALIKE
        apt: NDArray[np.bool_] = (self.bm25[self.rows] > 0) | answers | alike | then
        return apt


def candidates(index: ScopeIndex, question: Question) -> Candidates:
    terms = QuestionTerms.of(index, question)
    bm25 = _bm25(index, terms)
    cosines = np.full(len(index), np.nan, np.float32)
    if question.vector is not None:
        known = index.vectors.cosines(question.vector)[: len(index)]
        cosines[: len(known)] = known
    rows = _likeliest(index, question, bm25, cosines)
    return Candidates(index, question, terms, bm25, cosines, rows, _around(index, rows))


@dataclass(frozen=True, slots=True)
class QuestionTerms:
    """`found` says of each term in which rows of an index it stands and how often; `rarity` is its
    inverse document frequency there."""

    found: list[tuple[Rows, Floats]]
    rarity: Floats

    @classmethod
    def of(cls, index: ScopeIndex, question: Question) -> "QuestionTerms":
        found = [index.postings.of_term(number) for number in question.numbers]
        weights = [rarity(len(index), len(rows)) for rows, _ in found]
        return cls(found, np.array(weights, np.float32))

    def counts(self, rows: Rows) -> Floats:
        """How often each of the terms stands in each of `rows`, which are in order."""
        counts = np.zeros((len(rows), len(self.found)), np.float32)
        for term, (theirs, their_counts) in enumerate(self.found):
            here, there = in_both(rows, theirs)
            counts[here, term] = their_counts[there]
        return counts


def rarity(turn_count: int, frequency: int) -> float:
    """BM25's inverse document frequency, in the form that is never negative."""
    return float(np.log(1 + (turn_count - frequency + 0.5) / (frequency + 0.5)))


def saturated(counts: Floats, lengths: Floats) -> Floats:
    """BM25's weight of a term that stands so often in a text of so many times the mean length."""
    return counts * (_K1 + 1) / (counts + _K1 * (1 - _B + _B * lengths))


def nearness(index: ScopeIndex, question: Question, rows: Rows) -> Floats:
    """1 for what was said within the time that the question names; less, the longer after it."""
    if question.period is None:
        return np.zeros(len(rows), np.float32)
    start, end = minute_of(question.period.start), minute_of(question.period.end)
    minutes = index.minutes.values[rows]
    weeks_late = np.maximum(minutes - end, 0) / _MINUTES_OF_A_WEEK
    return np.where(minutes < start, 0, 1 / (1 + weeks_late)).astype(np.float32)


def in_both(rows: Rows, others: Rows) -> tuple[Rows, Rows]:
    """Where what is in both, each in order and without repetition, stands in the one and in the
    other."""
    at = np.searchsorted(others, rows)
    at[at == len(others)] = 0
    here = np.flatnonzero(others[at] == rows) if len(others) else np.empty(0, np.int64)
    return here, at[here]


def _bm25(index: ScopeIndex, terms: QuestionTerms) -> Floats:
    """Of every row."""
    lengths = index.relative_lengths()
    scores = np.zeros(len(index), np.float32)
    for (rows, counts), weight in zip(terms.found, terms.rarity, strict=True):
        scores[rows] += weight * saturated(counts, lengths[rows])
    return scores


def _likeliest(index: ScopeIndex, question: Question, bm25: Floats, cosines: Floats) -> Rows:
    padded = np.append(bm25, np.float32(0))  # what is NOWHERE
    by_words = bm25 + (padded[index.previous.values] + padded[index.next.values]) / 2
    chosen = [_best(by_words, _BY_WORDS), _best(np.nan_to_num(cosines), _BY_MEANING)]
    if question.period is not None:
        by_time = nearness(index, question, np.arange(len(index))) * (1 + bm25)
        chosen.append(_best(by_time, _BY_TIME))
    return reduce(np.union1d, chosen)


def _best(scores: Floats, limit: int) -> Rows:
    """The rows with the highest scores above 0; of equal ones the newest."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= limit:
        return positive
    least = np.partition(scores[positive], -limit)[-limit]
    above, equal = positive[scores[positive] > least], positive[scores[positive] == least]
    return np.concatenate([above, equal[len(above) - limit :]])


def _around(index: ScopeIndex, rows: Rows) -> Rows:
    previous = _step(index.previous.values, rows)
    following = _step(index.next.values, rows)
    columns = (
        _step(index.previous.values, previous),
        previous,
        rows,
        following,
        _step(index.next.values, following),
    )
    return np.stack(columns, axis=1)


def _step(links: Rows, rows: Rows) -> Rows:
    return np.where(rows == NOWHERE, NOWHERE, links[rows])
