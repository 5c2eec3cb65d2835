import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from memory_proxy.security.guard import guarded_protocol
from tests.security.guarded_server import (
    DEADLINE_S,
    EchoApp,
    answer,
    exchanged,
    serving,
    statuses,
    until,
)
from tests.security.parsing_cases import BODY_CASES, HEAD_CASES, ParsingCase

GUARD = guarded_protocol(identity_headers=["X-Our-User"])
HASTY_GUARD = guarded_protocol(head_timeout_s=0.3)
GET = b"GET /first HTTP/1.1\r\nHost: localhost\r\n\r\n"
POST = b"POST /first HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"POST /first HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n00B\r\n, my friend\r\n0\r\n\r\n"
)
LAST = b"GET /last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module", params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture(scope="module")
async def server(anyio_backend: object) -> AsyncGenerator[tuple[EchoApp, int]]:
    """One for all of these tests: a server takes half a second to stop."""
    app = EchoApp()
    async with serving(app, GUARD) as port:
        yield app, port


@pytest.fixture
def app(server: tuple[EchoApp, int]) -> EchoApp:
    server[0].forget()
    return server[0]


@pytest.fixture
def port(server: tuple[EchoApp, int]) -> int:
    return server[1]


@pytest.mark.parametrize("case", HEAD_CASES, ids=lambda case: case.name)
async def test_a_doubtful_head_is_refused_once_and_never_reaches_the_application(
    app: EchoApp, port: int, case: ParsingCase
) -> None:
    said = await exchanged(port, case.raw + GET)

    assert statuses(said) == [case.status]
    assert b"\r\nconnection: close\r\n" in said
    assert app.started == []


@pytest.mark.parametrize("case", HEAD_CASES, ids=lambda case: case.name)
async def test_a_doubtful_head_after_a_good_request_is_refused_and_the_good_one_answered(
    app: EchoApp, port: int, case: ParsingCase
) -> None:
    said = await exchanged(port, POST + case.raw + GET)

    assert statuses(said) == [200, case.status]
    assert app.started == ["/first"]


@pytest.mark.parametrize("case", BODY_CASES, ids=lambda case: case.name)
async def test_a_doubtful_body_is_refused_once_and_never_complete(
    app: EchoApp, port: int, case: ParsingCase
) -> None:
    said = await exchanged(port, case.raw + GET)

    assert statuses(said) == [case.status]
    assert app.bodies == []
    assert "authorization" not in app.headers[0]


@pytest.mark.parametrize("request_bytes", [GET, POST, CHUNKED], ids=["get", "post", "chunked"])
async def test_a_request_that_comes_byte_by_byte_is_understood(
    app: EchoApp, port: int, request_bytes: bytes
) -> None:
    pieces = [bytes((byte,)) for byte in request_bytes]

    said = await exchanged(port, *pieces, LAST)

    assert statuses(said) == [200, 200]
    assert app.started == ["/first", "/last"]


async def test_pipelined_requests_are_answered_one_after_the_other_with_their_own_bodies(
    app: EchoApp, port: int
) -> None:
    second = POST.replace(b"hello", b"world")

    said = await exchanged(port, POST + second + CHUNKED + LAST)

    assert statuses(said) == [200, 200, 200, 200]
    assert app.bodies == [b"hello", b"world", b"hello, my friend", b""]
    assert [said.find(text) for text in (b"hello", b"world", b"friend")] == sorted(
        said.find(text) for text in (b"hello", b"world", b"friend")
    )


async def test_a_pipelined_request_waits_for_the_answer_before_it() -> None:
    first, may_answer = asyncio.Event(), asyncio.Event()
    started: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.append(scope["path"])
        first.set()
        await may_answer.wait()
        await answer(send, b"{}")

    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        exchange = asyncio.ensure_future(exchanged(port, GET + LAST))
        await first.wait()
        assert started == ["/first"]
        may_answer.set()
        assert statuses(await exchange) == [200, 200]

    assert started == ["/first", "/last"]


async def test_a_client_that_leaves_behind_a_pipelined_request_is_noticed() -> None:
    left = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()

    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(GET + GET)
        await writer.drain()
        writer.close()
        await left.wait()


async def test_sending_far_ahead_of_an_answer_ends_the_connection_after_it() -> None:
    may_answer = asyncio.Event()
    started: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.append(scope["path"])
        await may_answer.wait()
        await answer(send, b"{}")

    ahead = POST.replace(b"Length: 5", b"Length: 900000").removesuffix(b"hello") + b"a" * 900_000
    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        exchange = asyncio.ensure_future(exchanged(port, GET, ahead))
        await until(lambda: bool(started))
        may_answer.set()
        assert statuses(await exchange) == [200]

    assert started == ["/first"]


@pytest.mark.parametrize(
    "sent", [b"", b"GET /v1/x HT", b"GET /v1/x HTTP/1.1\r\nHost: localhost\r\nX-A"]
)
async def test_a_connection_without_a_whole_head_is_closed_in_time(
    app: EchoApp, sent: bytes
) -> None:
    async with serving(app, HASTY_GUARD) as port:
        said = await exchanged(port, sent)

    assert statuses(said) == ([408] if sent else [])
    assert app.started == []


async def test_half_a_second_head_is_closed_in_time(app: EchoApp) -> None:
    async with serving(app, HASTY_GUARD) as port:
        said = await exchanged(port, POST + b"GET /la")

    assert statuses(said) == [200, 408]


async def test_a_silent_connection_after_an_answer_is_closed_in_time(app: EchoApp) -> None:
    async with serving(app, GUARD, idle_s=0) as port:
        said = await exchanged(port, POST)

    assert statuses(said) == [200]


async def test_a_body_still_missing_after_its_answer_is_waited_for_in_vain() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await answer(send, b"{}", status=401)

    async with serving(app, HASTY_GUARD, idle_s=60) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(DEADLINE_S):
            writer.write(POST.removesuffix(b"ello"))
            assert b"401" in await reader.readline()
            writer.write(b"e")
            await reader.read()
        writer.close()


async def test_a_body_that_follows_its_answer_does_not_disturb_the_next_request() -> None:
    started: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        started.append(scope["path"])
        await answer(send, b"{}", status=401)

    head, body = POST[:-5], POST[-5:]
    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head)
        said = await reader.readuntil(b"{}")
        writer.write(body + LAST)
        said += await reader.read()
        writer.close()

    assert statuses(said) == [401, 401]
    assert started == ["/first", "/last"]


async def test_a_bad_chunk_after_an_answer_has_begun_brings_no_second_answer() -> None:
    begun = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"some", "more_body": True})
        begun.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        await send({"type": "http.response.body", "body": b"more"})

    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(CHUNKED[:-5])
        await begun.wait()
        writer.write(b"zz\r\n")
        said = await reader.read()
        writer.close()

    assert statuses(said) == [200]
    assert b"more" not in said


async def test_a_websocket_upgrade_reaches_the_application_as_a_plain_request(
    app: EchoApp, port: int
) -> None:
    upgrade = (
        b"GET /v1/responses HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
        b"Upgrade: websocket\r\nSec-WebSocket-Key: abc\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )

    said = await exchanged(port, upgrade + LAST)

    assert statuses(said) == [426, 200]


async def test_an_offer_of_http2_is_passed_over_and_its_body_kept(app: EchoApp, port: int) -> None:
    offer = POST.replace(
        b"\r\nContent", b"\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nContent"
    )

    said = await exchanged(port, offer + POST + LAST)

    assert statuses(said) == [200, 200, 200]
    assert app.bodies == [b"hello", b"hello", b""]


async def test_an_expected_100_continue_is_sent_before_the_body(app: EchoApp, port: int) -> None:
    head = POST[:-5].replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n")
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.timeout(DEADLINE_S):
        writer.write(head)
        interim = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"hello")
        said = await reader.read()
    writer.close()

    assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert statuses(said) == [200]
    assert app.bodies == [b"hello"]


async def test_http_1_0_is_served_and_closed(app: EchoApp, port: int) -> None:
    said = await exchanged(port, GET.replace(b"HTTP/1.1", b"HTTP/1.0") + LAST)

    assert statuses(said) == [200]
    assert app.started == ["/first"]


async def test_older_codex_session_headers_pass_in_spite_of_their_underscore(
    app: EchoApp, port: int
) -> None:
    await exchanged(port, LAST.replace(b"\r\nConn", b"\r\nsession_id: abc\r\nConn"))

    assert app.headers[0]["session_id"] == "abc"


async def test_a_refused_sender_of_megabytes_still_gets_its_answer(app: EchoApp, port: int) -> None:
    head = b"GET /v1/x HTTP/1.1\r\nHost: localhost\r\n"

    said = await exchanged(port, head, *(b"X-A: %s\r\n" % (b"a" * 60_000) for _ in range(30)))

    assert statuses(said) == [431]


async def test_a_client_that_does_not_read_stops_the_application() -> None:
    sent = 0
    stalled = asyncio.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        nonlocal sent
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while sent < 1000:
                async with asyncio.timeout(0.5):
                    await send(
                        {"type": "http.response.body", "body": b"a" * 65_536, "more_body": True}
                    )
                sent += 1
        except TimeoutError:
            stalled.set()

    async with serving(app, GUARD) as port, asyncio.timeout(DEADLINE_S):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(GET)
            await stalled.wait()

    assert sent < 200


async def test_the_server_stops_while_refused_connections_linger(app: EchoApp) -> None:
    async with serving(app, GUARD) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD_CASES[0].raw)
        await until(lambda: not reader.at_eof())
    writer.close()
