"""Is it alive, is it ready, what does not work, and the numbers. Never calls a model."""

from typing import Any

from fastapi import APIRouter, Response

from memory_proxy import __version__
from memory_proxy.core.errors import StoreError
from memory_proxy.web.dependencies import AppServices, BaseUrl, ProvenCaller, Router

routes = APIRouter()


@routes.api_route("/", methods=["GET", "HEAD"])
async def front_door() -> dict[str, str]:
    """Some clients knock here first; nothing is told that a key would be needed for."""
    return {"name": "litellm-memory-proxy", "version": __version__}


@routes.get("/health")
async def health(router: Router, base_url: BaseUrl, services: AppServices) -> dict[str, Any]:
    """`degraded` names each part that does not work; the chat goes on without it."""
    return {
        "status": "healthy",
        "memory_router": router is not None,
        "litellm_base_url": base_url,
        "litellm_running": services.upstream.is_open,
        "version": __version__,
        "degraded": services.degraded_parts(),
    }


@routes.get("/health/live")
async def live() -> dict[str, str]:
    return {"status": "alive"}


@routes.get("/health/ready")
async def ready(services: AppServices, response: Response) -> dict[str, str]:
    """503 while requests would have to wait for LiteLLM."""
    if services.upstream.is_open:
        return {"status": "ready"}
    response.status_code = 503
    return {"status": "waiting for LiteLLM"}


@routes.get("/metrics")
async def metrics(services: AppServices, _: ProvenCaller) -> Response:
    """Prometheus text format."""
    try:
        sessions = await services.memory.store.session_count()
    except StoreError:
        sessions = -1  # unknown
    text = services.metrics.exposition(
        sessions=sessions,
        waiting=services.recorder.waiting,
        unembedded=services.embedding.backlog if services.embedding else 0,
    )
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")
