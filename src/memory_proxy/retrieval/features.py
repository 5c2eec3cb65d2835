"""What speaks for each candidate as an answer, in numbers.

Each feature is brought to mean 0 and deviation 1 among the candidates of one question, so that a
weight means the same in a memory of ten turns and in one of a hundred thousand.
"""

from typing import Final

import numpy as np

from memory_proxy.retrieval.candidates import (
    Candidates,
    Floats,
    in_both,
    nearness,
    rarity,
    saturated,
)
from memory_proxy.retrieval.index import NOWHERE
from memory_proxy.retrieval.postings import Rows
from memory_proxy.retrieval.traits import Trait

LEXICAL: Final = (
    "words", "words_around", "words_of_user", "share_of_words", "phrases", "session",
    "answers_question", "speaker", "asks", "first_person", "by_user", "opens_session", "length",
    "length_by_user", "preference", "instruction", "time", "period", "amount", "denial",
)  # fmt: skip
DENSE: Final = ("meaning", "meaning_around", "meaning_by_user", "meaning_of_session")

Features = dict[str, Floats]


def features(chosen: Candidates) -> Features:
    """By name: LEXICAL, and DENSE where vectors could be compared."""
    found = _lexical(chosen)
    if chosen.has_meaning:
        found |= _dense(chosen)
    return {name: _scaled(values) for name, values in found.items()}


def _lexical(chosen: Candidates) -> Features:
    words = chosen.bm25[chosen.rows]
    before = chosen.around[:, 1]
    by_user = _answered_user(chosen)
    length = _length_for_its_role(chosen)
    asks = chosen.question
    return {
        "words": words,
        "words_around": _words_around(chosen),
        "words_of_user": words * by_user,
        "share_of_words": (chosen.terms.counts(chosen.rows) > 0).sum(axis=1, dtype=np.float32),
        "phrases": _phrases(chosen),
        "session": _best_of_session(chosen, words),
        "answers_question": chosen.bm25_at(before) * chosen.traits(Trait.ENDS_ASKING, of=before),
        "speaker": _is_named(chosen),
        "asks": chosen.traits(Trait.ASKS),
        "first_person": chosen.traits(Trait.FIRST_PERSON),
        "by_user": by_user,
        "opens_session": by_user * (before == NOWHERE),
        "length": length,
        "length_by_user": length * by_user,
        "preference": chosen.traits(Trait.PREFERENCE),
        "instruction": chosen.traits(Trait.INSTRUCTION),
        "time": chosen.traits(Trait.TIME) * asks.asks_when,
        "period": nearness(chosen.index, chosen.question, chosen.rows),
        "amount": chosen.traits(Trait.NUMBER) * asks.asks_how_many,
        "denial": chosen.traits(Trait.DENIAL) * asks.asks_whether,
    }


def _dense(chosen: Candidates) -> Features:
    cosines = chosen.cosines[chosen.rows]
    # What has no vector yet is taken to be like the others.
    usual = float(np.nanmean(cosines)) if np.isfinite(cosines).any() else 0.0
    meaning = np.nan_to_num(cosines, nan=usual)
    around = _meaning_around(chosen)
    return {
        "meaning": meaning,
        "meaning_around": around,
        "meaning_by_user": meaning * chosen.traits(Trait.USER),
        "meaning_of_session": _best_of_session(chosen, around),
    }


def _answered_user(chosen: Candidates) -> Floats:
    """A user's turn that an assistant answers: people who talk with each other have none."""
    after = chosen.around[:, 3]
    return chosen.traits(Trait.USER) * chosen.traits(Trait.ASSISTANT, of=after)


def _words_around(chosen: Candidates) -> Floats:
    """BM25 of each candidate and the two turns on either side, read as one text."""
    around = chosen.around
    rows = np.unique(around[around != NOWHERE])
    counts = np.vstack([chosen.terms.counts(rows), np.zeros(len(chosen.terms.found))])
    places = np.where(around == NOWHERE, len(rows), np.searchsorted(rows, around))
    lengths = np.where(around == NOWHERE, 0, chosen.index.relative_lengths()[around])
    mean = lengths.sum(axis=1, keepdims=True, dtype=np.float32) / around.shape[1]
    return np.asarray(saturated(counts[places].sum(axis=1), mean) @ chosen.terms.rarity)


def _phrases(chosen: Candidates) -> Floats:
    """How many of the question's phrases each candidate holds, by their rarity."""
    held = np.zeros(len(chosen.rows), np.float32)
    for number in chosen.question.phrases:
        theirs, _ = chosen.index.postings.of_term(number)
        here, _ = in_both(chosen.rows, theirs)
        held[here] += rarity(len(chosen.index), len(theirs))
    return held


def _best_of_session(chosen: Candidates, values: Floats) -> Floats:
    """The highest value that a candidate of the same session has."""
    sessions = chosen.index.sessions.values[chosen.rows]
    _, session = np.unique(sessions, return_inverse=True)
    best = np.full(len(chosen.rows), -np.inf, np.float32)
    np.maximum.at(best, session, values)
    return best[session]


def _is_named(chosen: Candidates) -> Floats:
    """1: the question names who says it; -1: it names another; 0: it names nobody who speaks."""
    speakers = chosen.index.speakers.values[chosen.rows]
    is_named = (speakers != 0) & np.isin(speakers, chosen.question.numbers)
    if not is_named.any():
        return np.zeros(len(speakers), np.float32)
    return np.where(is_named, 1, np.where(speakers != 0, -1, 0)).astype(np.float32)


def _length_for_its_role(chosen: Candidates) -> Floats:
    """How much longer a turn is than others of its role, on a logarithmic scale."""
    index = chosen.index
    lengths = np.log1p(index.lengths.values, dtype=np.float32)
    by_user = (index.traits.values & Trait.USER) > 0
    means = [_mean(lengths[~by_user]), _mean(lengths[by_user])]
    usual = np.array(means, np.float32)[by_user[chosen.rows].astype(int)]
    return np.asarray(lengths[chosen.rows] - usual)


def _meaning_around(chosen: Candidates) -> Floats:
    """The cosine of the question with the sum of a candidate's vector and its neighbours'."""
    assert chosen.question.vector is not None
    window: Rows = chosen.around[:, 1:4]
    units = chosen.index.vectors.unit_rows(window.ravel()).reshape(*window.shape, -1)
    sums = units.sum(axis=1)
    lengths = np.maximum(np.linalg.norm(sums, axis=1), np.float32(1e-6))
    return np.asarray((sums @ chosen.question.vector) / lengths)


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _scaled(values: Floats) -> Floats:
    deviation = float(values.std())
    if deviation < 1e-6:
        return np.zeros(len(values), np.float32)
    return np.asarray((values - values.mean()) / deviation, np.float32)
