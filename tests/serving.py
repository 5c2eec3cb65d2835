"""Our application behind our own server on a loopback port, for tests through the front door."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from memory_proxy.processes import ports
from memory_proxy.processes.serving import ServerOptions, serve
from memory_proxy.security.guard import GuardedHttpProtocol

_OPTIONS = ServerOptions(GuardedHttpProtocol, drain_s=5)


@asynccontextmanager
async def served(app: FastAPI, options: ServerOptions = _OPTIONS) -> AsyncGenerator[str]:
    """The base URL of `app` while it runs."""
    ready = asyncio.Event()
    with ports.listen("127.0.0.1", 0, setting="--port") as listening:
        port = listening.getsockname()[1]
        async with asyncio.TaskGroup() as tasks:
            running = tasks.create_task(
                serve(app, listening, options, on_ready=ready.set, report=lambda _: None)
            )
            async with asyncio.timeout(10):
                await ready.wait()
            try:
                yield f"{'https' if options.tls_cert else 'http'}://127.0.0.1:{port}"
            finally:
                running.cancel()
