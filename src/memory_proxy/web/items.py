"""What is remembered of one user, item by item: list, add, get, edit, pin, delete."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, StringConstraints

from memory_proxy.core.errors import InvalidRequest, NotFound
from memory_proxy.core.types import Scope, SessionId, Turn
from memory_proxy.memory.items import edited, key_of, written_down
from memory_proxy.stores.base import TurnKey, TurnPlace
from memory_proxy.web.bodies import read_json
from memory_proxy.web.dependencies import AppServices, OwnScope
from memory_proxy.web.item_models import Item
from memory_proxy.web.services import Services

routes = APIRouter(prefix="/memory/items")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLACE = re.compile(r"(-?[0-9]{1,18})\.([0-9]{1,18})\.([0-9]{1,6})", re.ASCII)

Words = Annotated[str, StringConstraints(pattern=r"\S")]


class ItemList(BaseModel):
    """`next_after` continues the list; null at its end."""

    items: list[Item]
    next_after: str | None


class NewItem(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    text: Words
    pinned: bool = False


class ItemChange(BaseModel):
    """What is not given stays as it is."""

    model_config = ConfigDict(strict=True, extra="forbid")

    text: Words | None = None
    pinned: bool | None = None


class DeletedItem(BaseModel):
    """How much went: the turn, its entry in the index, notes that quoted it, its vectors,
    receipts that showed it."""

    id: str
    turns: int
    index_entries: int
    ledger_entries: int
    vectors: int
    traces: int


@routes.get("")
async def list_items(
    services: AppServices,
    scope: OwnScope,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    session: str | None = None,
    after: str | None = None,
) -> ItemList:
    """The newest first, of one `session` or of all; `after` takes up where the last list ended."""
    place = None if after is None else _place(after)
    await services.settled(scope)
    page = await services.memory.store.turns(
        scope, limit=limit, session=None if session is None else SessionId(session), after=place
    )
    more = None if page.last is None else _cursor(page.last)
    return ItemList(items=[Item.of(turn) for turn in page.turns], next_after=more)


@routes.post("", status_code=201)
async def add_item(request: Request, services: AppServices, scope: OwnScope) -> Item:
    """A note of the user's own; it is stored when the answer comes."""
    new = await read_json(request, NewItem, limit_bytes=services.max_body_bytes)
    exchange = written_down(scope, new.text, pinned=new.pinned, at=services.memory.now())
    await services.memory.store.append(exchange)
    services.stored_directly()
    return Item.of(exchange.turns[0])


@routes.get("/{item_id}")
async def read_item(item_id: str, services: AppServices, scope: OwnScope) -> Item:
    await services.settled(scope)
    return Item.of(await _turn(services, scope, _key(item_id)))


@routes.patch("/{item_id}")
async def change_item(
    item_id: str, request: Request, services: AppServices, scope: OwnScope
) -> Item:
    """Other words, a pin, or none. Id and date stay; nothing of the old words does."""
    change = await read_json(request, ItemChange, limit_bytes=services.max_body_bytes)
    if change.text is None and change.pinned is None:
        raise InvalidRequest("nothing to change: have text and pinned")
    key = _key(item_id)
    await services.settled(scope)
    if change.text is not None:
        await _edit(services, scope, key, change.text)
    if change.pinned is not None:
        await services.memory.store.pin(scope, key, pinned=change.pinned)
    return Item.of(await _turn(services, scope, key))


@routes.delete("/{item_id}")
async def delete_item(item_id: str, services: AppServices, scope: OwnScope) -> DeletedItem:
    """Forgets the item wholly: also where it was indexed, embedded and quoted."""
    key = _key(item_id)
    await services.settled(scope)
    gone = await services.memory.store.delete_turn(scope, key)
    if gone is None:
        raise _no_such_item()
    return DeletedItem(
        id=item_id,
        turns=gone.turns,
        index_entries=gone.index_entries,
        ledger_entries=gone.ledger_entries,
        vectors=gone.vectors,
        traces=services.traces.forget_turn(scope, key.exchange, key.position),
    )


async def _edit(services: Services, scope: Scope, key: TurnKey, text: str) -> None:
    turn = await _turn(services, scope, key)
    if turn.message.text != text:
        new = edited(turn, text, at=services.memory.now())
        await services.memory.store.replace_turn(scope, new)
        services.traces.forget_turn(scope, key.exchange, key.position)
        services.stored_directly()


async def _turn(services: Services, scope: Scope, key: TurnKey) -> Turn:
    turn = await services.memory.store.turn(scope, key)
    if turn is None:
        raise _no_such_item()
    return turn


def _key(item_id: str) -> TurnKey:
    key = key_of(item_id)
    if key is None:
        raise _no_such_item()
    return key


def _no_such_item() -> NotFound:
    return NotFound("no such item")


def _cursor(place: TurnPlace) -> str:
    microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
    return f"{microseconds}.{place.arrival}.{place.position}"


def _place(cursor: str) -> TurnPlace:
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise InvalidRequest("after: send the next_after of the list before")
    at, arrival, position = map(int, found.groups())
    try:
        return TurnPlace(_EPOCH + timedelta(microseconds=at), arrival, position)
    except OverflowError as error:
        raise InvalidRequest("after: send the next_after of the list before") from error
