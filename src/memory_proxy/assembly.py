"""Settings to objects: the one place that knows how a configured proxy is put together."""

from datetime import timedelta

from fastapi import FastAPI

from memory_proxy.config import Settings
from memory_proxy.embedding.opening import open_embedder
from memory_proxy.memory.manager import MemoryLimits
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.routing.requests import MemoryMode, RequestClass
from memory_proxy.security.keys import KeyRing
from memory_proxy.stores.opening import open_store
from memory_proxy.upstream import Gate
from memory_proxy.web.access import Access
from memory_proxy.web.app import create_app


def build_app(settings: Settings, *, gate: Gate | None = None) -> FastAPI:
    """The application that `settings` describe; `gate` tells it whether LiteLLM is there."""
    ttl = settings.memory_ttl_seconds
    return create_app(
        MemoryRouter.from_config(
            {
                "user_id_mappings": settings.user_id_mappings,
                "model_list": list(settings.model_list),
            }
        ),
        settings.litellm_base_url,
        store=open_store(settings.store),
        embedder=open_embedder(
            settings.embedder,
            api_key=settings.embedding_api_key,
            litellm_url=settings.litellm_base_url,
            litellm_key=settings.master_key,
        ),
        embedding_batch_size=settings.embedding_batch_size,
        embedding_deadline_s=settings.embedding_deadline_ms / 1000,
        limits=MemoryLimits(
            history_messages=settings.max_context_messages,
            history_tokens=settings.history_budget_tokens,
            recall_tokens=settings.recall_budget_tokens,
            recall_deadline_s=settings.recall_deadline_ms / 1000,
            ttl=timedelta(seconds=ttl) if ttl else None,
        ),
        access=Access(
            KeyRing(settings.master_key) if settings.master_key else None,
            frozenset((*settings.allowed_hosts, settings.host)),
            frozenset(settings.cors_origins),
        ),
        litellm_key=settings.master_key or None,
        supermemory_key=settings.supermemory_api_key or None,
        gate=gate,
        max_body_bytes=settings.max_body_bytes,
        policies={
            RequestClass.HUMAN_TURN: MemoryMode(settings.memory_for_human_turns),
            RequestClass.TOOL_LOOP: MemoryMode(settings.memory_for_tool_loops),
            RequestClass.SUB_AGENT: MemoryMode(settings.memory_for_sub_agents),
            RequestClass.BACKGROUND: MemoryMode(settings.memory_for_background),
        },
        silence_timeout_s=settings.upstream_first_byte_timeout_s,
    )
