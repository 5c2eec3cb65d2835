"""Values that many tests need, made short."""

from datetime import UTC, datetime, timedelta

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Role,
    Scope,
    SessionId,
    TenantId,
    Turn,
    UserId,
)
from memory_proxy.retrieval.entries import entry_of

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
ANN = Scope(TenantId("default"), UserId("ann"))
BOB = Scope(TenantId("default"), UserId("bob"))


def user(text: str) -> Message:
    return Message(Role.USER, text)


def assistant(text: str) -> Message:
    return Message(Role.ASSISTANT, text)


def an_exchange(
    *messages: Message,
    scope: Scope = ANN,
    session: str = "s1",
    name: str = "e1",
    minute: int = 0,
    partial: bool = False,
) -> Exchange:
    at = NOON + timedelta(minutes=minute)
    turns = tuple(
        Turn(
            SessionId(session),
            ExchangeId(name),
            i,
            message,
            at,
            entry_of(message, SessionId(session), at),
        )
        for i, message in enumerate(messages)
    )
    return Exchange(ExchangeId(name), scope, SessionId(session), turns, at, partial)
