"""An embedder that may fail or be away, and what is known of its state."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from time import monotonic
from typing import Self

from memory_proxy.core.errors import EmbeddingError, TextsRefused
from memory_proxy.embedding.base import Embedder, Vectors

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 1.0, 60.0


class GuardedEmbedder:
    """Entering and leaving never fail; `open` may be tried as often as it takes.

    After a failure every call is refused for a while, which doubles from one failure to the next:
    whoever waits for an answer loses no time, and an embedder elsewhere gets room to recover.
    """

    def __init__(self, embedder: Embedder, *, now: Callable[[], float] = monotonic) -> None:
        self._embedder = embedder
        self._now = now
        self._is_open = False
        self._trouble: str | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._retry_at = 0.0

    async def __aenter__(self) -> Self:
        self._closing = AsyncExitStack()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._is_open = False
        await self._closing.aclose()

    @property
    def id(self) -> str | None:
        """None until it is open."""
        return self._embedder.id if self._is_open else None

    @property
    def trouble(self) -> str | None:
        """What went wrong the last time; None: all is well, or nothing was tried yet."""
        return self._trouble

    @property
    def retry_in_s(self) -> float:
        """After which time a call is let through; 0: at once."""
        return max(0.0, self._retry_at - self._now())

    async def open(self) -> str:
        """Its id. Raises EmbeddingError."""
        if not self._is_open:
            self._refuse_while_paused()
            try:
                await self._closing.enter_async_context(self._embedder)
            except EmbeddingError as error:
                self._failed(error)
                raise
            self._is_open = True
            self._succeeded()
        return self._embedder.id

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Raises EmbeddingError."""
        if not self._is_open:
            raise EmbeddingError(self._trouble or "the embedder is not open yet")
        self._refuse_while_paused()
        try:
            vectors = await self._embedder.embed(texts)
        except TextsRefused:
            raise
        except EmbeddingError as error:
            self._failed(error)
            raise
        self._succeeded()
        return vectors

    def _refuse_while_paused(self) -> None:
        if self.retry_in_s > 0:
            raise EmbeddingError(self._trouble)

    def _failed(self, error: EmbeddingError) -> None:
        if self._trouble is None:
            logger.warning("no vectors; recall goes by words", extra={"error": str(error)})
            self._pause_s = _FIRST_PAUSE_S
        self._trouble = str(error)
        self._retry_at = self._now() + self._pause_s
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def _succeeded(self) -> None:
        if self._trouble is not None:
            logger.info("the embedder works again")
        self._trouble = None
