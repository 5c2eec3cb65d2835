"""The vector of what is asked, in time or not at all."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.errors import EmbeddingError
from memory_proxy.embedding.guarded import GuardedEmbedder

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class QueryVector:
    """`embedder` is the id of the embedder whose vectors `numbers`, of length 1, compare with."""

    embedder: str
    numbers: NDArray[np.float32]


@dataclass(slots=True)
class QueryEmbedder:
    """Remembers the queries it was asked most recently: a client that tries again waits less."""

    embedder: GuardedEmbedder
    deadline_s: float = 0.06
    _recent: OrderedDict[str, QueryVector] = field(
        default_factory=OrderedDict[str, QueryVector], init=False
    )
    _late: bool = field(default=False, init=False)

    @property
    def trouble(self) -> str | None:
        """Why the last query got no vector; None: it did, or there was none yet."""
        if self._late:
            return f"takes longer than {self.deadline_s * 1000:.0f} ms (embedding_deadline_ms)"
        return self.embedder.trouble

    async def vector(self, text: str) -> QueryVector | None:
        """None where the embedder is not ready, fails or takes too long."""
        embedder = self.embedder.id
        if embedder is None or not text.strip():
            return None
        if text in self._recent:
            self._recent.move_to_end(text)
            return self._recent[text]
        try:
            async with asyncio.timeout(self.deadline_s):
                rows = await self.embedder.embed([text])
        except TimeoutError:
            self._late = True
            return None
        except EmbeddingError:
            return None
        self._late = False
        self._recent[text] = QueryVector(embedder, rows[0])
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return self._recent[text]
