"""A loopback server that imitates `POST /v1/embeddings` as OpenAI's reference describes it."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web

from memory_proxy.embedding.hashing import HashingEmbedder


class EmbeddingsServer:
    """`url` is the address of the endpoint; everything about its answers may be changed."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.refuses: str | None = None  # answers 400 where a text holds this
        self.dimension = 256
        self.as_base64 = False
        self.body: bytes | None = None
        self.go = asyncio.Event()  # cleared: nobody gets an answer
        self.go.set()
        self.calls: list[dict[str, Any]] = []
        self.headers: list[str | None] = []

    async def answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        self.calls.append(asked)
        self.headers.append(request.headers.get("authorization"))
        await self.go.wait()
        if self.refuses and any(self.refuses in text for text in asked["input"]):
            return web.json_response({"error": {"message": "input is too long"}}, status=400)
        if self.status != 200:
            return web.json_response({"error": {"message": "no"}}, status=self.status)
        if self.body is not None:
            return web.Response(body=self.body, content_type="application/json")
        vectors = await HashingEmbedder().embed(asked["input"])
        rows = vectors[:, : self.dimension] * 3  # not every server brings them to length 1
        items = [
            {"object": "embedding", "index": index, "embedding": self._written(row)}
            for index, row in enumerate(rows)
        ]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return web.json_response(
            {"object": "list", "data": items[::-1], "model": asked["model"], "usage": usage}
        )

    def _written(self, row: Any) -> object:
        if self.as_base64:
            return base64.b64encode(row.astype("<f4").tobytes()).decode()
        return np.round(row, 6).tolist()


@asynccontextmanager
async def embeddings_server() -> AsyncGenerator[EmbeddingsServer]:
    server = EmbeddingsServer()
    app = web.Application(client_max_size=2**24)
    app.router.add_post("/v1/embeddings", server.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}/v1/embeddings"
        yield server
    finally:
        server.go.set()
        await runner.cleanup()
