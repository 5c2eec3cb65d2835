"""The recorded bodies: what a client sent, what we understood and sent on, what came back.

A case is a folder: `request.json` as the client wrote it, `understood.json`, `upstream.json` with
HISTORY and NOTE written into it, `reply.json` or `reply.sse`, and `overheard.json`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memory_proxy.core.types import Message, Role, ToolCall
from memory_proxy.wire import WIRE_FORMATS, WireFormat
from memory_proxy.wire.base import ChatRequest, ReplyReader

NOTE = 'Recalled notes:\n{"text": "Ann\'s dog is called \u201cBo\u201d \U0001f415"}\n'

HISTORY = (
    Message(Role.SYSTEM, "A request brings its own instructions."),
    Message(Role.USER, "How old is\tBo?"),
    Message(
        Role.ASSISTANT,
        "",
        (
            ToolCall("call_1", "age_of", '{"name": "Bo"}'),
            ToolCall("call_2", "notepad", "free text"),
        ),
    ),
    Message(Role.TOOL, "4", tool_call_id="call_1"),
    Message(Role.TOOL, "", tool_call_id="call_2"),
    Message(Role.ASSISTANT, 'Bo is "4".'),
    Message(Role.USER, " "),
    Message(Role.ASSISTANT, "Shall I look again?", (ToolCall("call_3", "age_of", ""),)),
    Message(Role.TOOL, "5", tool_call_id="call_3"),
)


@dataclass(frozen=True)
class Case:
    wire: WireFormat
    folder: Path

    @property
    def id(self) -> str:
        return f"{self.wire.name}/{self.folder.name}"

    @property
    def request(self) -> bytes:
        return (self.folder / "request.json").read_bytes()

    @property
    def upstream(self) -> bytes:
        return (self.folder / "upstream.json").read_bytes()

    @property
    def is_stream(self) -> bool:
        return (self.folder / "reply.sse").exists()

    @property
    def reply(self) -> bytes:
        return (self.folder / ("reply.sse" if self.is_stream else "reply.json")).read_bytes()

    def expected(self, name: str) -> Any:
        return json.loads((self.folder / name).read_bytes())


def cases() -> list[Case]:
    root = Path(__file__).parent / "recordings"
    return [
        Case(wire, folder)
        for wire in WIRE_FORMATS
        for folder in sorted((root / wire.name).iterdir())
    ]


def with_note(
    wire: WireFormat, request: ChatRequest, note: str, history: Sequence[Message] = ()
) -> bytes:
    """`request` as sent on, with `note` at the end of its newest human message, if it has one."""
    newest = request.newest_human
    return wire.write(request, history=history, notes={} if newest is None else {newest: note})


def place_of_insertion(body: bytes, written: bytes) -> int:
    """Where bytes were put into `body`, in one piece; fails when any other byte has changed."""
    added = len(written) - len(body)
    return next(at for at in range(len(body)) if written[:at] + written[at + added :] == body)


def described_request(request: ChatRequest) -> dict[str, Any]:
    return {
        "model": request.model,
        "stream": request.stream,
        "session": request.session_evidence,
        "newest_is_human": request.newest_is_human,
        "messages": [described_message(message) for message in request.messages],
    }


def described_message(message: Message) -> dict[str, Any]:
    described: dict[str, Any] = {"role": message.role, "text": message.text}
    if message.tool_calls:
        described["calls"] = [[call.id, call.name, call.arguments] for call in message.tool_calls]
    if message.tool_call_id is not None:
        described["answers"] = message.tool_call_id
    return described


def described_reply(reader: ReplyReader) -> dict[str, Any]:
    message = reader.message
    return {
        "message": described_message(message) if message else None,
        "complete": reader.complete,
        "tokens": [reader.usage.input_tokens, reader.usage.output_tokens],
    }
