"""The contract every wire format keeps: bytes in, values out, no I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from memory_proxy.core.types import Message


@dataclass(frozen=True, slots=True)
class Slot:
    """Where a format may write into a body; offsets are in bytes of `ChatRequest.raw`.

    `humans` are the spans, begin and end, of the messages with a person's words or images, by
    their index in `ChatRequest.messages`: each may take a note at the end of its content.
    """

    history_at: int  # before the first message that is not a system message
    humans: Mapping[int, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a wire format understood of a body; `raw` is that body, byte for byte.

    `messages` are all of the conversation's, in order, system messages included. `slot` is None
    where nothing may be written: no conversation, or its place in `raw` is not beyond doubt.
    """

    model: str
    messages: tuple[Message, ...]
    stream: bool
    raw: bytes
    slot: Slot | None
    newest_is_human: bool  # the reply answers a person, not a tool's result
    session_evidence: str | None = None  # a session id that the body itself states
    tool_count: int = 0  # how many tools the model may call
    max_tokens: int | None = None  # the longest reply that is asked for

    @property
    def newest_human(self) -> int | None:
        """The index in `messages` of the newest message that may take a note."""
        return max(self.slot.humans, default=None) if self.slot else None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider counted them, cached ones included; None where it did not say."""

    input_tokens: int | None = None
    output_tokens: int | None = None


class ReplyReader(Protocol):
    """Listens to one upstream reply, in whatever chunks it arrives.

    A reader only overhears: it never raises, since nothing that it fails to understand may disturb
    the client's own reply. It keeps the first of several choices (`n > 1`), and the first million
    characters of a reply.
    """

    def feed(self, data: bytes) -> None: ...

    @property
    def message(self) -> Message | None:
        """The assistant's words and tool calls so far; None when there were none."""
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

    def write(
        self, request: ChatRequest, *, history: Sequence[Message], notes: Mapping[int, str]
    ) -> bytes:
        """`request` with `history` put before its conversation and `notes`, by the index of their
        message, each at the end of that human message; every other byte as it was.

        What `request.slot` has no place for is left out, and so are system messages of `history`.
        Nothing to add: `request.raw` itself.
        """
        ...

    def reply_reader(self, *, stream: bool) -> ReplyReader: ...
