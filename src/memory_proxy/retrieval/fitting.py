"""Learns the weights from labelled questions: which of the candidates held the answer.

A question is a choice among its candidates; the weights make the right ones likely (a conditional
logit: McFadden 1974, or the listwise loss of Cao et al., ICML 2007), held small by an L2 penalty.
The problem is convex, has some twenty unknowns, and is solved by Newton's method.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

STRENGTH: Final = 0.03
"""The inverse of the L2 penalty, as a corpus weighs 100; chosen by cross-validation."""
_CORPUS_WEIGHT: Final = 100.0
_ASSISTANT_FACTOR: Final = 1.5  # what the product mostly sees
_STEPS: Final = 50
_CLOSE_ENOUGH: Final = 1e-7


@dataclass(frozen=True, slots=True)
class Example:
    """A question and its candidates. `relevant` marks those that hold the answer, of which there
    are `wanted`, found or not.

    Questions of one `owner` stay together in cross-validation; each `collection` weighs the same,
    and one of people who talk with an assistant half as much again.
    """

    owner: str
    collection: str
    is_with_assistant: bool
    features: Array
    relevant: NDArray[np.bool_]
    wanted: int


@dataclass(frozen=True, slots=True)
class GateExample:
    """What the gate saw of a question, and whether it was about this memory."""

    owner: str
    collection: str
    evidence: tuple[float, ...]
    is_own: bool


def fit(examples: Sequence[Example], *, strength: float = STRENGTH) -> Array:
    """A weight for each column of the features."""
    choices = list(_choices(examples))
    weights = np.zeros(examples[0].features.shape[1])
    loss = _loss(weights, choices, strength)
    for _ in range(_STEPS):
        step = _newton_step(weights, choices, strength)
        while (nearer := _loss(weights - step, choices, strength)) > loss and np.any(step):
            step = step / 2
        gain, loss, weights = loss - nearer, nearer, weights - step
        if gain <= _CLOSE_ENOUGH * loss:
            break
    return weights


def cross_validated(
    examples: Sequence[Example], *, strength: float = STRENGTH
) -> Iterator[tuple[Example, Array]]:
    """Every example with the scores of its candidates, by weights that saw nothing of its owner."""
    for owner in sorted({example.owner for example in examples}):
        weights = fit([each for each in examples if each.owner != owner], strength=strength)
        yield from ((each, each.features @ weights) for each in examples if each.owner == owner)


def fit_gate(examples: Sequence[GateExample], *, kept: float) -> Array:
    """A weight for each piece of evidence, then the bias: of each collection's own questions the
    share `kept` is above 0.

    Logistic regression, each collection and each side of it weighing the same.
    """
    evidence = np.array([example.evidence for example in examples])
    scale = evidence.std(axis=0) + 1e-9
    columns = np.column_stack([evidence / scale, np.ones(len(evidence))])
    own = np.array([example.is_own for example in examples])
    sides = Counter((example.collection, example.is_own) for example in examples)
    shares = np.array([_CORPUS_WEIGHT / sides[each.collection, each.is_own] for each in examples])
    weights = np.zeros(columns.shape[1])
    penalty = np.diag([1.0] * len(scale) + [1e-6])
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-columns @ weights))
        slope = columns.T @ (shares * (likely - own)) + penalty @ weights
        bend = (columns.T * (shares * likely * (1 - likely))) @ columns + penalty
        weights -= np.linalg.solve(bend, slope)
    weights[:-1] /= scale
    sums = evidence @ weights[:-1]
    weights[-1] = -min(
        np.quantile(sums[[e.is_own and e.collection == name for e in examples]], 1 - kept)
        for name in {example.collection for example in examples}
    )
    return weights


@dataclass(frozen=True, slots=True)
class _Choice:
    features: Array
    target: Array  # a distribution over the candidates
    weight: float


def _choices(examples: Sequence[Example]) -> Iterator[_Choice]:
    questions = Counter(example.collection for example in examples)
    for example in examples:
        if example.relevant.any():
            factor = _ASSISTANT_FACTOR if example.is_with_assistant else 1.0
            weight = _CORPUS_WEIGHT * factor / questions[example.collection]
            target = example.relevant / example.relevant.sum()
            yield _Choice(example.features.astype(float), target, weight)


def _loss(weights: Array, choices: Iterable[_Choice], strength: float) -> float:
    loss = weights @ weights / (2 * strength)
    for choice in choices:
        scores = choice.features @ weights
        highest = scores.max()
        normaliser = highest + np.log(np.exp(scores - highest).sum())
        loss += choice.weight * (normaliser - choice.target @ scores)
    return float(loss)


def _newton_step(weights: Array, choices: Iterable[_Choice], strength: float) -> Array:
    slope = weights / strength
    bend = np.eye(len(weights)) / strength
    for choice in choices:
        likely = _softmax(choice.features @ weights)
        mean = choice.features.T @ likely
        slope = slope + choice.weight * (mean - choice.features.T @ choice.target)
        spread = (choice.features.T * likely) @ choice.features - np.outer(mean, mean)
        bend = bend + choice.weight * spread
    return np.asarray(np.linalg.solve(bend, slope), np.float64)


def _softmax(scores: Array) -> Array:
    exponents = np.exp(scores - scores.max())
    likely: Array = exponents / exponents.sum()
    return likely
