"""The demo model over HTTP: OpenAI chat completions, whole and streamed, and the list of models."""

import re
from collections.abc import Awaitable, Callable, Iterator
from hashlib import sha256
from typing import Annotated, Any

import msgspec
from aiohttp import web

from memory_proxy.demo.quoting import Said, answer

_MAX_BODY_BYTES = 64 << 20
_CREATED = 1767225600  # when this model was made; the same for every reply, as the reply itself is
_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class _ChatMessage(msgspec.Struct):
    role: str = ""
    content: str | list[Any] | None = None


class _Chat(msgspec.Struct):
    messages: Annotated[list[_ChatMessage], msgspec.Meta(min_length=1)]
    model: str = "demo"
    stream: bool | None = None
    n: Annotated[int, msgspec.Meta(ge=1, le=128)] | None = None
    stream_options: _StreamOptions | None = None


def create_demo() -> web.Application:
    demo = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[_errors_as_openai_says])
    demo.router.add_post("/v1/chat/completions", _chat)
    demo.router.add_get("/v1/models", _models)
    demo.router.add_get("/health", _health)
    return demo


async def _health(_: web.Request) -> web.Response:
    return _json({"status": "healthy"})


async def _models(_: web.Request) -> web.Response:
    model = {"id": "demo", "object": "model", "created": _CREATED, "owned_by": "memory-proxy"}
    return _json({"object": "list", "data": [model]})


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.read()
    try:
        chat = msgspec.json.decode(body, type=_Chat)
    except (msgspec.MsgspecError, RecursionError) as error:
        return _error(400, f"cannot read this chat: {error}")
    said = [Said(message.role, _text(message.content)) for message in chat.messages]
    text = answer(said)
    frame = {"id": f"chatcmpl-{sha256(body).hexdigest()[:24]}", "created": _CREATED}
    frame["model"] = chat.model
    usage = _usage(said, text, chat.n or 1)
    if not chat.stream:
        return _json(_completion(frame, text, chat.n or 1, usage))
    return await _streamed(request, _chunks(frame, text, chat, usage))


async def _streamed(request: web.Request, chunks: Iterator[bytes]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def _completion(
    frame: dict[str, Any], text: str, count: int, usage: dict[str, int]
) -> dict[str, Any]:
    message = {"role": "assistant", "content": text}
    choices = [{"index": i, "message": message, "finish_reason": "stop"} for i in range(count)]
    return {**frame, "object": "chat.completion", "choices": choices, "usage": usage}


def _chunks(
    frame: dict[str, Any], text: str, chat: _Chat, usage: dict[str, int]
) -> Iterator[bytes]:
    """A word a chunk, choice by choice; `usage` in a last chunk of its own when asked for."""
    frame = {**frame, "object": "chat.completion.chunk"}
    for index in range(chat.n or 1):
        deltas = [{"role": "assistant", "content": ""}, *({"content": w} for w in _words(text))]
        for delta in deltas:
            yield _event({**frame, "choices": [_choice(index, delta, None)]})
        yield _event({**frame, "choices": [_choice(index, {}, "stop")]})
    if chat.stream_options and chat.stream_options.include_usage:
        yield _event({**frame, "choices": [], "usage": usage})
    yield b"data: [DONE]\n\n"


def _choice(index: int, delta: dict[str, str], finish_reason: str | None) -> dict[str, Any]:
    return {"index": index, "delta": delta, "finish_reason": finish_reason}


def _event(chunk: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


def _text(content: str | list[Any] | None) -> str:
    """The words of a message's content; parts that are no text are left out."""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_part_text, content)))
    return content or ""


def _part_text(part: object) -> str:
    match part:
        case {"text": str(text)}:
            return text
        case _:
            return ""


def _usage(said: list[Said], text: str, count: int) -> dict[str, int]:
    """Words for tokens: a model without a tokenizer has nothing truer to count."""
    asked = sum(len(_words(message.text)) for message in said)
    answered = len(_words(text)) * count
    return {
        "prompt_tokens": asked,
        "completion_tokens": answered,
        "total_tokens": asked + answered,
    }


def _words(text: str) -> list[str]:
    """`text` in pieces of a word and the space after it; joined they are `text` again."""
    return re.findall(r"\S+\s*|^\s+", text)


def _json(value: object, *, status: int = 200) -> web.Response:
    body = msgspec.json.encode(value)
    return web.Response(body=body, status=status, content_type="application/json")


def _error(status: int, message: str) -> web.Response:
    kind = "invalid_request_error"
    error = {"message": message, "type": kind, "param": None, "code": None}
    return _json({"error": error}, status=status)


@web.middleware
async def _errors_as_openai_says(request: web.Request, handler: _Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as error:
        return _error(error.status, f"{error.reason}: {request.method} {request.path}")
