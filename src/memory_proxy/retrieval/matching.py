"""From a question and an index to the rows that answer it, best first."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.retrieval.candidates import Candidates, candidates
from memory_proxy.retrieval.features import Features, features
from memory_proxy.retrieval.index import ScopeIndex
from memory_proxy.retrieval.postings import Rows
from memory_proxy.retrieval.questions import Question
from memory_proxy.retrieval.traits import Trait
from memory_proxy.retrieval.weights import Gate, Weights, WeightSet

_FAR_BEHIND: Final = 5.0
"""A turn that the weights hold e^5 times less likely than the best one only costs tokens."""
_MOST_HITS: Final = 60
_MOST_INSTRUCTIONS: Final = 200
_SHOWN_REASONS: Final = 3
_LEAST: Final = 0.15
_MEANS: Final = "means something like it"
_SESSION: Final = "stands in a conversation about it"
_AROUND: Final = "stands next to what answers"
_REASONS: Final = {
    "words": "", "words_of_user": "", "share_of_words": "", "phrases": "",
    "words_around": _AROUND, 
    "answers_question": "follows a question like it",
    "session": _SESSION, "meaning_of_session": _SESSION,
    "meaning": _MEANS, "meaning_around": _MEANS, "meaning_by_user": _MEANS,
    "speaker": "said by whom you name",
    "period": "said at the time you name",
    "time": "says when",
    "amount": "says how many",
    "denial": "says whether",
    "first_person": "about the speaker", "by_user": "your own words",
    "opens_session": "opened a conversation",
    "preference": "says what you prefer",
    "instruction": "says how you want it",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hit:
    """A turn by the store's number for it; `reasons` are the strongest, in words."""

    number: int
    score: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Match:
    """`hits` best first; `instructions` are turns that tell how answers should be, the likeliest
    to apply first. `confidence`, from 0 to 1, says how surely the memory has anything to do with
    the question: below a half it has not. `considered` counts the turns that were looked at."""

    hits: tuple[Hit, ...] = ()
    instructions: tuple[Hit, ...] = ()
    confidence: float = 0.0
    considered: int = 0


def match(index: ScopeIndex, question: Question, weights: Weights, *, embedder: str) -> Match:
    """Blocks for some milliseconds; `embedder` is the id of the one that the vectors are by."""
    chosen = candidates(index, question)
    if not len(chosen.rows):
        return Match(instructions=_instructions(index, chosen.rows, np.zeros(0)))
    weight_set = weights.with_vectors if chosen.has_meaning else weights.lexical
    found = features(chosen)
    scores = _scores(found, weight_set)
    order = np.lexsort((-chosen.rows, -scores))  # of equal ones the newer first
    near = order[chosen.apt()[order] & (scores[order] >= scores.max() - _FAR_BEHIND)][:_MOST_HITS]
    reasons = _reasons(chosen, found, weight_set, near)
    return Match(
        tuple(
            Hit(int(index.numbers.values[chosen.rows[at]]), float(scores[at]), why)
            for at, why in zip(near.tolist(), reasons, strict=True)
        ),
        _instructions(index, chosen.rows, scores),
        _confidence(chosen, weight_set.gate_for(embedder)),
        len(chosen.rows),
    )


def _scores(found: Features, weight_set: WeightSet) -> NDArray[np.float64]:
    parts = [weight_set.features[name] * values for name, values in found.items()]
    return np.asarray(np.sum(parts, axis=0), np.float64)


def gate_evidence(chosen: Candidates) -> tuple[float, float, float]:
    """What tells whether the memory has anything to do with the question: the greatest share of its
    terms that one turn holds, the share that any turn holds, and the highest cosine."""
    held = chosen.terms.counts(chosen.rows) > 0
    best_turn = float(held.mean(axis=1).max()) if held.size else 0.0
    return best_turn, chosen.known_terms, chosen.best_meaning


def _confidence(chosen: Candidates, gate: Gate) -> float:
    best_turn, known_terms, meaning = gate_evidence(chosen)
    total = gate.bias + gate.best_turn * best_turn + gate.known_terms * known_terms
    total += (gate.meaning or 0.0) * meaning
    return float(1 / (1 + np.exp(-total)))


def _instructions(index: ScopeIndex, rows: Rows, scores: NDArray[np.float64]) -> tuple[Hit, ...]:
    """The likeliest to apply first; where nothing tells, the newest."""
    has_one = (index.traits.values & Trait.INSTRUCTION) > 0
    known = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    lowest = min(known.values(), default=0.0)
    newest_first = np.flatnonzero(has_one)[: -_MOST_INSTRUCTIONS - 1 : -1].tolist()
    scored = [(known.get(row, lowest), row) for row in newest_first]
    return tuple(
        Hit(int(index.numbers.values[row]), score, ("you asked for it once and for all",))
        for score, row in sorted(scored, reverse=True)
    )


def _reasons(
    chosen: Candidates, found: Features, weight_set: WeightSet, near: Rows
) -> Iterator[tuple[str, ...]]:
    """Of each candidate at `near` what raised its score the most."""
    raised: dict[str, NDArray[np.float32]] = {}
    for name, reason in _REASONS.items():
        if name in found:
            part = weight_set.features[name] * found[name][near]
            raised[reason] = raised.get(reason, 0) + part
    for place, row in enumerate(near.tolist()):
        by_reason = {reason: float(values[place]) for reason, values in raised.items()}
        best = sorted(by_reason, key=by_reason.__getitem__, reverse=True)[:_SHOWN_REASONS]
        said = (reason or _shared(chosen, row) for reason in best if by_reason[reason] >= _LEAST)
        yield tuple(filter(None, said))


def _shared(chosen: Candidates, candidate: int) -> str:
    known = chosen.terms.counts(chosen.rows[candidate : candidate + 1])[0] > 0
    words = [word for word, is_known in zip(chosen.question.words, known, strict=True) if is_known]
    return f"says {', '.join(words[:5])}" if words else ""
