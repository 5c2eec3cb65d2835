"""Takes finished exchanges off the request path and brings them to the store, in their order."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Exchange, ExchangeId, Scope, SessionId

logger = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0


@dataclass(slots=True)
class Recorder:
    """A bounded queue and one worker.

    An exchange stays here until the store has it: a store that fails is tried again, and meanwhile
    a session reads its own writes from here. When `capacity` exchanges wait, a further one is
    dropped and counted: memory never holds up a chat.
    """

    remember: Callable[[Exchange], Awaitable[None]]
    capacity: int = 1_000
    on_stored: Callable[[Exchange], None] = field(default=lambda _: None)
    on_dropped: Callable[[Exchange], None] = field(default=lambda _: None)
    drain_s: float = 5.0
    _waiting: dict[tuple[Scope, SessionId, ExchangeId], Exchange] = field(
        default_factory=dict[tuple[Scope, SessionId, ExchangeId], Exchange], init=False
    )
    _arrived: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _progress: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _failing: bool = field(default=False, init=False)

    @property
    def is_failing(self) -> bool:
        """Whether the store refused the last time."""
        return self._failing

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def record(self, exchange: Exchange) -> bool:
        """Accept `exchange`; False when there was no room for it."""
        key = exchange.scope, exchange.session, exchange.id
        earlier = self._waiting.get(key)
        if earlier is not None:
            exchange = _merged(earlier, exchange)
        if earlier is None and len(self._waiting) >= self.capacity:
            self.on_dropped(exchange)
            return False
        self._waiting[key] = exchange
        self._arrived.set()
        return True

    def unsaved(self, scope: Scope, session: SessionId) -> Sequence[Exchange]:
        """The exchanges of `session` that the store does not have yet, oldest first."""
        if not self._waiting:
            return ()
        return [
            exchange
            for exchange in self._waiting.values()
            if exchange.session == session and exchange.scope == scope
        ]

    async def settled(self, scope: Scope, *, timeout_s: float) -> bool:
        """Wait until the store has all of `scope`; False when it took longer."""
        if not self._waiting:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                while any(exchange.scope == scope for exchange in self._waiting.values()):
                    await self._progress.wait()
        except TimeoutError:
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Works while the context is open; on leaving, what waits gets `drain_s` seconds."""
        async with asyncio.TaskGroup() as tasks:
            worker = tasks.create_task(self._work())
            try:
                yield
            finally:
                await self._drain()
                worker.cancel()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self.drain_s):
                while self._waiting:
                    await self._progress.wait()
        except TimeoutError:
            logger.error("exchanges were not stored", extra={"count": len(self._waiting)})

    async def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            if await self._store_waiting():
                pause_s = _FIRST_PAUSE_S
            else:
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
                self._arrived.set()

    async def _store_waiting(self) -> bool:
        """Offer all that waits at once, so that the store can commit it together."""
        batch = tuple(self._waiting.items())
        results = await asyncio.gather(
            *(self.remember(exchange) for _, exchange in batch), return_exceptions=True
        )
        for (key, exchange), result in zip(batch, results, strict=True):
            if isinstance(result, StoreError):
                continue
            if isinstance(result, BaseException):
                logger.error("an exchange cannot be stored", exc_info=result)
                self.on_dropped(exchange)
            else:
                self.on_stored(exchange)
            if self._waiting.get(key) is exchange:
                del self._waiting[key]
        self._note_state(next((r for r in results if isinstance(r, StoreError)), None))
        self._progress.set()
        self._progress.clear()
        return not self._failing

    def _note_state(self, error: StoreError | None) -> None:
        """One warning per change of state."""
        if error is not None and not self._failing:
            logger.warning("the store refuses; exchanges wait", extra={"error": str(error)})
        elif error is None and self._failing:
            logger.info("the store accepts again")
        self._failing = error is not None


def _merged(earlier: Exchange, later: Exchange) -> Exchange:
    """The better of the two, a complete one or the later, with the ledger of both."""
    is_worse = not later.turns or (later.partial and not earlier.partial)
    better = earlier if earlier.turns and is_worse else later
    return replace(better, ledger=earlier.ledger + later.ledger)
