"""All that is remembered of one user, out and in again: an item a line, in bounded memory."""

import asyncio
from collections.abc import AsyncGenerator

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from memory_proxy.core.types import Scope
from memory_proxy.stores.base import MemoryStore, TurnPage
from memory_proxy.web.bodies import body_chunks
from memory_proxy.web.dependencies import AppServices, OwnScope
from memory_proxy.web.importing import RefusedLine, batches, numbered_lines, read_lines
from memory_proxy.web.item_models import Item

routes = APIRouter(prefix="/memory")

_PAGE_TURNS = 200
_MOST_REPORTED = 1_000


class Imported(BaseModel):
    """How many lines were new, were there already, and were refused; the first of these."""

    imported: int = 0
    unchanged: int = 0
    refused: int = 0
    refused_lines: list[RefusedLine] = []


@routes.get("/export")
async def export_items(services: AppServices, scope: OwnScope) -> StreamingResponse:
    """The oldest first, so that an import keeps their order. A broken connection is an incomplete
    export: a whole one ends as HTTP says."""
    await services.settled(scope)
    store = services.memory.store
    first = await store.turns(scope, limit=_PAGE_TURNS, oldest_first=True)
    return StreamingResponse(
        _lines(store, scope, first),
        media_type="application/x-ndjson",
        headers={"content-disposition": 'attachment; filename="memory.jsonl"'},
    )


@routes.post("/import")
async def import_items(request: Request, services: AppServices, scope: OwnScope) -> Imported:
    """Each line by itself: a broken one is refused, the others are stored, each only once."""
    done = Imported()
    lines = numbered_lines(body_chunks(request.receive), limit_bytes=services.max_body_bytes)
    async for batch in batches(lines):
        # In a thread: to find the words of many lines takes longer than the loop may be held.
        read = await asyncio.to_thread(read_lines, batch, scope, services.memory.now())
        added = await services.memory.store.add_turns(read.exchanges)
        done.imported += added
        done.unchanged += len(batch) - len(read.refused) - added
        done.refused += len(read.refused)
        done.refused_lines += read.refused[: _MOST_REPORTED - len(done.refused_lines)]
        services.stored_directly()
    return done


async def _lines(store: MemoryStore, scope: Scope, page: TurnPage) -> AsyncGenerator[bytes]:
    while True:
        yield b"".join(Item.of(turn).model_dump_json().encode() + b"\n" for turn in page.turns)
        if page.last is None:
            return
        page = await store.turns(scope, limit=_PAGE_TURNS, after=page.last, oldest_first=True)
