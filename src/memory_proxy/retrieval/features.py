"""What speaks for a turn as an answer, in numbers.

Each column is brought to mean 0 and deviation 1 among the candidates of one question, so that the
weights mean the same in a memory of ten turns and in one of a hundred thousand.
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

Floats = NDArray[np.float32]

# BM25's usual constants (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009).
_K1: Final = 1.2
_B: Final = 0.75

_MINUTES_OF_A_WEEK: Final = 7 * 24 * 60
_BY_WORDS: Final = 250
_BY_MEANING: Final = 80
_BY_PERIOD: Final = 40

LEXICAL: Final = (
    "words", "words_around", "words_after", "words_of_user", "share_of_words", "phrases", "session",
    "answers_question", "speaker", "asks", "first_person", "by_user", "opens_session", "length",
    "length_by_user", "preference", "instruction", "time", "period", "amount", "denial",
)  # fmt: skip
DENSE: Final = ("meaning", "meaning_around", "meaning_by_user", "meaning_of_session")


@dataclass(frozen=True, slots=True)
class Candidates:
    """Rows of the index, and of each its features by name, scaled; `known` says which terms of the
    question each of them holds.

    `best_turn` is the greatest share of the terms that one turn holds, `known_terms` the share that
    any turn holds, and `best_meaning` the highest cosine: what the gate looks at.
    """

    rows: Rows
    features: dict[str, Floats]
    known: NDArray[np.bool_]
    best_turn: float
    known_terms: float
    best_meaning: float


@dataclass(frozen=True, slots=True)
class _Hits:
    """How often each term of a question stands in each of some rows; the last row is no turn and
    holds none."""

    rows: Rows  # in order
    counts: Floats  # rows x terms
    rarity: Floats  # of the terms

    def at(self, rows: Rows) -> Rows:
        """Where `rows` (or NOWHERE) are in here."""
        return np.where(rows == NOWHERE, len(self.rows), np.searchsorted(self.rows, rows))


def candidates(index: ScopeIndex, question: Question) -> Candidates | None:
    """None when nothing in the index has anything to do with `question`."""
    found = [index.postings.of_term(number) for number in question.numbers]
    rarity = np.array([_rarity(len(index), len(rows)) for rows, _ in found], np.float32)
    bm25 = _bm25(index, found, rarity)
    cosines = _cosines(index, question)
    rows = _likeliest(index, question, bm25, cosines)
    if not len(rows):
        return None
    around = _around(index, rows)
    hits = _hits(np.unique(around[around != NOWHERE]), found, rarity)
    features = _lexical(index, question, rows, around, hits, bm25)
    if question.vector is not None:
        features |= _dense(index, question.vector, rows, around, cosines)
    known = hits.counts[hits.at(rows)] > 0
    return Candidates(
        rows,
        {name: _scaled(values) for name, values in features.items()},
        known,
        best_turn=float(known.mean(axis=1).max()) if known.size else 0.0,
        known_terms=sum(len(theirs) > 0 for theirs, _ in found) / max(1, len(found)),
        best_meaning=float(np.nan_to_num(cosines).max()),
    )


def _rarity(turn_count: int, frequency: int) -> float:
    """BM25's inverse document frequency, in the form that is never negative."""
    return float(np.log(1 + (turn_count - frequency + 0.5) / (frequency + 0.5)))


def _bm25(index: ScopeIndex, found: list[tuple[Rows, Floats]], rarity: Floats) -> Floats:
    """Of every row."""
    lengths = index.lengths.values
    mean = max(float(lengths.mean()), 1.0) if len(lengths) else 1.0
    scores = np.zeros(len(index), np.float32)
    for (rows, counts), weight in zip(found, rarity, strict=True):
        room = _K1 * (1 - _B + _B * lengths[rows] / mean)
        scores[rows] += weight * (_K1 + 1) * counts / (counts + room)
    return scores


def _cosines(index: ScopeIndex, question: Question) -> Floats:
    """Of every row; NaN where it, or the question, has no vector."""
    cosines = np.full(len(index), np.nan, np.float32)
    if question.vector is not None:
        found = index.vectors.cosines(question.vector)[: len(index)]
        cosines[: len(found)] = found
    return cosines


def _likeliest(index: ScopeIndex, question: Question, bm25: Floats, cosines: Floats) -> Rows:
    """The rows worth a second look, in order."""
    padded = np.append(bm25, np.float32(0))  # what is NOWHERE
    rough = bm25 + 0.5 * (padded[index.previous.values] + padded[index.next.values])
    then = _near_period(index, question, np.arange(len(index)))
    return reduce(
        np.union1d,
        (
            _best(rough, _BY_WORDS),
            _best(np.nan_to_num(cosines), _BY_MEANING),
            _best(then * (1 + rough), _BY_PERIOD) if question.period else np.empty(0, np.int64),
        ),
    )


def _best(scores: Floats, limit: int) -> Rows:
    """The rows with the highest scores above 0."""
    positive = np.flatnonzero(scores > 0)
    if len(positive) <= limit:
        return positive
    return positive[np.argpartition(-scores[positive], limit)[:limit]]


def _around(index: ScopeIndex, rows: Rows) -> Rows:
    """Of each row five: the two before it in its session, itself, and the two after it."""
    previous, following = _step(index.previous.values, rows), _step(index.next.values, rows)
    return np.stack(
        [
            _step(index.previous.values, previous),
            previous,
            rows,
            following,
            _step(index.next.values, following),
        ],
        axis=1,
    )


def _step(links: Rows, rows: Rows) -> Rows:
    return np.where(rows == NOWHERE, NOWHERE, links[rows])


def _hits(rows: Rows, found: list[tuple[Rows, Floats]], rarity: Floats) -> _Hits:
    counts = np.zeros((len(rows) + 1, len(found)), np.float32)
    for term, (theirs, their_counts) in enumerate(found):
        _, here, there = np.intersect1d(rows, theirs, assume_unique=True, return_indices=True)
        counts[here, term] = their_counts[there]
    return _Hits(rows, counts, rarity)


def _lexical(
    index: ScopeIndex,
    question: Question,
    rows: Rows,
    around: Rows,
    hits: _Hits,
    bm25: Floats,
) -> dict[str, Floats]:
    traits = _Traits(index, rows, around)
    padded = np.append(bm25, np.float32(0))
    by_user = traits.of(Trait.USER) * traits.is_answered
    length = _relative_length(index, rows)
    counts = hits.counts[hits.at(rows)]
    return {
        "words": bm25[rows],
        "words_around": _pooled(index, around, hits),
        "words_after": padded[around[:, 3]],
        "words_of_user": bm25[rows] * by_user,
        "share_of_words": (counts > 0).sum(axis=1, dtype=np.float32),
        "phrases": _phrases(index, question, rows),
        "session": _best_of_session(index, rows, bm25[rows]),
        "answers_question": padded[around[:, 1]] * traits.before(Trait.ENDS_ASKING),
        "speaker": _named(index, question, rows),
        "asks": traits.of(Trait.ASKS),
        "first_person": traits.of(Trait.FIRST_PERSON),
        "by_user": by_user,
        "opens_session": by_user * (around[:, 1] == NOWHERE),
        "length": length,
        "length_by_user": length * by_user,
        "preference": traits.of(Trait.PREFERENCE),
        "instruction": traits.of(Trait.INSTRUCTION),
        "time": traits.of(Trait.TIME) * question.asks_when,
        "period": _near_period(index, question, rows),
        "amount": traits.of(Trait.NUMBER) * question.asks_how_many,
        "denial": traits.of(Trait.DENIAL) * question.asks_whether,
    }


@dataclass(frozen=True, slots=True)
class _Traits:
    index: ScopeIndex
    rows: Rows
    around: Rows

    def of(self, trait: Trait) -> Floats:
        return self._of(self.rows, trait)

    def before(self, trait: Trait) -> Floats:
        return self._of(self.around[:, 1], trait)

    @property
    def is_answered(self) -> Floats:
        """Whether an assistant spoke next: people who talk with each other have none."""
        return self._of(self.around[:, 3], Trait.ASSISTANT)

    def _of(self, rows: Rows, trait: Trait) -> Floats:
        traits = np.where(rows == NOWHERE, 0, self.index.traits.values[rows])
        return ((traits & trait) > 0).astype(np.float32)


def _pooled(index: ScopeIndex, around: Rows, hits: _Hits) -> Floats:
    """BM25 of each candidate and the two turns on either side, read as one text."""
    counts = hits.counts[hits.at(around)].sum(axis=1)
    lengths = index.lengths.values
    here = around != NOWHERE
    length = np.where(here, lengths[around], 0).sum(axis=1)
    room = _K1 * (1 - _B + _B * length / (max(float(lengths.mean()), 1.0) * around.shape[1]))
    pooled: Floats = (counts * (_K1 + 1) / (counts + room[:, np.newaxis])) @ hits.rarity
    return pooled


def _phrases(index: ScopeIndex, question: Question, rows: Rows) -> Floats:
    """How many of the question's phrases each row holds, by their rarity."""
    held = np.zeros(len(rows), np.float32)
    for number in question.phrases:
        theirs, _ = index.postings.of_term(number)
        _, here, _ = np.intersect1d(rows, theirs, assume_unique=True, return_indices=True)
        held[here] += _rarity(len(index), len(theirs))
    return held


def _best_of_session(index: ScopeIndex, rows: Rows, values: Floats) -> Floats:
    """The highest value that a candidate of the same session has."""
    _, session = np.unique(index.sessions.values[rows], return_inverse=True)
    best = np.full(int(session.max()) + 1, -np.inf, np.float32)
    np.maximum.at(best, session, values)
    return best[session]


def _named(index: ScopeIndex, question: Question, rows: Rows) -> Floats:
    """1: the question names who says it; -1: it names another; 0: it names nobody who speaks."""
    speakers = index.speakers.values[rows]
    has_name = speakers != 0
    is_named = has_name & np.isin(speakers, question.numbers)
    if not is_named.any():
        return np.zeros(len(rows), np.float32)
    return np.where(is_named, 1, np.where(has_name, -1, 0)).astype(np.float32)


def _near_period(index: ScopeIndex, question: Question, rows: Rows) -> Floats:
    """1 for what was said within the time that the question names; less, the longer after it."""
    if question.period is None:
        return np.zeros(len(rows), np.float32)
    start, end = (minute_of(at) for at in (question.period.start, question.period.end))
    minutes = index.minutes.values[rows]
    weeks_late = np.maximum(minutes - end, 0) / _MINUTES_OF_A_WEEK
    return np.where(minutes < start, 0, 1 / (1 + weeks_late)).astype(np.float32)


def _relative_length(index: ScopeIndex, rows: Rows) -> Floats:
    """How much longer a turn is than others of its role, on a logarithmic scale."""
    lengths = np.log1p(index.lengths.values, dtype=np.float32)
    by_user = (index.traits.values & Trait.USER) > 0
    means = [lengths[by_user == role].mean() if (by_user == role).any() else 0 for role in (0, 1)]
    return lengths[rows] - np.where(by_user[rows], means[1], means[0]).astype(np.float32)


def _dense(
    index: ScopeIndex, query: Floats, rows: Rows, around: Rows, cosines: Floats
) -> dict[str, Floats]:
    by_user = _Traits(index, rows, around).of(Trait.USER)
    known = np.nan_to_num(cosines[rows], nan=_mean(cosines[rows]))
    window = _window_cosines(index, query, around[:, 1:4])
    return {
        "meaning": known,
        "meaning_around": window,
        "meaning_by_user": known * by_user,
        "meaning_of_session": _best_of_session(index, rows, window),
    }


def _mean(values: Floats) -> float:
    return float(np.nanmean(values)) if np.isfinite(values).any() else 0.0


def _window_cosines(index: ScopeIndex, query: Floats, windows: Rows) -> Floats:
    """Of the query with the sum of the vectors of each window."""
    units = index.vectors.unit_rows(windows.ravel()).reshape(*windows.shape, -1)
    sums = units.sum(axis=1)
    lengths = np.maximum(np.linalg.norm(sums, axis=1), 1e-6)
    cosines: Floats = (sums @ query) / lengths
    return cosines


def _scaled(values: Floats) -> Floats:
    deviation = float(values.std())
    if deviation < 1e-6:
        return np.zeros(len(values), np.float32)
    return ((values - values.mean()) / deviation).astype(np.float32)
