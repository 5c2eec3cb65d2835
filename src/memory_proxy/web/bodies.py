"""The body of a request, read within limits of size and silence."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.types import Message, Receive

from memory_proxy.core.errors import InvalidRequest, RequestTimeout, RequestTooLarge
from memory_proxy.core.types import Headers, first_header
from memory_proxy.web.access import headers_of

_BODY_SILENCE_S = 30.0

Model = TypeVar("Model", bound=BaseModel)


class ClientLeft(Exception):
    """The client closed its connection before its answer was complete."""


async def read_body(receive: Receive, headers: Headers, *, limit_bytes: int) -> bytes:
    """Raises RequestTooLarge, RequestTimeout and ClientLeft."""
    declared = first_header(headers, "content-length") or "0"
    if declared.isdigit() and int(declared) > limit_bytes:
        raise _too_large(limit_bytes)
    chunks: list[bytes] = []
    size = 0
    async for chunk in body_chunks(receive):
        chunks.append(chunk)
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def read_json(request: Request, model: type[Model], *, limit_bytes: int) -> Model:
    """Raises what `read_body` and `parsed` raise."""
    headers = headers_of(request.scope)
    return parsed(model, await read_body(request.receive, headers, limit_bytes=limit_bytes))


async def body_chunks(receive: Receive) -> AsyncGenerator[bytes]:
    """As they arrive, however many. Raises RequestTimeout and ClientLeft."""
    more = True
    while more:
        message = await _next_message(receive)
        if message["type"] == "http.disconnect":
            raise ClientLeft
        more = message.get("more_body", False)
        yield message.get("body", b"")


def parsed(model: type[Model], body: bytes) -> Model:
    """Raises InvalidRequest, which names every problem and repeats none of the content."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise InvalidRequest("; ".join(_problems(error))) from error


def _problems(error: ValidationError) -> Iterator[str]:
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        place = ".".join(map(str, each["loc"]))
        yield f"{place}: {each['msg']}" if place else each["msg"]


async def _next_message(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(_BODY_SILENCE_S):
            return await receive()
    except TimeoutError as error:
        raise RequestTimeout("the body stopped coming") from error


def _too_large(limit_bytes: int) -> RequestTooLarge:
    return RequestTooLarge(
        f"the body is larger than {limit_bytes} bytes (memory_proxy.max_body_bytes)"
    )
