"""Our own API as its caller uses it: one user, short words."""

import json
from typing import Any

from tests.web.conftest import Proxy


class Api:
    """Calls as `user`; every answer is its status and what it says."""

    def __init__(self, proxy: Proxy, user: str = "ann") -> None:
        self.proxy = proxy
        self.headers = {"x-memory-user-id": user}

    async def call(
        self, method: str, path: str, body: object = None, **more: Any
    ) -> tuple[int, Any]:
        sent = {"json": body} if body is not None else {}
        url = f"{self.proxy.url}/memory{path}"
        headers = self.headers | more.pop("headers", {})
        async with self.proxy.client.request(method, url, headers=headers, **sent, **more) as reply:
            return reply.status, await reply.json()

    async def items(self, **query: Any) -> list[dict[str, Any]]:
        status, page = await self.call("GET", "/items", params=query)
        assert status == 200
        return list(page["items"])

    async def texts(self) -> list[str]:
        """Newest first."""
        return [item["text"] for item in await self.items(limit=1000)]

    async def add(self, text: str, **more: Any) -> dict[str, Any]:
        status, item = await self.call("POST", "/items", {"text": text, **more})
        assert status == 201
        return dict(item)

    async def id_of(self, text: str) -> str:
        [found] = [item["id"] for item in await self.items(limit=1000) if item["text"] == text]
        return str(found)

    async def export(self) -> bytes:
        url = self.proxy.url + "/memory/export"
        async with self.proxy.client.get(url, headers=self.headers) as reply:
            assert reply.status == 200
            assert reply.content_type == "application/x-ndjson"
            return await reply.read()

    async def bring(self, lines: bytes | list[Any]) -> dict[str, Any]:
        """Import; lists are written as lines."""
        if isinstance(lines, list):
            lines = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        status, done = await self.call("POST", "/import", data=lines)
        assert status == 200, done
        return dict(done)
