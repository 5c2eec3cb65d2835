"""What a fake provider answers: the very bytes, and what happens between them."""

import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

Chunk = bytes | asyncio.Event
"""A piece of a body; an event holds back what follows it until the test sets it."""


class Ending(Enum):
    """How a server may end the connection itself, in place of a proper end of the reply."""

    CLOSE = auto()
    RESET = auto()


@dataclass(frozen=True, slots=True)
class Reply:
    """Steps taken one after the other: bytes are written as they are, an event is waited for."""

    steps: tuple[Chunk | Ending, ...]


def whole(
    body: bytes,
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (("content-type", "application/json"),),
) -> Reply:
    """A reply with a Content-Length."""
    fields = (*headers, ("content-length", str(len(body))))
    return Reply((_head(status, fields) + body,))


def streamed(
    chunks: Iterable[Chunk],
    *,
    status: int = 200,
    headers: Iterable[tuple[str, str]] = (("content-type", "text/event-stream; charset=utf-8"),),
    break_after: int | None = None,
) -> Reply:
    """A reply in HTTP chunks, each written by itself.

    `break_after`: reset the connection after so many chunks (events not counted), the head being
    sent in any case.
    """
    head = _head(status, (*headers, ("transfer-encoding", "chunked")))
    if break_after is None:
        return Reply((head, *map(_framed, chunks), b"0\r\n\r\n"))
    return Reply((head, *map(_framed, _first(break_after, chunks)), Ending.RESET))


def hang() -> Reply:
    """No byte at all, for ever."""
    return Reply((asyncio.Event(),))


def openai_reply(text: str, *, model: str = "fake-model") -> Reply:
    return whole(openai_body(text, model=model))


def openai_stream(
    texts: Iterable[str | asyncio.Event],
    *,
    model: str = "fake-model",
    break_after: int | None = None,
) -> Reply:
    """One chunk for each text, then the finishing chunk and `[DONE]`."""
    return streamed(openai_events(texts, model=model), break_after=break_after)


def anthropic_reply(text: str, *, model: str = "fake-model") -> Reply:
    return whole(anthropic_body(text, model=model))


def anthropic_stream(
    texts: Iterable[str | asyncio.Event],
    *,
    model: str = "fake-model",
    break_after: int | None = None,
) -> Reply:
    """The two opening events, one chunk for each text, then the three closing events."""
    return streamed(anthropic_events(texts, model=model), break_after=break_after)


def openai_body(text: str, *, model: str = "fake-model") -> bytes:
    return _json(
        {
            "id": "chatcmpl-fake",
            "object": "chat.completion",
            "created": 1767268800,
            "model": model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19},
        }
    )


def openai_events(
    texts: Iterable[str | asyncio.Event], *, model: str = "fake-model"
) -> list[Chunk]:
    chunks: list[Chunk] = []
    delta: dict[str, str] = {"role": "assistant"}
    for text in texts:
        if isinstance(text, asyncio.Event):
            chunks.append(text)
            continue
        chunks.append(_openai_event(delta | {"content": text}, model=model))
        delta = {}
    finish = _openai_event(delta, model=model, finish_reason="stop")
    return [*chunks, finish, b"data: [DONE]\n\n"]


def anthropic_body(text: str, *, model: str = "fake-model") -> bytes:
    return _json(
        _anthropic_message(model)
        | {"content": [{"type": "text", "text": text}], "stop_reason": "end_turn"}
    )


def anthropic_events(
    texts: Iterable[str | asyncio.Event], *, model: str = "fake-model"
) -> list[Chunk]:
    message = _anthropic_message(model)
    block = {"type": "text", "text": ""}
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    return [
        _anthropic_event("message_start", message=message),
        _anthropic_event("content_block_start", index=0, content_block=block),
        *(text if isinstance(text, asyncio.Event) else _anthropic_delta(text) for text in texts),
        _anthropic_event("content_block_stop", index=0),
        _anthropic_event("message_delta", delta=stop, usage={"output_tokens": 7}),
        _anthropic_event("message_stop"),
    ]


def _head(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    lines = [f"HTTP/1.1 {status} {_reason(status)}", *(f"{key}: {value}" for key, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def _framed(chunk: Chunk) -> Chunk:
    if isinstance(chunk, asyncio.Event):
        return chunk
    return b"%x\r\n%b\r\n" % (len(chunk), chunk)


def _first(count: int, chunks: Iterable[Chunk]) -> Sequence[Chunk]:
    taken: list[Chunk] = []
    for chunk in chunks:
        if isinstance(chunk, bytes):
            if count == 0:
                break
            count -= 1
        taken.append(chunk)
    return taken


def _openai_event(delta: dict[str, str], *, model: str, finish_reason: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-fake",
        "object": "chat.completion.chunk",
        "created": 1767268800,
        "model": model,
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }
    return b"data: %b\n\n" % _json(chunk)


def _anthropic_message(model: str) -> dict[str, object]:
    return {
        "id": "msg_fake",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 12, "output_tokens": 1},
    }


def _anthropic_delta(text: str) -> bytes:
    delta = {"type": "text_delta", "text": text}
    return _anthropic_event("content_block_delta", index=0, delta=delta)


def _anthropic_event(kind: str, **fields: object) -> bytes:
    return f"event: {kind}\ndata: ".encode() + _json({"type": kind} | fields) + b"\n\n"


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
