"""One ranker for every store: orders candidate turns by how much of the question they hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import log

from memory_proxy.core.types import Turn
from memory_proxy.stores.base import Candidates

# BM25's usual constants (Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009).
_K1 = 1.2
_B = 0.75
_LEAST_COVERAGE = 0.25
"""Below this share of the question's weight a turn is about something else: nothing is better."""
_A_QUESTION = 0.85  # asking is not telling: an earlier question seldom holds the answer


@dataclass(frozen=True, slots=True)
class Scored:
    """`coverage` is the share of the question's weight, by rarity, that the turn holds: 0 to 1."""

    turn: Turn
    score: float
    coverage: float


def rank(candidates: Candidates, terms: Sequence[str]) -> list[Scored]:
    """The relevant turns, best first; of equal ones the newer first."""
    weights = {term: _rarity(candidates, term) for term in terms}
    total = sum(weights.values())
    if total <= 0:
        return []
    scored = [_score(turn, weights, total, candidates.mean_length) for turn in candidates.turns]
    relevant = [one for one in scored if one.coverage >= _LEAST_COVERAGE]
    return sorted(relevant, key=lambda one: (one.score, one.turn.at), reverse=True)


def _score(turn: Turn, weights: dict[str, float], total: float, mean_length: float) -> Scored:
    held = Counter(term for term in turn.terms if term in weights)
    norm = _K1 * (1 - _B + _B * len(turn.terms) / max(mean_length, 1.0))
    score = sum(weights[term] * n * (_K1 + 1) / (n + norm) for term, n in held.items())
    coverage = sum(weights[term] for term in held) / total
    return Scored(turn, score * _trust(turn), coverage)


def _trust(turn: Turn) -> float:
    return _A_QUESTION if turn.message.text.rstrip().endswith("?") else 1.0


def _rarity(candidates: Candidates, term: str) -> float:
    """BM25's inverse document frequency, in the form that is never negative."""
    n = candidates.frequency.get(term, 0)
    return log(1 + (candidates.turn_count - n + 0.5) / (n + 0.5))
