"""The numbers that were learnt: how much each feature counts, and when nothing is relevant.

They come from `memory-proxy bench fit`; docs/architecture/RANKING.md
says how, and how well they do.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

import msgspec

FILE: Final = "weights.json"


class Gate(msgspec.Struct, frozen=True):
    """Lets a question pass whose sum is above 0. `meaning` None: vectors are not looked at.

    Cosines of two embedders do not compare, so a gate that looks at them is one embedder's.
    """

    bias: float
    best_turn: float
    known_terms: float
    meaning: float | None = None


class WeightSet(msgspec.Struct, frozen=True):
    """`gates` by the name of an embedder; the one named "" serves all others."""

    features: Mapping[str, float]
    gates: Mapping[str, Gate]

    def gate_for(self, embedder: str) -> Gate:
        """An embedder's id begins with its name and goes on after a colon."""
        return self.gates.get(embedder.partition(":")[0], self.gates[""])


class Weights(msgspec.Struct, frozen=True):
    lexical: WeightSet
    with_vectors: WeightSet


def shipped_weights() -> Weights:
    content = files("memory_proxy.retrieval").joinpath(FILE).read_bytes()
    return msgspec.json.decode(content, type=Weights)
