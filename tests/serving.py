"""Our application behind a real server on a loopback port, for tests through the front door."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI

from memory_proxy.security.guard import GuardedHttpProtocol


@asynccontextmanager
async def served(app: FastAPI) -> AsyncGenerator[str]:
    """The base URL of `app` while it runs."""
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            host="127.0.0.1",
            port=0,
            http=GuardedHttpProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            timeout_graceful_shutdown=5,
        )
    )
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(server._serve())  # without uvicorn's signal handlers
        async with asyncio.timeout(10):
            while not server.started:
                assert not running.done(), "the server did not start"
                await asyncio.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
