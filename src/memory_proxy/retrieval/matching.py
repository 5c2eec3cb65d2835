"""From a question and an index to the rows that answer it, best first."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.retrieval.features import Candidates, candidates
from memory_proxy.retrieval.index import ScopeIndex
from memory_proxy.retrieval.postings import Rows
from memory_proxy.retrieval.questions import Question
from memory_proxy.retrieval.traits import Trait
from memory_proxy.retrieval.weights import Gate, Weights, WeightSet

_FAR_BEHIND: Final = 5.0
"""A turn that the weights hold e^5 times less likely than the best one only costs tokens."""
_SHOWN_REASONS: Final = 3
_LEAST_REASON: Final = 0.15
_MEANS: Final = "means something like it"
_SESSION: Final = "stands in a conversation about it"
_AROUND: Final = "stands next to what answers"
_REASONS: Final = {
    "words": "", "words_of_user": "", "share_of_words": "", "phrases": "",
    "words_around": _AROUND, "words_after": _AROUND,
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
    instructions = np.flatnonzero(index.traits.values & Trait.INSTRUCTION)[::-1]
    found = candidates(index, question)
    if found is None:
        return Match(instructions=_hits(index, instructions, np.zeros(len(instructions))))
    weight_set = weights.lexical if question.vector is None else weights.with_vectors
    scores = _scores(found, weight_set)
    order = np.argsort(-scores, kind="stable")
    near = order[scores[order] >= scores.max() - _FAR_BEHIND]
    return Match(
        tuple(
            Hit(int(index.numbers.values[found.rows[at]]), float(scores[at]), reasons)
            for at, reasons in zip(near.tolist(), _reasons(found, question, weight_set, near), strict=True)
        ),
        _hits(index, *_likeliest_first(instructions, found.rows, scores)),
        _confidence(found, weight_set.gate_for(embedder)),
        len(found.rows),
    )


def _scores(found: Candidates, weight_set: WeightSet) -> NDArray[np.float64]:
    scores = np.zeros(len(found.rows))
    for name, values in found.features.items():
        scores += weight_set.features.get(name, 0.0) * values
    return scores


def _confidence(found: Candidates, gate: Gate) -> float:
    total = gate.bias + gate.best_turn * found.best_turn + gate.known_terms * found.known_terms
    if gate.meaning is not None:
        total += gate.meaning * found.best_meaning
    return float(1 / (1 + np.exp(-total)))


def _likeliest_first(
    instructions: Rows, rows: Rows, scores: NDArray[np.float64]
) -> tuple[Rows, NDArray[np.float64]]:
    """Newest first where nothing else is known."""
    by_row = dict(zip(rows.tolist(), scores.tolist(), strict=True))
    lowest = float(scores.min())
    theirs = np.array([by_row.get(row, lowest) for row in instructions.tolist()])
    order = np.argsort(-theirs, kind="stable")
    return instructions[order], theirs[order]


def _hits(index: ScopeIndex, rows: Rows, scores: NDArray[np.float64]) -> tuple[Hit, ...]:
    numbers = index.numbers.values[rows].tolist()
    return tuple(
        Hit(number, score, ("you asked for it once and for all",))
        for number, score in zip(numbers, scores.tolist(), strict=True)
    )


def _reasons(
    found: Candidates, question: Question, weight_set: WeightSet, chosen: Rows
) -> list[tuple[str, ...]]:
    """Of each of the `chosen` candidates what raised its score the most."""
    names = [name for name in _REASONS if name in found.features]
    parts = np.stack(
        [weight_set.features.get(name, 0.0) * found.features[name][chosen] for name in names]
    )
    groups = list(dict.fromkeys(_REASONS[name] for name in names))
    sums = np.stack(
        [parts[[_REASONS[name] == group for name in names]].sum(axis=0) for group in groups]
    )
    reasons: list[tuple[str, ...]] = []
    for at, own in zip(chosen.tolist(), sums.T, strict=True):
        best = [n for n in np.argsort(-own)[:_SHOWN_REASONS].tolist() if own[n] >= _LEAST_REASON]
        said = (groups[n] or _shared(question, found.known[at]) for n in best)
        reasons.append(tuple(reason for reason in said if reason))
    return reasons


def _shared(question: Question, known: NDArray[np.bool_]) -> str:
    words = [word for word, is_known in zip(question.words, known.tolist(), strict=True) if is_known]
    return f"says {', '.join(words[:5])}" if words else ""
