"""Exchanges to store, in few words."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Role,
    Scope,
    SessionId,
    TenantId,
    ToolCall,
    Turn,
    UserId,
)
from memory_proxy.retrieval.entries import entry_of
from memory_proxy.stores.base import EntryPage, MemoryStore, VectorPage

T0 = datetime(2030, 1, 1, tzinfo=UTC)


def scope(user: str, tenant: str = "acme") -> Scope:
    return Scope(TenantId(tenant), UserId(user))


ANN, BOB = scope("ann"), scope("bob")
SESSION = SessionId("first")


def minutes(number: float) -> datetime:
    return T0 + timedelta(minutes=number)


def exchange(
    name: str,
    *texts: str,
    of: Scope = ANN,
    session: str = SESSION,
    minute: float = 0,
    partial: bool = False,
) -> Exchange:
    """Turns of a user and an assistant by turns."""
    roles = (Role.USER, Role.ASSISTANT)
    messages = [Message(roles[n % 2], text) for n, text in enumerate(texts or (f"text of {name}",))]
    return exchange_of(name, messages, of=of, session=session, minute=minute, partial=partial)


def exchange_of(
    name: str,
    messages: Sequence[Message],
    *,
    of: Scope = ANN,
    session: str = SESSION,
    minute: float = 0,
    partial: bool = False,
) -> Exchange:
    turns = tuple(
        Turn(
            SessionId(session),
            ExchangeId(name),
            position,
            message,
            minutes(minute),
            an_entry(message, SessionId(session)),
        )
        for position, message in enumerate(messages)
    )
    return Exchange(ExchangeId(name), of, SessionId(session), turns, minutes(minute), partial)


def an_entry(message: Message, session: SessionId = SESSION) -> bytes:
    """One for every text, also for a text of stop words."""
    if not message.text:
        return b""
    return entry_of(replace(message, text=f"{message.text} entry"), session, T0)


def a_tool_call(number: int) -> ToolCall:
    return ToolCall(f"call-{number}", "look_up", '{"q": "tea \\u00e9 \\"quoted\\""}')


async def findable(store: MemoryStore, of: Scope = ANN, *, page: int = 3) -> list[str]:
    """The texts of the turns that have entries, read page by page as an index reads them."""
    cursor = None
    found: list[str] = []
    while True:
        entries = await store.entries(of, after=cursor, limit=page)
        found = [] if entries.restarts else found
        found += await texts_of(store, entries, of)
        cursor = entries.cursor
        if not len(entries.numbers):
            return found


async def texts_of(store: MemoryStore, page: EntryPage | VectorPage, of: Scope = ANN) -> list[str]:
    numbers = page.numbers.tolist()
    turns = await store.turns_numbered(of, numbers)
    return [turns[number].message.text for number in numbers if number in turns]


def texts(turns: Sequence[Turn]) -> list[str]:
    return [turn.message.text for turn in turns]


async def becomes_true(predicate: Callable[[], Awaitable[bool]]) -> None:
    """Within 20 seconds, or TimeoutError."""
    async with asyncio.timeout(20):
        while not await predicate():  # noqa: ASYNC110 - it asks the disk, which sends no event
            await asyncio.sleep(0.01)
