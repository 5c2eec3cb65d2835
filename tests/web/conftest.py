from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest

from memory_proxy.core.types import Scope, SessionId
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.testing import FakeUpstream
from memory_proxy.web.app import create_app
from tests.examples import ANN
from tests.serving import served


class Proxy:
    """A running proxy, the fake LiteLLM behind it, and a client in front."""

    def __init__(
        self, url: str, fake: FakeUpstream, client: aiohttp.ClientSession, store: MemoryStore
    ) -> None:
        self.url, self.fake, self.client, self.store = url, fake, client, store

    async def ask(
        self, text: str | list[Any], *, path: str = "/v1/chat/completions", **more: Any
    ) -> aiohttp.ClientResponse:
        """Send one chat of `text`, or of whole messages, as user ann, and read the answer."""
        messages = [{"role": "user", "content": text}] if isinstance(text, str) else text
        headers = {"x-memory-user-id": "ann", **more.pop("headers", {})}
        body = {"model": "m", "max_tokens": 100, "messages": messages, **more}
        reply = await self.client.post(self.url + path, json=body, headers=headers)
        await reply.read()
        return reply

    def sent(self, index: int = -1) -> Any:
        """The messages that reached the fake."""
        return self.fake.calls[index].json["messages"]

    async def stored(self, session: str, scope: Scope = ANN, *, turns: int) -> list[str]:
        """Texts of a session, once it has `turns` of them."""
        import asyncio

        async with asyncio.timeout(5):
            while True:
                found = await self.store.history(scope, SessionId(session), limit=100)
                if len(found) >= turns:
                    return [turn.message.text for turn in found]
                await asyncio.sleep(0.005)


class Launch:
    """Starts proxies that end with the test."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack

    async def __call__(
        self,
        router: MemoryRouter | None = None,
        *,
        store: MemoryStore | None = None,
        fake: FakeUpstream | None = None,
        memory: bool = True,
        **options: Any,
    ) -> Proxy:
        store = store or InMemoryStore()
        fake = fake or await self._stack.enter_async_context(FakeUpstream())
        if memory:
            router = router or MemoryRouter()
        app = create_app(router, fake.url, store=store, **options)
        url = await self._stack.enter_async_context(served(app))
        client = await self._stack.enter_async_context(aiohttp.ClientSession())
        return Proxy(url, fake, client, store)


@pytest.fixture
async def launch() -> AsyncGenerator[Launch]:
    async with AsyncExitStack() as stack:
        yield Launch(stack)


@pytest.fixture
async def proxy(launch: Launch) -> Proxy:
    return await launch()
