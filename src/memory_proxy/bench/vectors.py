"""A store whose turns all have their vectors, and what embeds the questions."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from memory_proxy.core.errors import StoreUnavailable
from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.queries import QueryEmbedder
from memory_proxy.memory.embedding_worker import EmbeddingWorker
from memory_proxy.stores.base import MemoryStore

_PATIENCE_S = 60.0


@asynccontextmanager
async def embedded(
    store: MemoryStore, embedder: Embedder | None
) -> AsyncGenerator[QueryEmbedder | None]:
    """Without `embedder`: None, and recall goes by words. Raises StoreUnavailable."""
    if embedder is None:
        yield None
        return
    guarded = GuardedEmbedder(embedder)
    worker = EmbeddingWorker(store, guarded, share=1.0)
    async with worker.running():
        worker.wake()
        await worker.settled()
        if worker.backlog or guarded.trouble:
            raise StoreUnavailable(f"not everything could be embedded: {guarded.trouble}")
        yield QueryEmbedder(guarded, deadline_s=_PATIENCE_S)
