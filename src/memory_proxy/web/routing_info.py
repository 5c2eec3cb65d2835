"""Who this request would be taken for, and by which rule."""

from typing import Any

from fastapi import APIRouter, Request

from memory_proxy.web.access import headers_of
from memory_proxy.web.dependencies import ProvenCaller, Router

routes = APIRouter()


@routes.get("/memory-routing/info")
async def routing_info(request: Request, router: Router, _: ProvenCaller) -> dict[str, Any]:
    """The decision for the headers of this very request, and the rules it was made by."""
    if router is None:
        return {"enabled": False, "reason": "memory routing is off"}
    mappings = router.mappings
    return {
        "enabled": True,
        **router.get_routing_info(headers_of(request.scope)),
        "custom_header": mappings.custom_header,
        "header_patterns": [
            {"header": entry.header, "pattern": entry.pattern.source, "user_id": entry.user_id}
            for entry in mappings.header_patterns
        ],
        "default_user_id": mappings.default_user_id,
        "supermemory_models": sorted(router.supermemory_models),
    }
