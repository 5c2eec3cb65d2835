"""What a request may ask the application for: one line each over `app.state`."""

from typing import Annotated, cast

from fastapi import Depends, Request

from memory_proxy.core.types import Caller, Scope
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.web.access import headers_of
from memory_proxy.web.services import Services


def get_memory_router(request: Request) -> MemoryRouter | None:
    """None: memory routing is off."""
    return cast("MemoryRouter | None", request.app.state.memory_router)


def get_litellm_base_url(request: Request) -> str:
    return cast(str, request.app.state.litellm_base_url)


def get_services(request: Request) -> Services:
    return cast(Services, request.app.state.services)


def get_caller(request: Request) -> Caller:
    """Raises AuthenticationFailed or PermissionDenied, before the route has seen anything."""
    query = request.scope["query_string"].decode("latin-1")
    return get_services(request).access.check(headers_of(request.scope), query)


def get_scope(request: Request, caller: Annotated[Caller, Depends(get_caller)]) -> Scope:
    """The memory that this request's headers choose, inside what its key allows."""
    router = get_memory_router(request) or MemoryRouter()
    return Scope(caller.tenant, router.detect_user_id(headers_of(request.scope)))


Router = Annotated[MemoryRouter | None, Depends(get_memory_router)]
BaseUrl = Annotated[str, Depends(get_litellm_base_url)]
AppServices = Annotated[Services, Depends(get_services)]
ProvenCaller = Annotated[Caller, Depends(get_caller)]
OwnScope = Annotated[Scope, Depends(get_scope)]
