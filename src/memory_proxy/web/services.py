"""The parts of one running application: opened together, closed in the opposite order."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Scope
from memory_proxy.memory.embedding_worker import EmbeddingWorker
from memory_proxy.memory.manager import MemoryManager
from memory_proxy.memory.traces import Traces
from memory_proxy.pipeline import Pipeline
from memory_proxy.recorder import Recorder
from memory_proxy.telemetry.metrics import Metrics
from memory_proxy.upstream import Upstream
from memory_proxy.web.access import Access

logger = logging.getLogger(__name__)

_LONGEST_CLEANUP_PAUSE_S = 60.0
_SETTLE_S = 5.0


@dataclass(slots=True)
class Services:
    memory: MemoryManager
    recorder: Recorder
    upstream: Upstream
    pipeline: Pipeline
    metrics: Metrics
    access: Access
    max_body_bytes: int
    traces: Traces
    embedding: EmbeddingWorker | None = None

    def degraded_parts(self) -> list[str]:
        """What does not work, or was mended with a loss, in words; [] when all is well."""
        parts = list(self.memory.store.notices)
        if self.recorder.is_failing:
            parts.append(f"store: refuses; {self.recorder.waiting} exchanges wait")
        if self.memory.queries and (trouble := self.memory.queries.trouble):
            parts.append(f"embedder: {trouble}; recall goes by words")
        if not self.upstream.is_open:
            parts.append("litellm: not running; it is being restarted")
        return parts

    async def settled(self, scope: Scope) -> None:
        """Wait until what the user was told is stored, so that our own API reads it."""
        await self.recorder.settled(scope, timeout_s=_SETTLE_S)

    def stored_directly(self) -> None:
        """Something new is in the store that did not come by way of the recorder."""
        if self.embedding is not None:
            self.embedding.wake()

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Everything open; on leaving, what waits for the store gets its chance to be written."""
        async with self.upstream, self.memory.store, asyncio.TaskGroup() as tasks:
            cleanup = tasks.create_task(self._cleanup())
            try:
                async with self._embedding(), self.recorder.running():
                    yield
            finally:
                cleanup.cancel()

    def _embedding(self) -> AbstractAsyncContextManager[None]:
        if self.embedding is not None:
            return self.embedding.running()
        logger.info("no embedder: recall goes by words")
        return nullcontext()

    async def _cleanup(self) -> None:
        """Forgets what has outlived its time, if the configuration sets one."""
        ttl = self.memory.limits.ttl
        if ttl is None:
            return
        while True:
            await asyncio.sleep(min(_LONGEST_CLEANUP_PAUSE_S, ttl.total_seconds() / 4))
            try:
                turns = await self.memory.expire()
            except StoreError as error:
                logger.warning("old turns cannot be forgotten", extra={"error": str(error)})
            else:
                logger.info("forgot old turns", extra={"turns": turns})
