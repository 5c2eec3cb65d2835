"""Learns the ranker's weights from labelled conversations, and says how good they would be for an
owner that they have not seen."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from memory_proxy.bench.corpus import Corpus
from memory_proxy.bench.figures import Figure, mean_of
from memory_proxy.bench.ingest import Cost, own_scopes, remember
from memory_proxy.bench.lessons import Lessons, lessons_of
from memory_proxy.bench.memory import Say, open_memory
from memory_proxy.bench.places import StorePlace
from memory_proxy.core.errors import ConfigurationError
from memory_proxy.retrieval.fitting import (
    Array,
    Example,
    GateExample,
    cross_validated,
    fit,
    fit_gate,
)
from memory_proxy.retrieval.weights import Gate, Weights, WeightSet, shipped_weights

_KEPT = 0.97
"""The share of every collection's own questions that the gate is to let through."""
_RANKS = (1, 5, 10)
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Fold:
    """One owner's questions, by weights and a gate that were learnt from the others'; or those of a
    whole collection."""

    name: str
    t_recall: Mapping[str, Figure | None]
    kept: Figure | None
    rejected: Figure | None


@dataclass(frozen=True, slots=True)
class FitReport:
    """Folds by words alone, and with vectors: none without an embedder, for then the weights that
    go with vectors stay as they are."""

    embedder: str | None
    by_words: Sequence[Fold]
    with_vectors: Sequence[Fold]
    weights: Weights


async def fit_weights(
    corpora: Sequence[Corpus], embedder: str, *, say: Say = lambda _: None
) -> FitReport:
    """Raises ConfigurationError, StoreError and EmbeddingError."""
    if len({corpus.path for corpus in corpora}) < 2:
        raise ConfigurationError("to learn from one file and try it on another takes two files")
    place = StorePlace("memory://")
    async with (
        open_memory(place, embedder) as memory,
        own_scopes(corpora, place, memory.store) as scopes,
    ):
        say(f"storing {sum(len(corpus.turns) for corpus in corpora)} turns")
        owners = await remember(scopes, memory.store, Cost())
        await memory.embedded(say)
        say("learning by words")
        words = await lessons_of(owners, memory, by_meaning=False)
        meanings = None
        if memory.queries:
            say("learning with vectors")
            meanings = await lessons_of(owners, memory, by_meaning=True)
        return FitReport(
            memory.embedder,
            list(_folds(words)),
            list(_folds(meanings)) if meanings else [],
            _weights(words, meanings, memory.embedder or ""),
        )


def written_weights(weights: Weights) -> bytes:
    """As the file that is shipped."""
    return msgspec.json.format(msgspec.json.encode(weights), indent=1) + b"\n"


def _weights(words: Lessons, meanings: Lessons | None, embedder: str) -> Weights:
    by_words = _gate(fit_gate(words.gate, kept=_KEPT))
    lexical = WeightSet(_features(words), {"": by_words})
    if meanings is None:
        shipped = shipped_weights().with_vectors
        gates = {**shipped.gates, "": by_words}
        return Weights(lexical, msgspec.structs.replace(shipped, gates=gates))
    name = embedder.partition(":")[0]
    gates = {"": by_words, name: _gate(fit_gate(meanings.gate, kept=_KEPT))}
    return Weights(lexical, WeightSet(_features(meanings), gates))


def _features(lessons: Lessons) -> dict[str, float]:
    weights: list[float] = fit(lessons.examples).tolist()
    return {name: round(one, _DIGITS) for name, one in zip(lessons.columns, weights, strict=True)}


def _gate(learnt: Array) -> Gate:
    *evidence, bias = (round(float(one), _DIGITS) for one in learnt)
    return Gate(bias, *evidence)


@dataclass(frozen=True, slots=True)
class _Tried:
    """A question, ranked by weights that saw nothing of its owner."""

    example: Example
    t_recall: Mapping[int, float]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A question, and whether a gate that saw nothing of its owner let it pass."""

    example: GateExample
    passed: bool


def _folds(lessons: Lessons) -> Iterator[Fold]:
    """One for each owner, then one for each collection."""
    tried, judged = list(_tried(lessons)), list(_judged(lessons))
    for owner in dict.fromkeys(each.example.owner for each in judged):
        yield _fold(
            Path(owner).stem,
            [each for each in tried if each.example.owner == owner],
            [each for each in judged if each.example.owner == owner],
        )
    for collection in dict.fromkeys(each.example.collection for each in judged):
        yield _fold(
            f"all of {collection}",
            [each for each in tried if each.example.collection == collection],
            [each for each in judged if each.example.collection == collection],
        )


def _fold(name: str, tried: Sequence[_Tried], judged: Sequence[_Judged]) -> Fold:
    return Fold(
        name,
        {f"t_R@{k}": mean_of([each.t_recall[k] for each in tried]) for k in _RANKS},
        mean_of([float(each.passed) for each in judged if each.example.is_own]),
        mean_of([float(not each.passed) for each in judged if not each.example.is_own]),
    )


def _tried(lessons: Lessons) -> Iterator[_Tried]:
    for example, scores in cross_validated(lessons.examples):
        ranked = example.relevant[np.argsort(-scores, kind="stable")]
        yield _Tried(example, {k: float(ranked[:k].sum()) / example.wanted for k in _RANKS})


def _judged(lessons: Lessons) -> Iterator[_Judged]:
    for owner in dict.fromkeys(example.owner for example in lessons.gate):
        others = [example for example in lessons.gate if example.owner != owner]
        *weights, bias = fit_gate(others, kept=_KEPT).tolist()
        for example in lessons.gate:
            if example.owner == owner:
                total = float(np.dot(example.evidence, weights)) + bias
                yield _Judged(example, total > 0)
