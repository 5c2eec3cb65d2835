"""A real uvicorn server behind the guard, and a client that speaks in raw bytes."""

import asyncio
import re
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from memory_proxy.security.guard import GuardedHttpProtocol

DEADLINE_S = 20


@dataclass
class EchoApp:
    """Answers each request with its own body, once the body is complete."""

    started: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def forget(self) -> None:
        for seen in (self.started, self.bodies, self.headers):
            seen.clear()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.started.append(scope["path"])
        self.headers.append({k.decode(): v.decode("latin-1") for k, v in scope["headers"]})
        body = b""
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message["body"]
            if not message["more_body"]:
                break
        self.bodies.append(body)
        upgrade = self.headers[-1].get("upgrade") == "websocket"
        await answer(send, body or b"{}", status=426 if upgrade else 200)


async def answer(send: Any, body: bytes, *, status: int = 200) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def serving(
    app: Any, protocol: type[GuardedHttpProtocol], *, idle_s: int = 5
) -> AsyncGenerator[int]:
    """The port of a server that ends with the block."""
    config = uvicorn.Config(
        app,
        http=protocol,
        proxy_headers=False,
        ws="none",
        lifespan="off",
        log_config=None,
        timeout_keep_alive=idle_s,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(server.serve(sockets=[listener]))
            await until(lambda: server.started)
            try:
                yield listener.getsockname()[1]
            finally:
                server.should_exit = True


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - uvicorn offers no event
            await asyncio.sleep(0.005)


async def exchanged(port: int, *pieces: bytes) -> bytes:
    """All that the server says until it closes, after `pieces` were sent one by one."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(DEADLINE_S):
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()


def statuses(said: bytes) -> list[int]:
    """The statuses of every answer in what a server said; bodies of ours hold no status line."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said)]
