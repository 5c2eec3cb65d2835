"""An embedder whose failures a test decides."""

import asyncio
from collections.abc import Sequence
from typing import Self

from memory_proxy.core.errors import EmbeddingError, TextsRefused
from memory_proxy.embedding.base import Embedder, Vectors
from memory_proxy.embedding.hashing import HashingEmbedder


class ScriptedEmbedder(Embedder):
    """Embeds by hashing, as long as nothing else is asked of it."""

    def __init__(self, name: str = "scripted") -> None:
        self.name = name
        self.trouble: str | None = None  # fails with it, every time
        self.failures: list[str] = []  # fails with these, one after the other
        self.fault: Exception | None = None  # raises it, once
        self.refusals = 0  # so often it refuses whatever it is given
        self.refuses: str | None = None  # takes no text that holds this
        self.stop_after: int | None = None  # so many calls, then it sets `stopped` and waits
        self.stopped = asyncio.Event()
        self.go = asyncio.Event()
        self.asked: list[list[str]] = []
        self.is_open = False

    async def __aenter__(self) -> Self:
        self._fail()
        self.is_open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.is_open = False

    @property
    def id(self) -> str:
        return f"{self.name}:{self.dimension}"

    @property
    def dimension(self) -> int:
        return HashingEmbedder().dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if self.stop_after is not None and len(self.asked) >= self.stop_after:
            self.stopped.set()
            await self.go.wait()
        self.asked.append(list(texts))
        self._fail()
        if self.refusals or (self.refuses and any(self.refuses in text for text in texts)):
            self.refusals = max(0, self.refusals - 1)
            raise TextsRefused("too long")
        return await HashingEmbedder().embed(texts)

    def _fail(self) -> None:
        if self.fault is not None:
            fault, self.fault = self.fault, None
            raise fault
        if self.trouble is not None or self.failures:
            raise EmbeddingError(self.trouble or self.failures.pop(0))
