"""The memory that is measured: a store and an embedder, put together as they are for a chat."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from memory_proxy.bench.places import StorePlace
from memory_proxy.core.errors import ConfigurationError, EmbeddingError
from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.opening import open_embedder
from memory_proxy.embedding.queries import QueryEmbedder
from memory_proxy.memory.embedding_worker import EmbeddingWorker
from memory_proxy.retrieval.engine import RecallEngine
from memory_proxy.stores.base import MemoryStore

_LOOK_EVERY_S = 5.0
_PATIENCE_S = 60.0
"""A chat waits less long for the vector of what is asked; but what is found here must not depend
on what else this machine does."""

Say = Callable[[str], None]
"""Takes a line that tells a person how far it is."""


@dataclass(frozen=True, slots=True)
class MeasuredMemory:
    """Without a `worker` recall goes by words alone."""

    store: MemoryStore
    worker: EmbeddingWorker | None = None
    queries: QueryEmbedder | None = None
    engine: RecallEngine = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "engine", RecallEngine(self.store, self.queries))

    @property
    def embedder(self) -> str | None:
        """The id of the embedder, which it has once something was embedded."""
        return self.worker.embedder.id if self.worker else None

    async def embedded(self, say: Say) -> None:
        """Wait until every turn in the store has its vector. Raises EmbeddingError."""
        if self.worker is None:
            return
        self.worker.wake()
        backlog = 0
        while not await self._settled(self.worker):
            if self.worker.embedder.trouble:
                raise EmbeddingError(self.worker.embedder.trouble)
            if self.worker.backlog != backlog:
                backlog = self.worker.backlog
                say(f"{backlog} turns wait for their vectors")

    async def _settled(self, worker: EmbeddingWorker) -> bool:
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await worker.settled()
        except TimeoutError:
            return False
        return True


@asynccontextmanager
async def open_memory(place: StorePlace, embedder: str) -> AsyncGenerator[MeasuredMemory]:
    """`embedder` is written as in the settings. Raises ConfigurationError and StoreError."""
    opened = open_embedder(embedder)
    async with place.open() as store:
        if opened is None:
            yield MeasuredMemory(store)
            return
        if await store.session_count():
            raise ConfigurationError(
                "--store: it is in use, and its vectors would be made anew by the embedder that is"
                " measured; name an empty store, or --embedder none"
            )
        guarded = GuardedEmbedder(opened)
        worker = EmbeddingWorker(store, guarded, share=1.0)
        async with worker.running():
            yield MeasuredMemory(store, worker, QueryEmbedder(guarded, deadline_s=_PATIENCE_S))
