"""The contract of what turns texts into vectors. `tests/embedding/contract.py` is its executable
form."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
"""One row a text, each of length 1 (or 0, for a text with nothing in it)."""


class Embedder(ABC):
    """Turns texts into vectors whose dot product says how alike they are in meaning.

    Used as an async context manager: entering opens what it needs, leaving frees it. Both raise
    EmbeddingError, and nothing else.
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
        """The length of a vector; 0 until an embedder elsewhere has answered once."""

    @abstractmethod
    async def embed(self, texts: Sequence[str]) -> Vectors:
        """One row a text, in their order; no work of a millisecond is done on the event loop.

        Raises EmbeddingError.
        """
