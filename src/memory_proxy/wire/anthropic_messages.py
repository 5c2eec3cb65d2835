"""Anthropic messages: https://docs.claude.com/en/api/messages"""

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby

import msgspec

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.core.types import Message, Role, ToolCall
from memory_proxy.wire.attachments import with_attachments
from memory_proxy.wire.base import ChatRequest, ReplyReader, Usage
from memory_proxy.wire.history import is_sayable, object_arguments
from memory_proxy.wire.replies import BodyReader, Reply, StreamReader
from memory_proxy.wire.splice import (
    UNREADABLE,
    Members,
    count_of,
    integer_of,
    items_of,
    locate_slot,
    members_of,
    text_of,
    written,
)

_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}
"""Whatever has another role instructs the model: it is read as SYSTEM."""

_REMINDER = "<system-reminder>"  # Claude Code's own words, which it adds to its user's messages
_LEGACY_SESSION = re.compile(r"_session_([0-9a-fA-F-]{36})$")


class _Block(msgspec.Struct):
    """One content block of a request or a reply."""

    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")
    tool_use_id: str | None = None
    content: msgspec.Raw = msgspec.Raw(b"null")  # of a tool_result


_Content = str | list[_Block] | None


class _Entry(msgspec.Struct):
    """One of a request's messages."""

    role: str
    content: _Content = None


class _Metadata(msgspec.Struct):
    user_id: str | None = None


class _User(msgspec.Struct):
    """What Claude Code writes, as JSON, into `metadata.user_id`."""

    session_id: str | None = None


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None


class _Delta(msgspec.Struct):
    text: str | None = None
    partial_json: str | None = None


class _Started(msgspec.Struct):
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    """An event of a stream; a whole reply is one of type "message" that has the content."""

    type: str = ""
    index: int = 0
    message: _Started | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    content: list[_Block] | None = None
    usage: _Usage | None = None


_entries = msgspec.json.Decoder(list[_Entry])
_content = msgspec.json.Decoder(_Content)
_event = msgspec.json.Decoder(_Event)


class AnthropicMessages:
    name = "anthropic_messages"

    def matches(self, method: str, path: str) -> bool:
        return method == "POST" and path == "/v1/messages"

    def read(self, body: bytes) -> ChatRequest:
        members = members_of(body)
        try:
            return _request(body, members)
        except UNREADABLE as error:
            raise InvalidRequest(f"not a messages request: {error}") from error

    def write(
        self, request: ChatRequest, *, history: Sequence[Message], notes: Mapping[int, str]
    ) -> bytes:
        return written(request, history=_rendered(history), notes=notes)

    def reply_reader(self, *, stream: bool) -> ReplyReader:
        return StreamReader(_hear) if stream else BodyReader(_hear)


def _request(body: bytes, members: Members) -> ChatRequest:
    items = items_of(members, "messages")
    entries = _entries.decode(members["messages"])
    opening = next((i for i, entry in enumerate(entries) if entry.role in _ROLES), len(items))
    messages = list(_system(members))
    humans: dict[int, int] = {}
    for item, entry in enumerate(entries):
        messages += _messages(entry, items[item])
        if _is_persons(entry):
            humans[len(messages) - 1] = item
    human = max(humans.values(), default=None)
    return ChatRequest(
        model=text_of(members, "model") or "",
        messages=tuple(messages),
        stream=bytes(members.get("stream", b"")) == b"true",
        raw=body,
        slot=locate_slot(body, members, items, opening=opening, humans=humans),
        newest_is_human=human is not None
        and not any(_has_answer(entry) for entry in entries[human + 1 :]),
        session_evidence=_session_evidence(members),
        tool_count=count_of(members, "tools"),
        max_tokens=integer_of(members, "max_tokens"),
    )


def _session_evidence(members: Members) -> str | None:
    with suppress(*UNREADABLE):
        if stated := _claude_code_session(members):
            return stated
    with suppress(*UNREADABLE):
        return text_of(members, "litellm_session_id") or None
    return None


def _claude_code_session(members: Members) -> str | None:
    if "metadata" not in members:
        return None
    user_id = msgspec.json.decode(members["metadata"], type=_Metadata).user_id or ""
    if legacy := _LEGACY_SESSION.search(user_id):
        return legacy[1]
    return msgspec.json.decode(user_id, type=_User).session_id or None


def _system(members: Members) -> Iterable[Message]:
    if "system" in members and (content := _content.decode(members["system"])):
        yield Message(Role.SYSTEM, _words(content))


def _messages(entry: _Entry, item: msgspec.Raw) -> list[Message]:
    """A user's message that answers tools becomes one message an answer, then the user's words."""
    role = _ROLES.get(entry.role, Role.SYSTEM)
    content = entry.content
    if isinstance(content, str):
        return [Message(role, content)]
    if role is Role.ASSISTANT:
        return [Message(role, _words(content, between=""), _calls(content))]
    messages = [_answer(block) for block in content or () if block.type == "tool_result"]
    if not messages or len(messages) < len(content or ()):
        kinds = [block.type for block in content or ()]
        messages.append(Message(role, with_attachments(_words(content), item, kinds)))
    return messages


def _words(content: _Content, *, between: str = "\n") -> str:
    """Blocks of an assistant follow each other directly: citations cut its sentences."""
    if isinstance(content, str):
        return content
    return between.join([block.text or "" for block in content or () if block.type == "text"])


def _calls(blocks: Sequence[_Block] | None) -> tuple[ToolCall, ...]:
    return tuple(
        [
            ToolCall(block.id or "", block.name or "", bytes(block.input).decode())
            for block in blocks or ()
            if block.type == "tool_use"
        ]
    )


def _answer(result: _Block) -> Message:
    text = _words(_content.decode(result.content))
    return Message(Role.TOOL, text, tool_call_id=result.tool_use_id or "")


def _has_answer(entry: _Entry) -> bool:
    content = entry.content
    return isinstance(content, list) and any(block.type == "tool_result" for block in content)


def _is_persons(entry: _Entry) -> bool:
    """Whether it holds words or images of a person, besides what a client adds of its own."""
    if entry.role != "user" or not entry.content:
        return False
    if isinstance(entry.content, str):
        return _is_spoken(entry.content)
    return any(
        _is_spoken(block.text or "") if block.type == "text" else block.type != "tool_result"
        for block in entry.content
    )


def _is_spoken(text: str) -> bool:
    text = text.lstrip()
    return bool(text) and not text.startswith(_REMINDER)


def _rendered(history: Sequence[Message]) -> list[dict[str, object]]:
    """Answers to tools that stand side by side share one user message."""
    entries: list[dict[str, object]] = []
    for role, group in groupby(filter(is_sayable, history), key=lambda message: message.role):
        if role is Role.TOOL:
            entries.append({"role": "user", "content": [_result_block(m) for m in group]})
        else:
            entries += ({"role": role, "content": _content_of(message)} for message in group)
    return entries


def _result_block(message: Message) -> dict[str, object]:
    return {
        "type": "tool_result",
        "tool_use_id": message.tool_call_id or "",
        "content": message.text,
    }


def _content_of(message: Message) -> object:
    if not message.tool_calls:
        return message.text
    blocks: list[dict[str, object]] = [
        {
            "type": "tool_use",
            "id": call.id,
            "name": call.name,
            "input": msgspec.Raw(object_arguments(call.arguments)),
        }
        for call in message.tool_calls
    ]
    words = [{"type": "text", "text": message.text}] if message.text.strip() else []
    return [*words, *blocks]


def _hear(document: bytes, reply: Reply) -> None:
    event = _event.decode(document)
    match event.type:
        case "content_block_delta" if event.delta:
            _hear_delta(event.index, event.delta, reply)
        case "content_block_start" if event.content_block:
            _hear_block(event.index, event.content_block, reply)
        case "message_start" if event.message:
            _hear_usage(event.message.usage, reply)
        case "message_delta":
            _hear_usage(event.usage, reply)
        case "message_stop":
            reply.has_ended = True
        case "message" if event.content is not None:
            for index, block in enumerate(event.content):
                _hear_block(index, block, reply)
            _hear_usage(event.usage, reply)
            reply.has_ended = True
        case "error":
            reply.has_failed = True
        case _:
            pass


def _hear_delta(index: int, delta: _Delta, reply: Reply) -> None:
    if delta.text:
        reply.say(delta.text)
    if delta.partial_json:
        reply.call(index, id="", name="", arguments=delta.partial_json)


def _hear_block(index: int, block: _Block, reply: Reply) -> None:
    if block.type == "text" and block.text:
        reply.say(block.text)
    if block.type == "tool_use":
        arguments = bytes(block.input).decode()
        if not arguments.strip("{} "):
            arguments = ""  # they follow in deltas, or there are none
        reply.call(index, id=block.id or "", name=block.name or "", arguments=arguments)


def _hear_usage(usage: _Usage | None, reply: Reply) -> None:
    """Later counts replace earlier ones; the cached tokens are counted beside `input_tokens`."""
    if usage is None:
        return
    known = reply.usage
    if usage.input_tokens is not None:
        cached = (usage.cache_creation_input_tokens or 0) + (usage.cache_read_input_tokens or 0)
        known = Usage(usage.input_tokens + cached, known.output_tokens)
    if usage.output_tokens is not None:
        known = Usage(known.input_tokens, usage.output_tokens)
    reply.usage = known
