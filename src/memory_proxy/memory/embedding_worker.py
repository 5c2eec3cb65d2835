"""Gives every stored turn its vector, in the background: a chat never waits for one."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import numpy as np

from memory_proxy.core.errors import EmbeddingError, StoreError, TextsRefused
from memory_proxy.embedding.base import Vectors
from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.quantising import quantised
from memory_proxy.stores.base import MemoryStore, Unembedded

logger = logging.getLogger(__name__)

_PAGE: Final = 256
_REPORT_EVERY_S: Final = 30.0
_HARMLESS: Final = "hello"


@dataclass(slots=True)
class EmbeddingWorker:
    """The store is the queue: whatever it holds without a vector by this embedder is embedded, the
    newest first, one batch at a time. So nothing is lost by a restart or a failure, and another
    embedder finds everything waiting; what the one before left is removed when it has done.

    `share` of the time is worked, the rest left to others.
    """

    store: MemoryStore
    embedder: GuardedEmbedder
    batch_size: int = 32
    share: float = 0.5
    pause_s: float = 1.0  # after a failure
    backlog: int = field(default=0, init=False)
    """How many turns had no vector when it was last looked."""
    _arrived: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _settled: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _has_removed_others: bool = field(default=False, init=False)

    def wake(self) -> None:
        """There is something new in the store."""
        self._settled.clear()
        self._arrived.set()

    async def settled(self) -> None:
        """Wait until all that was in the store has its vector."""
        await self._settled.wait()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Works while the context is open, at once on what is there."""
        async with self.embedder, asyncio.TaskGroup() as tasks:
            work = tasks.create_task(self._work())
            try:
                yield
            finally:
                work.cancel()

    async def _work(self) -> None:
        while True:
            self._arrived.clear()
            try:
                await self._embed_all()
            except (EmbeddingError, StoreError) as error:
                logger.debug("embedding is put off", extra={"error": str(error)})
                await asyncio.sleep(max(self.pause_s, self.embedder.retry_in_s))
            except Exception:
                logger.exception("embedding failed")  # the task's outer edge: chats go on
                await asyncio.sleep(self.pause_s)
            else:
                if not self._arrived.is_set():
                    self._settled.set()
                await self._arrived.wait()

    async def _embed_all(self) -> None:
        embedder = await self.embedder.open()
        await self._look(embedder)
        reported_at = monotonic()
        if is_large := self.backlog > _PAGE:
            logger.info("embedding", extra={"turns": self.backlog, "embedder": embedder})
        while await self._embed_page(embedder):
            await self._look(embedder)
            if is_large and monotonic() - reported_at > _REPORT_EVERY_S:
                logger.info("embedding goes on", extra={"turns_left": self.backlog})
                reported_at = monotonic()
        await self._look(embedder)
        if is_large:
            logger.info("embedding has ended", extra={"turns_left": self.backlog})
        await self._remove_others(embedder)

    async def _look(self, embedder: str) -> None:
        self.backlog = await self.store.embedding_backlog(embedder)

    async def _embed_page(self, embedder: str) -> bool:
        """Embed the newest turns that wait; False when none of them got a vector."""
        turns = await self.store.unembedded(embedder, limit=max(_PAGE, self.batch_size))
        turns = sorted(turns, key=lambda turn: len(turn.text))  # batches without much padding
        kept = 0
        for start in range(0, len(turns), self.batch_size):
            kept += await self._embed(embedder, turns[start : start + self.batch_size])
        return kept > 0

    async def _embed(self, embedder: str, turns: Sequence[Unembedded]) -> int:
        started = monotonic()
        vectors = await self._vectors([turn.text for turn in turns])
        kept = await self.store.put_vectors(embedder, turns, quantised(vectors))
        await asyncio.sleep((monotonic() - started) * (1 / self.share - 1))
        return kept

    async def _vectors(self, texts: Sequence[str]) -> Vectors:
        """A row of zeros, which is like nothing, for a text that the embedder does not take."""
        try:
            return await self.embedder.embed(texts)
        except TextsRefused:
            if len(texts) == 1:
                # Raises if it is not the text: then it will be tried again.
                return np.zeros_like(await self.embedder.embed([_HARMLESS]))
            middle = len(texts) // 2
            halves = [await self._vectors(texts[:middle]), await self._vectors(texts[middle:])]
            return np.concatenate(halves)

    async def _remove_others(self, embedder: str) -> None:
        """Vectors that nobody compares with any more; once, for none are added later."""
        if self._has_removed_others or self.backlog > 0:
            return
        removed = await self.store.drop_other_vectors(embedder)
        self._has_removed_others = True
        if removed:
            logger.info("removed vectors of another embedder", extra={"turns": removed})
