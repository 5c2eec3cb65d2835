"""OpenAI chat completions: https://platform.openai.com/docs/api-reference/chat"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

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

_PATH = re.compile(r"(?:/v1|/openai/deployments/.+|/engines/.+)?/chat/completions")

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "tool": Role.TOOL,
    "function": Role.TOOL,
}
"""Whatever has another role ("developer", say) instructs the model: it is read as SYSTEM."""

_WORDS = frozenset({"text", "refusal"})


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Custom(msgspec.Struct):
    name: str | None = None
    input: str | None = None


class _Call(msgspec.Struct):
    """A tool call, whole or one delta of it."""

    index: int | None = None
    id: str | None = None
    function: _Function | None = None
    custom: _Custom | None = None


class _Part(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Entry(msgspec.Struct):
    """One of a request's messages."""

    role: str
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    function_call: _Function | None = None  # the form that preceded tool_calls; it has no ids
    tool_call_id: str | None = None
    name: str | None = None


class _Said(msgspec.Struct):
    """A reply's message, whole or one delta of it."""

    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    index: int | None = None
    message: _Said | None = None
    delta: _Said | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None


class _Document(msgspec.Struct):
    """A whole reply or one chunk of it: they differ only in `message` against `delta`."""

    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_entries = msgspec.json.Decoder(list[_Entry])
_document = msgspec.json.Decoder(_Document)


class OpenAIChat:
    name = "openai_chat"

    def matches(self, method: str, path: str) -> bool:
        return method == "POST" and _PATH.fullmatch(path) is not None

    def read(self, body: bytes) -> ChatRequest:
        members = members_of(body)
        try:
            return _request(body, members)
        except UNREADABLE as error:
            raise InvalidRequest(f"not a chat completion request: {error}") from error

    def write(
        self, request: ChatRequest, *, history: Sequence[Message], notes: Mapping[int, str]
    ) -> bytes:
        return written(request, history=_rendered(history), notes=notes)

    def reply_reader(self, *, stream: bool) -> ReplyReader:
        return StreamReader(_hear) if stream else BodyReader(_hear)


def _request(body: bytes, members: Members) -> ChatRequest:
    items = items_of(members, "messages")
    entries = _entries.decode(members["messages"])
    messages = tuple(_message(entry, item) for entry, item in zip(entries, items, strict=True))
    opening = next((i for i, m in enumerate(messages) if m.role is not Role.SYSTEM), len(items))
    humans = {i: i for i, entry in enumerate(entries) if _is_persons(entry)}
    human = max(humans, default=None)
    return ChatRequest(
        model=text_of(members, "model") or "",
        messages=messages,
        stream=bytes(members.get("stream", b"")) == b"true",
        raw=body,
        slot=locate_slot(body, members, items, opening=opening, humans=humans),
        newest_is_human=human is not None
        and not any(m.role is Role.TOOL for m in messages[human + 1 :]),
        session_evidence=_session_evidence(members),
        tool_count=count_of(members, "tools") + count_of(members, "functions"),
        max_tokens=integer_of(members, "max_completion_tokens")
        or integer_of(members, "max_tokens"),
    )


def _session_evidence(members: Members) -> str | None:
    for name in ("litellm_session_id", "prompt_cache_key"):
        with suppress(*UNREADABLE):
            if stated := text_of(members, name):
                return stated
    return None


def _message(entry: _Entry, item: msgspec.Raw) -> Message:
    role = _ROLES.get(entry.role, Role.SYSTEM)
    text = _words(entry, role)
    if role is Role.USER and isinstance(entry.content, list):
        text = with_attachments(text, item, [part.type for part in entry.content])
    if role is Role.TOOL:
        return Message(role, text, tool_call_id=entry.tool_call_id or entry.name or "")
    if entry.tool_calls or entry.function_call:
        return Message(role, text, _calls(entry))
    return Message(role, text)


def _words(entry: _Entry, role: Role) -> str:
    content = entry.content
    if isinstance(content, str):
        return content
    if content is None:
        return entry.refusal or ""
    words = [part.text or part.refusal or "" for part in content if part.type in _WORDS]
    return ("" if role is Role.ASSISTANT else "\n").join(words)


def _calls(entry: _Entry) -> tuple[ToolCall, ...]:
    if entry.function_call:
        name = entry.function_call.name or ""
        return (ToolCall(name, name, entry.function_call.arguments or "{}"),)
    return tuple(ToolCall(call.id or "", *_named(call)) for call in entry.tool_calls or ())


def _named(call: _Call) -> tuple[str, str]:
    """The name and the arguments, as far as this call or delta has them."""
    if call.custom:
        return call.custom.name or "", call.custom.input or ""
    function = call.function or _Function()
    return function.name or "", function.arguments or ""


def _is_persons(entry: _Entry) -> bool:
    """Whether it holds words or images of a person."""
    if entry.role != "user" or not entry.content:
        return False
    if isinstance(entry.content, str):
        return not entry.content.isspace()
    return any(part.type != "text" or (part.text or "").strip() for part in entry.content)


def _rendered(history: Sequence[Message]) -> list[dict[str, object]]:
    return [_entry_of(message) for message in history if is_sayable(message)]


def _entry_of(message: Message) -> dict[str, object]:
    if message.role is Role.TOOL:
        return {"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text}
    if not message.tool_calls:
        return {"role": message.role, "content": message.text}
    calls = [
        {
            "id": call.id,
            "type": "function",
            "function": {"name": call.name, "arguments": object_arguments(call.arguments)},
        }
        for call in message.tool_calls
    ]
    return {"role": message.role, "content": message.text or None, "tool_calls": calls}


def _hear(document: bytes, reply: Reply) -> None:
    if document == b"[DONE]":
        reply.has_ended = True
        return
    heard = _document.decode(document)
    if heard.error:
        reply.has_failed = True
    if heard.usage:
        reply.usage = Usage(heard.usage.prompt_tokens, heard.usage.completion_tokens)
    for position, choice in enumerate(heard.choices or ()):
        index = position if choice.index is None else choice.index
        if index == 0:
            _hear_choice(choice, reply)


def _hear_choice(choice: _Choice, reply: Reply) -> None:
    if choice.finish_reason or choice.message:
        reply.has_ended = True
    said = choice.delta or choice.message
    if not said:
        return
    if words := said.content or said.refusal:
        reply.say(words)
    for position, call in enumerate(said.tool_calls or ()):
        name, arguments = _named(call)
        index = position if call.index is None else call.index
        reply.call(index, id=call.id or "", name=name, arguments=arguments)
