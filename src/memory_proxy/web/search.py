"""What recall finds in one user's memory for a query."""

from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from memory_proxy.web.bodies import read_json
from memory_proxy.web.dependencies import AppServices, OwnScope
from memory_proxy.web.item_models import FoundItem

routes = APIRouter(prefix="/memory/search")


class SearchQuery(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    query: str
    limit: Annotated[int, Field(ge=1, le=100)] = 10


class SearchResults(BaseModel):
    """The best first."""

    results: list[FoundItem]


@routes.post("")
async def search(request: Request, services: AppServices, scope: OwnScope) -> SearchResults:
    """What a chat that says `query` would be reminded of; pinned items stand where they score."""
    asked = await read_json(request, SearchQuery, limit_bytes=services.max_body_bytes)
    await services.settled(scope)
    found = await services.memory.search(scope, asked.query, limit=asked.limit)
    return SearchResults(results=[FoundItem.scored(one.turn, one.score) for one in found])
