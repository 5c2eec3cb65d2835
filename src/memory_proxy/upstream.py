"""The one HTTP conversation with LiteLLM."""

import asyncio

from memory_proxy.core.errors import UpstreamUnavailable


class Gate:
    """Lets requests through while LiteLLM is there; holds a few of them while it restarts.

    Whoever watches the process opens and closes it. `max_waiters` requests wait up to `wait_s`
    seconds for a closed gate; the others are told at once to come back.
    """

    def __init__(
        self, *, is_open: bool = True, max_waiters: int = 100, wait_s: float = 5.0
    ) -> None:
        self._opened = asyncio.Event()
        self._max_waiters = max_waiters
        self._waiters = 0
        self._wait_s = wait_s
        self.retry_after_s = 5
        if is_open:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def open(self) -> None:
        self._opened.set()

    def close(self, *, retry_after_s: int = 5) -> None:
        """Hold requests; whoever cannot wait is told to come back after `retry_after_s`."""
        self.retry_after_s = max(1, retry_after_s)
        self._opened.clear()

    async def passed(self) -> None:
        """Return once the gate is open; raises UpstreamUnavailable when it stays closed."""
        if self._opened.is_set():
            return
        if self._waiters >= self._max_waiters:
            raise self._unavailable()
        self._waiters += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._opened.wait()
        except TimeoutError as error:
            raise self._unavailable() from error
        finally:
            self._waiters -= 1

    def _unavailable(self) -> UpstreamUnavailable:
        return UpstreamUnavailable(
            "LiteLLM is not running; it is being restarted", retry_after_s=self.retry_after_s
        )
