"""The nouns of the proxy: plain frozen values, with no I/O and no framework in them."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

TenantId = NewType("TenantId", str)
UserId = NewType("UserId", str)
SessionId = NewType("SessionId", str)
ExchangeId = NewType("ExchangeId", str)
MessageDigest = NewType("MessageDigest", str)
TraceId = NewType("TraceId", str)

Headers = tuple[tuple[str, str], ...]
"""Pairs in the order of arrival, names in lower case; one name may come twice."""


def first_header(headers: Headers, name: str) -> str | None:
    """The first value of `name` (in lower case), or None."""
    for key, value in headers:
        if key == name:
            return value
    return None


class Role(StrEnum):
    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memory this is. Nothing is ever read or written across scopes."""

    tenant: TenantId
    user: UserId


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom the API key proved. Headers may only choose within it."""

    tenant: TenantId


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the assistant asked for; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation, in no provider's dialect.

    `text` holds the words only: images, audio and reasoning are not in it. `tool_call_id` names the
    call that a message of role TOOL answers.
    """

    role: Role
    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One stored message. `at` is aware UTC; `entry` is what recall finds it by, for
    the store opaque bytes; b"": it is not found.

    `pinned`: the user wants it recalled always. `edited_at`: when the user last changed its text.
    """

    session: SessionId
    exchange: ExchangeId
    position: int  # within its exchange, from 0
    message: Message
    at: datetime
    entry: bytes = b""
    pinned: bool = False
    edited_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """The exact text that was put into a message; "" says that nothing was.

    `quotes` are the turns whose words it holds: when one of them goes, or is changed, it goes too.
    """

    message: MessageDigest
    note: str
    quotes: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one request added to a session: its new messages, then the reply.

    The id is a digest of what led to it, so that the same request sent twice is stored once: a
    later complete exchange replaces a partial one, never the other way round.
    """

    id: ExchangeId
    scope: Scope
    session: SessionId
    turns: tuple[Turn, ...]
    at: datetime
    partial: bool = False  # the reply broke off
    ledger: tuple[LedgerEntry, ...] = ()  # what was newly put into its messages


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session as a list shows it; times are aware UTC."""

    id: SessionId
    started_at: datetime
    last_at: datetime
    turn_count: int


@dataclass(frozen=True, slots=True)
class InboundRequest:
    """A request as it came. `path` is decoded and checked; `raw_path` and `query`, which has no
    "?", are as the client wrote them."""

    method: str
    path: str
    raw_path: str
    query: str
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """LiteLLM's answer; `chunks` are its body bytes as they arrive."""

    status: int
    headers: Headers
    chunks: AsyncIterator[bytes]
