"""Our errors, said in the caller's own dialect."""

from collections.abc import Iterator

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from memory_proxy.core.errors import (
    AuthenticationFailed,
    InvalidRequest,
    MemoryProxyError,
    NotFound,
    RequestError,
    RequestTooLarge,
)
from memory_proxy.core.types import Headers
from memory_proxy.web.bodies import ClientLeft
from memory_proxy.wire import dialect_of

CLIENT_CLOSED_REQUEST = 499
"""nginx's name for a client that left before its answer."""


def error_reply(error: MemoryProxyError, path: str, request_id: str) -> tuple[int, Headers, bytes]:
    """Status, headers and body of `error` for whoever called `path`."""
    body = dialect_of(path).error_body(error, request_id)
    return error.status, tuple(_headers(error, request_id, len(body))), body


def _headers(
    error: MemoryProxyError, request_id: str, size_bytes: int
) -> Iterator[tuple[str, str]]:
    yield "content-type", "application/json"
    yield "content-length", str(size_bytes)
    yield "x-request-id", request_id
    if error.retry_after_s is not None:
        yield "retry-after", str(error.retry_after_s)
    if isinstance(error, AuthenticationFailed):
        yield "x-should-retry", "false"
        yield "www-authenticate", "Bearer"
    if isinstance(error, RequestTooLarge):
        yield "connection", "close"  # the rest of the body is still on its way


def install_error_handlers(app: FastAPI) -> None:
    """For our own routes: every refusal in one form, those of FastAPI too."""

    async def render(request: Request, error: Exception) -> Response:
        assert isinstance(error, MemoryProxyError)
        request.app.state.services.metrics.failed(error.kind)
        request_id = request.headers.get("x-request-id", "")
        status, headers, body = error_reply(error, request.url.path, request_id)
        return Response(body, status, dict(headers))

    async def render_foreign(request: Request, error: Exception) -> Response:
        return await render(request, _ours(error))

    async def nobody_is_there(_: Request, __: Exception) -> Response:
        return Response(status_code=CLIENT_CLOSED_REQUEST)

    app.add_exception_handler(MemoryProxyError, render)
    app.add_exception_handler(ClientLeft, nobody_is_there)
    app.add_exception_handler(HTTPException, render_foreign)
    app.add_exception_handler(RequestValidationError, render_foreign)


def _ours(error: Exception) -> MemoryProxyError:
    if isinstance(error, RequestValidationError):
        problems = (f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors())
        return InvalidRequest("; ".join(problems))
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return NotFound("no such route")
    return RequestError(str(error.detail))
