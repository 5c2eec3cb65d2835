"""Builds the application. Nothing is opened until its lifespan starts, and nothing is global."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from memory_proxy import __version__
from memory_proxy.core.types import Exchange
from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.queries import QueryEmbedder
from memory_proxy.memory.embedding_worker import EmbeddingWorker
from memory_proxy.memory.manager import MemoryLimits, MemoryManager
from memory_proxy.memory.traces import Traces
from memory_proxy.pipeline import Pipeline
from memory_proxy.recorder import Recorder
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.routing.requests import DEFAULT_POLICIES, MemoryMode, RequestClass
from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.stores.reopening import ReopeningStore
from memory_proxy.telemetry.metrics import Metrics
from memory_proxy.upstream import Gate, Upstream
from memory_proxy.web import health, items, routing_info, search, sessions, transfer
from memory_proxy.web import traces as web_traces
from memory_proxy.web.access import Access
from memory_proxy.web.errors import install_error_handlers
from memory_proxy.web.proxy import proxy_handler
from memory_proxy.web.services import Services

DEFAULT_MAX_BODY_BYTES = 10 * 1024 * 1024


def create_app(
    router: MemoryRouter | None,
    base_url: str,
    *,
    store: MemoryStore | None = None,
    embedder: Embedder | None = None,
    embedding_batch_size: int = 32,
    embedding_deadline_s: float = 0.06,
    limits: MemoryLimits | None = None,
    access: Access | None = None,
    litellm_key: str | None = None,
    supermemory_key: str | None = None,
    gate: Gate | None = None,
    max_body_bytes: int = DEFAULT_MAX_BODY_BYTES,
    silence_timeout_s: float = 600.0,
    policies: Mapping[RequestClass, MemoryMode] = DEFAULT_POLICIES,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> FastAPI:
    """A proxy in front of the LiteLLM at `base_url`.

    `router` None turns memory off: everything passes through. Without `store` memories live as long
    as the application; without `embedder` recall goes by words; without `access` there is no key
    check, which is for tests and for an application around this one.
    """
    metrics = Metrics()
    opened = ReopeningStore(store or InMemoryStore())
    guarded = GuardedEmbedder(embedder) if embedder else None
    queries = QueryEmbedder(guarded, embedding_deadline_s) if guarded else None
    embedding = EmbeddingWorker(opened, guarded, embedding_batch_size) if guarded else None
    memory = MemoryManager(opened, limits or MemoryLimits(), now, queries=queries)

    def on_stored(exchange: Exchange) -> None:
        metrics.stored((now() - exchange.at).total_seconds())
        if embedding:
            embedding.wake()

    recorder = Recorder(
        memory.remember,
        on_stored=on_stored,
        on_dropped=lambda _: metrics.dropped(),
    )
    upstream = Upstream(
        base_url, api_key=litellm_key, gate=gate, silence_timeout_s=silence_timeout_s
    )
    traces = Traces(now)
    pipeline = Pipeline(
        router, memory, recorder, upstream, metrics, traces, supermemory_key, policies=policies
    )
    access = access or Access()
    services = Services(
        memory, recorder, upstream, pipeline, metrics, access, max_body_bytes, traces, embedding
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncGenerator[None]:
        async with services.running():
            yield

    app = _ProxyApp(title="LiteLLM Memory Proxy", version=__version__, lifespan=lifespan,
                    openapi_url=None)  # fmt: skip
    app.state.memory_router = router
    app.state.litellm_base_url = base_url
    app.state.services = services
    if access.allowed_origins:
        cors = _cors(access.allowed_origins)
        app.add_middleware(CORSMiddleware, **cors)
        app.proxied = CORSMiddleware(proxy_handler, **cors)
    install_error_handlers(app)
    for own in (health, routing_info, sessions, items, search, transfer, web_traces):
        app.include_router(own.routes)
    app.mount("/", proxy_handler)
    return app


class _ProxyApp(FastAPI):
    """Takes the proxied paths past FastAPI's middleware and router, which lead to the same callable
    mounted last, at a third of the proxy's own CPU."""

    proxied: ASGIApp = staticmethod(proxy_handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not _is_own(scope["path"]):
            scope["app"] = self
            await self.proxied(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def _is_own(path: str) -> bool:
    return path == "/" or path.startswith(("/health", "/memory", "/metrics"))


def _cors(origins: frozenset[str]) -> dict[str, Any]:
    return {
        "allow_origins": sorted(origins),
        "allow_methods": ["GET", "POST", "PATCH", "DELETE"],
        "allow_headers": ["*"],
        "expose_headers": [
            "x-request-id", "x-memory-user-id", "x-memory-session-id", "x-memory-status",
            "x-memory-recalled", "x-memory-ledger",
            "x-memory-trace",
        ],
    }  # fmt: skip
