"""The contract every wire format keeps: bytes in, values out, no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from memory_proxy.core.errors import MemoryProxyError
from memory_proxy.core.types import Message


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a format may write into a body; offsets are in bytes of `ChatRequest.raw`.

    `note_into` says what stands at `note_at`: the closing quote of a string ("text"), or the
    closing bracket of a list of content parts ("parts", or "no_parts" when the list is empty).
    """

    history_at: int  # before the first message that is not a system message
    note_at: int
    note_into: Literal["text", "parts", "no_parts"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a wire format understood of a body; `raw` is that body, byte for byte.

    `messages` are all of the conversation's, in order, system messages included. `slot` is None
    where there is no human message to write to.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool
    raw: bytes
    slot: Slot | None
    session_evidence: str | None = None  # a session id that the body itself states


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class ReplyReader(Protocol):
    """Listens to one upstream reply, in whatever chunks it arrives.

    A reader only overhears: it never raises, since nothing that it fails to understand may disturb
    the client's own reply. Of several choices (`n > 1`) it keeps the first.
    """

    def feed(self, data: bytes) -> None: ...

    @property
    def message(self) -> Message | None:
        """The assistant's words and tool calls so far; None when nothing was understood."""
        ...

    @property
    def complete(self) -> bool:
        """Whether the reply said by itself that it was over."""
        ...

    @property
    def usage(self) -> Usage: ...


class WireFormat(Protocol):
    """One provider-facing JSON dialect."""

    @property
    def name(self) -> str: ...

    def matches(self, method: str, path: str) -> bool: ...

    def read(self, body: bytes) -> ChatRequest:
        """Raises InvalidRequest when `body` is not this format."""
        ...

    def write(self, request: ChatRequest, *, history: Sequence[Message], note: str) -> bytes:
        """`request` with `history` put before its conversation and `note` at the end of its newest
        human message; every other byte as it was. Nothing to add: `request.raw` itself."""
        ...

    def reply_reader(self, *, stream: bool) -> ReplyReader: ...

    def error_body(self, error: MemoryProxyError, request_id: str) -> bytes: ...

    def error_event(self, error: MemoryProxyError, request_id: str) -> bytes:
        """What a client of this format expects in place of the rest of a broken stream."""
        ...
