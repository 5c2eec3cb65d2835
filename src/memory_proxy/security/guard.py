"""The server's protocol with a guard before it: no doubtful request reaches the application.

uvicorn and its parser merge trailers into headers, take heads of any size and length of time, and
answer a broken pipeline in the middle of another answer. This subclass looks at each head first,
follows each body to its end, and hands on one request at a time. What it refuses is answered once,
and the connection is closed.
"""

import asyncio
from collections.abc import Iterable
from typing import ClassVar

import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.security.bodies import Body, SizedBody, body_after
from memory_proxy.security.heads import (
    HeadRules,
    Refusal,
    fault_in_headers,
    head_at_front,
    unmask_upgrade,
    with_masked_upgrade,
)

_MAX_HELD_BYTES = 256 * 1024
_LINGER_S = 1.0


class GuardedHttpProtocol(HttpToolsProtocol):
    """Give it, or what `guarded_protocol` makes, to `uvicorn.Config(http=...)`.

    `head_timeout_s`: how long a connection may take for a head, and, after an answer that did not
    wait for the whole body, for the rest of that body.
    """

    rules: ClassVar[HeadRules] = HeadRules()
    head_timeout_s: ClassVar[float] = 10.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._held = b""  # came, and was not handed to the parser yet
        self._body: Body = SizedBody(0)
        self._answering = False
        self._is_masked = False
        self._refusal: Refusal | None = None
        self._deadline: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._expect_within(self.head_timeout_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        is_idle_wait = bool(self._held) and b"\n" not in data
        data = self._held + data
        if is_idle_wait and len(data) <= self.rules.max_head_bytes:
            self._held = data  # a head and the frame of a chunk end with a line, and none ended
            return
        self._held = b""
        while data and self._refusal is None:
            taken = self._take_head(data) if self._body.complete else self._take_body(data)
            if taken == 0:
                self._hold(data)
                return
            data = data[taken:]

    def on_headers_complete(self) -> None:
        assert self.parser is not None  # it is this parser that calls
        version = self.parser.get_http_version()
        if self._is_masked:
            unmask_upgrade(self.headers)
        found = dict(self.headers)
        if fault := fault_in_headers(self.headers, found, self.rules, version=version):
            self._refuse(fault)
            return
        self._body = body_after(found)
        self._answering = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        if self._refusal is None:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        self._answering = False
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._refusal is not None:
            self._end()
        elif not self._body.complete:
            self._expect_within(self.head_timeout_s)
        elif self._held:
            held, self._held = self._held, b""
            self.data_received(held)

    def send_400_response(self, msg: str) -> None:
        self._refuse(Refusal(400, msg))

    def _take_head(self, data: bytes) -> int:
        if self._answering:
            return 0
        head = head_at_front(data, self.rules)
        if isinstance(head, bytes):
            self._expect_nothing()
            masked = with_masked_upgrade(head)
            self._is_masked = masked is not head
            super().data_received(masked)
            return len(head)
        if head is not None:
            self._refuse(head)
        elif self._deadline is None:
            self._unset_keepalive_if_required()
            self._expect_within(self.head_timeout_s)
        return 0

    def _take_body(self, data: bytes) -> int:
        try:
            taken = self._body.accept(data)
        except InvalidRequest as error:
            self._refuse(Refusal(error.status, str(error)))
            return 0
        if taken:
            super().data_received(data[:taken])
        if self._body.complete and not self._answering:
            self._expect_within(self.timeout_keep_alive)
        return taken

    def _hold(self, data: bytes) -> None:
        """Keep `data` until more comes, or until the answer before it is complete."""
        if self._refusal is not None:
            return
        self._held = data
        if len(data) > _MAX_HELD_BYTES:
            self._refusal = Refusal(400, "too much was sent ahead of an answer")
            self._held = b""  # the connection ends with the answer it waits for

    def _refuse(self, refusal: Refusal) -> None:
        """Answer `refusal` unless an answer has begun, hear nothing more, and close."""
        if self._refusal is not None:  # the parser may find a fault of its own in the same head
            return
        self._refusal = refusal
        self._held = b""
        self._unset_keepalive_if_required()
        facts = {"status": refusal.status, "reason": refusal.reason}
        self.logger.info("a request was refused before it was read", extra=facts)
        if self._may_answer():
            self.transport.write(_answer(refusal, self.server_state.default_headers))
        self._end()

    def _may_answer(self) -> bool:
        """Whether no answer to this very request has begun.

        An application that is reading the refused body is told that its client is gone.
        """
        if self._body.complete:
            return True
        answered = self.cycle.response_started
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        return not answered

    def _end(self) -> None:
        """Close, after a moment in which the client can read its answer.

        Closing while bytes still come in makes the kernel send a reset, which destroys what was
        written but not read.
        """
        if not self.transport.can_write_eof():
            self.transport.close()
            return
        self.transport.write_eof()
        self._expect_within(_LINGER_S)

    def _expect_within(self, seconds: float) -> None:
        self._expect_nothing()
        self._deadline = self.loop.call_later(seconds, self._too_late)

    def _expect_nothing(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_late(self) -> None:
        self._deadline = None
        if self._held and self._refusal is None and self._body.complete:
            self._refuse(Refusal(408, "the request head did not come in time"))
        else:
            self.transport.close()


def guarded_protocol(
    *, identity_headers: Iterable[str] = (), head_timeout_s: float = 10.0
) -> type[GuardedHttpProtocol]:
    """The protocol for a server whose users are also named by `identity_headers`."""

    class Configured(GuardedHttpProtocol):
        pass

    Configured.rules = HeadRules().with_identity_headers(identity_headers)
    Configured.head_timeout_s = head_timeout_s
    return Configured


def _answer(refusal: Refusal, default_headers: list[tuple[bytes, bytes]]) -> bytes:
    body = orjson.dumps({"error": {"message": refusal.reason, "type": "invalid_request_error"}})
    headers = [
        *default_headers,
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"connection", b"close"),
    ]
    lines = [b"%s: %s\r\n" % header for header in headers]
    return b"".join([STATUS_LINE[refusal.status], *lines, b"\r\n", body])
