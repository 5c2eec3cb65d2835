"""Overhearing a reply: what every format's reader does alike.

Chunks are only collected while they pass, and understood in batches: that keeps the cost of a chunk
far below a microsecond, and what a stream holds small and bounded.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import StringIO

from memory_proxy.core.types import Message, Role, ToolCall
from memory_proxy.wire.base import Usage
from memory_proxy.wire.splice import UNREADABLE
from memory_proxy.wire.sse import EventDecoder

_BATCH_BYTES = 4 * 1024
_MAX_BODY_BYTES = 10 * 2**20
_MAX_CHARACTERS = 1_000_000
_MAX_CALLS = 1_000


@dataclass(slots=True)
class _Call:
    id: str
    name: str
    arguments: StringIO = field(default_factory=StringIO)


class Reply:
    """What a reply has said so far. A format's `Hear` function tells it what it understood."""

    def __init__(self) -> None:
        self.usage = Usage()
        self.has_ended = False
        self.has_failed = False
        self._text = StringIO()
        self._calls: list[_Call] = []
        self._newest_call: dict[int, _Call] = {}
        self._room = _MAX_CHARACTERS

    def say(self, text: str) -> None:
        self._write(self._text, text)

    def call(self, index: int, *, id: str, name: str, arguments: str) -> None:
        """Begin or continue the tool call at `index`; another id there begins another call."""
        call = self._newest_call.get(index)
        if call is None or (id and call.id and id != call.id):
            if len(self._calls) == _MAX_CALLS:
                return
            call = self._newest_call[index] = _Call("", "")
            self._calls.append(call)
        call.id = call.id or id
        call.name = call.name or name
        self._write(call.arguments, arguments)

    @property
    def is_complete(self) -> bool:
        return self.has_ended and not self.has_failed

    def message(self) -> Message | None:
        text = self._text.getvalue()
        calls = tuple(
            ToolCall(call.id, call.name, call.arguments.getvalue() or "{}") for call in self._calls
        )
        return Message(Role.ASSISTANT, text, calls) if text or calls else None

    def _write(self, to: StringIO, text: str) -> None:
        to.write(text[: self._room])
        self._room = max(0, self._room - len(text))


Hear = Callable[[bytes, Reply], None]
"""Understands one JSON document (an event of a stream, or a whole body); may raise UNREADABLE."""


class StreamReader:
    """A ReplyReader of server-sent events."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._reply = Reply()
        self._decoder = EventDecoder()
        self._waiting = bytearray()

    def feed(self, data: bytes) -> None:
        self._waiting += data
        if len(self._waiting) >= _BATCH_BYTES:
            self._heard()

    @property
    def message(self) -> Message | None:
        return self._heard().message()

    @property
    def complete(self) -> bool:
        return self._heard().is_complete

    @property
    def usage(self) -> Usage:
        return self._heard().usage

    def _heard(self) -> Reply:
        for event in self._decoder.feed(bytes(self._waiting)):
            try:
                self._hear(event, self._reply)
            except UNREADABLE:
                continue  # an unknown event, a provider's own extension
        self._waiting.clear()
        return self._reply


class BodyReader:
    """A ReplyReader of one JSON document; one of more than 10 MB is not read."""

    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._reply: Reply | None = None
        self._body = bytearray()

    def feed(self, data: bytes) -> None:
        self._reply = None
        if len(self._body) <= _MAX_BODY_BYTES:
            self._body += data

    @property
    def message(self) -> Message | None:
        return self._heard().message()

    @property
    def complete(self) -> bool:
        return self._heard().is_complete

    @property
    def usage(self) -> Usage:
        return self._heard().usage

    def _heard(self) -> Reply:
        if self._reply is None:
            self._reply = Reply()
            with suppress(*UNREADABLE):
                if len(self._body) <= _MAX_BODY_BYTES:
                    self._hear(bytes(self._body), self._reply)
        return self._reply
