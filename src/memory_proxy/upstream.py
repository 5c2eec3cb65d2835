"""The one HTTP conversation with LiteLLM."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Self

from aiohttp import (
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    ServerTimeoutError,
    TCPConnector,
)
from yarl import URL

from memory_proxy.core.errors import UpstreamProtocolError, UpstreamTimeout, UpstreamUnavailable
from memory_proxy.core.types import Headers, UpstreamResponse


class Gate:
    """Lets requests through while LiteLLM is there; holds a few of them while it restarts.

    Whoever watches the process opens and closes it. `max_waiters` requests wait up to `wait_s`
    seconds for a closed gate; the others are told at once to come back.
    """

    def __init__(
        self, *, is_open: bool = True, max_waiters: int = 100, wait_s: float = 5.0
    ) -> None:
        self._opened = asyncio.Event()
        self._max_waiters = max_waiters
        self._waiters = 0
        self._wait_s = wait_s
        self.retry_after_s = 5
        if is_open:
            self._opened.set()

    @property
    def is_open(self) -> bool:
        return self._opened.is_set()

    def open(self) -> None:
        self._opened.set()

    def close(self, *, retry_after_s: int = 5) -> None:
        """Hold requests; whoever cannot wait is told to come back after `retry_after_s`."""
        self.retry_after_s = max(1, retry_after_s)
        self._opened.clear()

    async def passed(self) -> None:
        """Return once the gate is open; raises UpstreamUnavailable when it stays closed."""
        if self._opened.is_set():
            return
        if self._waiters >= self._max_waiters:
            raise self._unavailable()
        self._waiters += 1
        try:
            async with asyncio.timeout(self._wait_s):
                await self._opened.wait()
        except TimeoutError as error:
            raise self._unavailable() from error
        finally:
            self._waiters -= 1

    def _unavailable(self) -> UpstreamUnavailable:
        return UpstreamUnavailable(
            "LiteLLM is not running; it is being restarted", retry_after_s=self.retry_after_s
        )


@dataclass(frozen=True, slots=True)
class OutboundRequest:
    """`target` is the path with its query, percent-encoded as the client sent it."""

    method: str
    target: str
    headers: Headers
    body: bytes


class Upstream:
    """Used as an async context manager. One call is one request: a chat is never sent twice."""

    def __init__(
        self,
        base_url: str,
        *,
        api_key: str | None = None,
        gate: Gate | None = None,
        silence_timeout_s: float = 600.0,
    ) -> None:
        """`silence_timeout_s`: how long LiteLLM may stay silent, before its first byte or later."""
        self.base_url = base_url.rstrip("/")
        self._gate = gate or Gate()
        self._own_headers = [("accept-encoding", "identity")]
        if api_key:
            self._own_headers.append(("authorization", f"Bearer {api_key}"))
        self._silence_timeout_s = silence_timeout_s

    @property
    def is_open(self) -> bool:
        return self._gate.is_open

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            # Shorter than the five seconds after which uvicorn closes: no request meets that close.
            connector=TCPConnector(limit=0, keepalive_timeout=4.0),
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=None, sock_connect=5.0, sock_read=self._silence_timeout_s),
            auto_decompress=False,
            max_field_size=65_536,
            max_line_size=65_536,
            skip_auto_headers=("User-Agent", "Accept", "Content-Type"),
        )
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    @asynccontextmanager
    async def send(self, request: OutboundRequest) -> AsyncGenerator[UpstreamResponse]:
        """LiteLLM's answer, open until the context ends; ending it early closes the connection.

        Both this call and the answer's chunks raise UpstreamError, and no other transport error.
        """
        await self._gate.passed()
        with _translated():
            response = await self._session.request(
                request.method,
                URL(self.base_url + request.target, encoded=True),
                headers=[*request.headers, *self._own_headers],
                data=request.body or None,
                allow_redirects=False,
            )
        try:
            yield UpstreamResponse(
                response.status,
                tuple(
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in response.raw_headers
                ),
                _chunks(response),
            )
        finally:
            if response.content.at_eof():
                response.release()
            else:
                response.close()


async def _chunks(response: ClientResponse) -> AsyncGenerator[bytes]:
    with _translated():
        async for chunk in response.content.iter_any():
            yield chunk


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except (ServerTimeoutError, TimeoutError) as error:
        raise UpstreamTimeout("LiteLLM did not answer in time") from error
    except ClientConnectorError as error:
        raise UpstreamUnavailable("LiteLLM cannot be reached; is it running?") from error
    except (ClientError, OSError) as error:
        raise UpstreamProtocolError("LiteLLM broke off its answer") from error
