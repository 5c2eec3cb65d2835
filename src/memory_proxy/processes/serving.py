"""Our own server: serves an application on a socket until it is cancelled, then drains."""

import asyncio
import math
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

_CANCELLED_LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class ServerOptions:
    """`drain_s`: how long running answers may take to finish once the end was asked for."""

    protocol: type[asyncio.Protocol]
    drain_s: float
    tls_cert: Path | None = None
    tls_key: Path | None = None


async def serve(
    app: FastAPI,
    listening: socket.socket,
    options: ServerOptions,
    *,
    on_ready: Callable[[], None],
    report: Callable[[str], None],
) -> None:
    """Serve until cancelled; then take no new requests and let the running ones finish.

    Whoever still runs after `drain_s`, or at a second cancellation, is cut. The application is
    opened before and closed after: what it raises comes out here.
    """
    server = _Server(_configuration(app, options), on_ready)
    async with app.router.lifespan_context(app), asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve(sockets=[listening]))
        try:
            await asyncio.wait({serving})
        except asyncio.CancelledError:
            report(f"stopping: running answers have {options.drain_s:g} s; Ctrl-C again cuts them")
            server.should_exit = True
            await asyncio.wait({serving})
            raise


class _Server(uvicorn.Server):
    """uvicorn's server without its signal handlers, and with a word when it is ready."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if cut := set(self.server_state.tasks):  # they keep what they have of an answer
            await asyncio.wait(cut, timeout=_CANCELLED_LIMIT_S)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def _configuration(app: FastAPI, options: ServerOptions) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=options.protocol,
        ws="none",
        lifespan="off",  # ours: uvicorn would turn every error of it into one exit code
        loop="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # x-forwarded-for is a client's word
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=math.ceil(options.drain_s),
        ssl_certfile=options.tls_cert,
        ssl_keyfile=options.tls_key,
    )
