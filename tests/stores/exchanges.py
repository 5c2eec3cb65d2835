"""Exchanges to store, in few words."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
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
    """Turns of a user and an assistant by turns; their terms are their words."""
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
            tuple(message.text.split()),
        )
        for position, message in enumerate(messages)
    )
    return Exchange(ExchangeId(name), of, SessionId(session), turns, minutes(minute), partial)


def a_tool_call(number: int) -> ToolCall:
    return ToolCall(f"call-{number}", "look_up", '{"q": "tea \\u00e9 \\"quoted\\""}')


def texts(turns: Sequence[Turn]) -> list[str]:
    return [turn.message.text for turn in turns]


async def becomes_true(predicate: Callable[[], Awaitable[bool]]) -> None:
    """Within 20 seconds, or TimeoutError."""
    async with asyncio.timeout(20):
        while not await predicate():  # noqa: ASYNC110 - it asks the disk, which sends no event
            await asyncio.sleep(0.01)
