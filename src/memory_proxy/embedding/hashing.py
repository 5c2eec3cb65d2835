"""An embedder without a model, for tests: texts that share words are alike, on every machine."""

import asyncio
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import numpy as np

from memory_proxy.embedding.base import Embedder, Vectors, head, normalised

_WORD: Final = re.compile(r"\w+")
_DIMENSION: Final = 256


class HashingEmbedder(Embedder):
    """Each word adds or takes away 1 at a place that its digest says.

    Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009.
    """

    @property
    def id(self) -> str:
        return f"hashing:{_DIMENSION}"

    @property
    def dimension(self) -> int:
        return _DIMENSION

    async def embed(self, texts: Sequence[str]) -> Vectors:
        return await asyncio.to_thread(_embedded, texts)


def _embedded(texts: Sequence[str]) -> Vectors:
    rows = np.zeros((len(texts), _DIMENSION), np.float32)
    for row, text in zip(rows, texts, strict=True):
        for word in _WORD.findall(head(text).casefold()):
            digest = blake2b(word.encode(), digest_size=3).digest()
            row[int.from_bytes(digest[:2]) % _DIMENSION] += 1 if digest[2] % 2 else -1
    return normalised(rows)
