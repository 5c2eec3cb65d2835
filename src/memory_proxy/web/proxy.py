"""The last route: everything that is not ours goes to LiteLLM. Pure ASGI; nothing is buffered."""

import asyncio
import logging
import re
from random import getrandbits
from time import perf_counter
from typing import cast

from starlette.types import Receive, Scope, Send

from memory_proxy.core.errors import (
    MemoryProxyError,
    NotFound,
    UpgradeUnsupported,
)
from memory_proxy.core.types import (
    Caller,
    Headers,
    InboundRequest,
    UpstreamResponse,
    first_header,
)
from memory_proxy.security.paths import check_path, is_llm_route
from memory_proxy.telemetry.logs import request_id_of_context
from memory_proxy.web.access import headers_of
from memory_proxy.web.bodies import ClientLeft, read_body
from memory_proxy.web.errors import CLIENT_CLOSED_REQUEST, error_reply
from memory_proxy.web.services import Services
from memory_proxy.wire import select_format

logger = logging.getLogger(__name__)

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)


async def proxy_handler(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers one request through LiteLLM, or refuses it in the caller's dialect.

    A client that leaves, in whatever phase, cancels the upstream request at once.
    """
    services = cast(Services, scope["app"].state.services)
    headers = headers_of(scope)
    request_id = request_id_of(headers)
    request_id_of_context.set(request_id)
    started = perf_counter()
    reply = _Reply(send, request_id)
    try:
        await _serve(services, scope, headers, receive, reply)
    except* ClientLeft:
        reply.status = CLIENT_CLOSED_REQUEST
    except* Exception:  # the outer edge of a request: a bug of ours is one 500, and a log line
        logger.exception("a request failed by our own fault")
        await _refuse(services, reply, MemoryProxyError("internal error"), scope)
    _account(services, scope, reply, perf_counter() - started)


def request_id_of(headers: Headers) -> str:
    """The caller's own id where it sent a sensible one, else a new one."""
    sent = first_header(headers, "x-request-id")
    if sent and _REQUEST_ID.fullmatch(sent):
        return sent
    return f"{getrandbits(96):024x}"  # to tell requests apart, not to be hard to guess


class _Reply:
    """What has been said to the client so far."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status: int | None = None

    async def pass_on(self, response: UpstreamResponse) -> None:
        """Each chunk as it comes; waits while the client does not read."""
        own = (("x-request-id", self.request_id),)
        await self._start(response.status, response.headers + own)
        async for chunk in response.chunks:
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b""})

    async def refuse(self, error: MemoryProxyError, path: str) -> None:
        """Say `error`, unless an answer has begun: then its connection ends without an end."""
        if self.status is not None:
            logger.warning("an answer broke off", extra={"error": str(error)})
            return
        status, headers, body = error_reply(error, path, self.request_id)
        await self._start(status, headers)
        await self._send({"type": "http.response.body", "body": body})

    async def _start(self, status: int, headers: Headers) -> None:
        self.status = status
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})


async def _serve(
    services: Services, scope: Scope, headers: Headers, receive: Receive, reply: _Reply
) -> None:
    """Raises ClientLeft, in a group, when the client goes; our own errors are answered."""
    try:
        inbound, caller = await _admitted(services, scope, headers, receive)
    except MemoryProxyError as error:
        await _refuse(services, reply, error, scope)
        return
    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(_watch(receive))
        try:
            async with services.pipeline.open(inbound, caller, reply.request_id) as response:
                await reply.pass_on(response)
        except MemoryProxyError as error:
            await _refuse(services, reply, error, scope)
        watcher.cancel()


async def _admitted(
    services: Services, scope: Scope, headers: Headers, receive: Receive
) -> tuple[InboundRequest, Caller]:
    """The request and its caller, once nothing about either is in doubt."""
    path = check_path(scope["raw_path"])
    method: str = scope["method"]
    if "websocket" in (first_header(headers, "upgrade") or "").lower():
        raise UpgradeUnsupported("WebSocket is not spoken here; use HTTP with streaming")
    if not is_llm_route(method, path):
        raise NotFound(f"no such route: {method} {path}")
    query: str = scope["query_string"].decode("latin-1")
    caller = services.access.check(headers, query)
    body = await read_body(receive, headers, limit_bytes=services.max_body_bytes)
    raw_path: str = scope["raw_path"].decode("ascii")
    return InboundRequest(method, path, raw_path, query, headers, body), caller


async def _watch(receive: Receive) -> None:
    """Raises ClientLeft as soon as the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientLeft


async def _refuse(services: Services, reply: _Reply, error: MemoryProxyError, scope: Scope) -> None:
    services.metrics.failed(error.kind)
    await reply.refuse(error, scope["path"])


def _account(services: Services, scope: Scope, reply: _Reply, seconds: float) -> None:
    """One log line and one count an exchange."""
    wire = select_format(scope["method"], scope["path"])
    route = wire.name if wire else "passed_through"
    status = reply.status or 500
    services.metrics.request(route, status, seconds)
    facts = {"route": route, "status": status, "ms": round(seconds * 1000, 1)}
    logger.info("answered", extra=facts)
