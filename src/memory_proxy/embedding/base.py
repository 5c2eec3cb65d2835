"""The contract of what turns texts into vectors. `tests/embedding/contract.py` is its executable
form."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.errors import EmbeddingError

_HEAD_CHARACTERS: Final = 2_000
Vectors = NDArray[np.float32]
"""One row a text, each of length 1, or of zeros where a text says nothing."""


class Embedder(ABC):
    """Turns texts into vectors whose dot product says how alike they are in meaning.

    Used as an async context manager: entering opens what it needs, and only then are its id and
    dimension known; leaving frees it. Every method raises EmbeddingError, and nothing else.
    """

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None

    @property
    @abstractmethod
    def id(self) -> str:
        """The model and all else that its vectors depend on. Vectors of two ids never compare."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many numbers a vector has; vectors of one id all have the same."""

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> Vectors:
        """A row for each text, in their order; no work of a millisecond is done on the event
        loop. Raises TextsRefused where other texts would have been embedded."""


def head(text: str) -> str:
    """What of a text is embedded: more would only blur what its vector says. Lone surrogates, which
    no model takes, become question marks."""
    return text[:_HEAD_CHARACTERS].encode(errors="replace").decode()


def normalised(rows: NDArray[np.float32]) -> Vectors:
    """Rows brought to length 1; those of zeros stay. Raises EmbeddingError at what is no number."""
    if not np.isfinite(rows).all():
        raise EmbeddingError("the embedder answered with something that is no number")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return unit
