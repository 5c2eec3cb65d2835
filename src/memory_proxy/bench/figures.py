"""How well a ranking finds the evidence of a question; every figure lies between 0 and 1."""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

_RESAMPLES: Final = 500


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean over `count` questions, with the interval that holds it in 95 of 100 resamples."""

    value: float
    low: float
    high: float
    count: int


def recall_at(k: int, ranked: Sequence[str], wanted: Collection[str]) -> float:
    """The share of `wanted` among the first `k`."""
    return len(set(wanted).intersection(ranked[:k])) / len(set(wanted))


def any_at(k: int, ranked: Sequence[str], wanted: Collection[str]) -> float:
    return float(not set(wanted).isdisjoint(ranked[:k]))


def all_at(k: int, ranked: Sequence[str], wanted: Collection[str]) -> float:
    return float(set(wanted) <= set(ranked[:k]))


def ndcg_at(k: int, ranked: Sequence[str], wanted: Collection[str]) -> float:
    """Normalised discounted cumulative gain: the ideal has all of `wanted` first, found or not.

    Jarvelin and Kekalainen, ACM TOIS 2002, with gain 1 for what is wanted.
    """
    gain = sum(_discount(rank) for rank, each in enumerate(ranked[:k]) if each in set(wanted))
    return gain / sum(_discount(rank) for rank in range(min(k, len(set(wanted)))))


def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 2)


def reciprocal_rank(ranked: Sequence[str], wanted: Collection[str]) -> float:
    return next((1 / rank for rank, each in enumerate(ranked, 1) if each in wanted), 0.0)


def mean_of(values: Sequence[float]) -> Figure | None:
    """The mean with its bootstrap interval (Efron 1979, percentiles); None for no values."""
    if not values:
        return None
    mean = sum(values) / len(values)
    if len(set(values)) == 1:
        return Figure(mean, mean, mean, len(values))
    chance = random.Random(len(values))
    means = sorted(
        sum(chance.choices(values, k=len(values))) / len(values) for _ in range(_RESAMPLES)
    )
    return Figure(mean, percentile(means, 0.025), percentile(means, 0.975), len(values))


def percentile(ordered: Sequence[float], share: float) -> float:
    """The value below which `share` of `ordered` (ascending, not empty) lies."""
    return ordered[min(len(ordered) - 1, math.floor(share * len(ordered)))]


def area_under_curve(kept: Sequence[float], rejected: Sequence[float]) -> float:
    """How often a score of `kept` is above one of `rejected`; a tie is half (Mann and Whitney)."""
    ordered = sorted(rejected)
    above = sum(bisect_left(ordered, score) + bisect_right(ordered, score) for score in kept)
    return above / 2 / (len(kept) * len(ordered))


def rejected_keeping(share: float, kept: Sequence[float], rejected: Sequence[float]) -> float:
    """The share of `rejected` below the threshold that `share` of `kept` reaches."""
    ordered = sorted(kept)
    threshold = ordered[math.floor(len(ordered) * (1 - share))]
    return sum(score < threshold for score in rejected) / len(rejected)


def spread(name: str, values_ms: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values_ms)
    return {f"{name}_p{n}_ms": percentile(ordered, n / 100) for n in (50, 99)}
