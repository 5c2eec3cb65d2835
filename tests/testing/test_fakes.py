"""The public fakes, met as a user's tests meet them: by HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import aiohttp
import pytest

from memory_proxy.testing import (
    Call,
    Ending,
    FakeUpstream,
    FrozenClock,
    Reply,
    anthropic_stream,
    hang,
    openai_reply,
    openai_stream,
    streamed,
    whole,
)

CHAT = "/v1/chat/completions"


@pytest.fixture
async def fake() -> AsyncGenerator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def client(fake: FakeUpstream) -> AsyncGenerator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(fake.url, timeout=timeout) as client:
        yield client


async def test_a_request_is_kept_exactly_as_it_came(fake: FakeUpstream) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", fake.port)
    writer.write(
        b"POST /v1/x?a=%20b HTTP/1.1\r\nX-One: 1\r\nx-one:  2\r\n"
        b"Content-Length: 4\r\n\r\n\x00\xff{}"
    )
    head = await reader.readuntil(b"\r\n\r\n")
    writer.close()

    (call,) = fake.calls
    assert (call.method, call.target, call.path) == ("POST", "/v1/x?a=%20b", "/v1/x")
    assert call.headers == (("X-One", "1"), ("x-one", "2"), ("Content-Length", "4"))
    assert call.body == b"\x00\xff{}"
    assert call.header("X-ONE") == "1"
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_chunked_body_is_put_together(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    async def pieces() -> AsyncGenerator[bytes]:
        yield b"one, "
        yield b"two"

    async with client.post("/anything", data=pieces()) as response:
        assert (await response.json())["body"] == "one, two"
    assert fake.calls[0].body == b"one, two"


async def test_unscripted_chats_are_answered_in_the_format_of_the_client(
    client: aiohttp.ClientSession,
) -> None:
    async with client.post(CHAT, json={"messages": []}) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == "It is teal."
    async with client.post(CHAT, json={"messages": [], "stream": True}) as response:
        assert (await response.text()).endswith("data: [DONE]\n\n")
    async with client.post("/v1/messages", json={"messages": []}) as response:
        assert (await response.json())["content"] == [{"type": "text", "text": "It is teal."}]
    async with client.post("/v1/messages", json={"messages": [], "stream": True}) as response:
        assert (await response.text()).startswith("event: message_start\n")


async def test_what_is_no_chat_is_echoed_and_head_has_no_body(
    client: aiohttp.ClientSession,
) -> None:
    async with client.get("/v1/models?x=1") as response:
        assert (await response.json())["target"] == "/v1/models?x=1"
    async with client.head("/v1/models") as response:
        assert response.status == 200
    async with client.get("/still-in-step") as response:
        assert (await response.json())["target"] == "/still-in-step"


async def test_scripted_replies_are_used_in_order_then_the_usual_one(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    fake.script(
        openai_reply("first"), whole(b"slow down", status=429, headers=[("retry-after", "7")])
    )

    async with client.post(CHAT, json={}) as response:
        assert (await response.json())["choices"][0]["message"]["content"] == "first"
    async with client.post(CHAT, json={}) as response:
        assert (response.status, response.headers["retry-after"]) == (429, "7")
        assert await response.read() == b"slow down"
    async with client.post(CHAT, json={}) as response:
        assert response.status == 200
    assert fake.connection_count == 1


async def test_an_answer_of_the_tests_own_sees_the_call() -> None:
    def shout(call: Call) -> Reply:
        return whole(call.body.upper())

    async with (
        FakeUpstream(shout) as fake,
        aiohttp.ClientSession(fake.url) as client,
        client.post("/", data=b"teal") as response,
    ):
        assert await response.read() == b"TEAL"


async def test_an_event_holds_back_the_rest_of_a_stream(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    gate = asyncio.Event()
    fake.script(openai_stream(["before", gate, "after"]))

    async with client.post(CHAT, json={}) as response:
        first = await response.content.readuntil(b"\n\n")
        assert b"before" in first
        assert fake.calls[0].steps_sent == 2
        gate.set()
        rest = await response.content.read()

    assert b"after" in rest
    assert fake.calls[0].finished.is_set()
    assert not fake.disconnected.is_set()


async def test_a_stream_breaks_off_with_a_reset_where_it_was_told_to(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    fake.script(streamed([b"one", b"two", b"three"], break_after=2))

    async with client.post(CHAT, json={}) as response:
        with pytest.raises(aiohttp.ClientError):
            await response.content.read()
    assert not fake.disconnected.is_set()


async def test_a_reply_of_raw_bytes_may_be_no_http_at_all(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    fake.script(Reply((b"nonsense\r\n\r\n", Ending.CLOSE)))

    with pytest.raises(aiohttp.ClientError):
        await client.post(CHAT, json={})


async def test_a_client_that_leaves_before_the_first_byte_is_noticed(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    fake.script(hang())
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(client.post(CHAT, json={}))
        call = await fake.called()
        asking.cancel()

    async with asyncio.timeout(10):
        await fake.disconnected.wait()
    assert call.abandoned.is_set()
    assert call.steps_sent == 0


async def test_a_client_that_leaves_in_mid_stream_is_noticed_and_how_far_it_got(
    fake: FakeUpstream, client: aiohttp.ClientSession
) -> None:
    fake.script(anthropic_stream(["Hel", asyncio.Event(), "lo"]))

    response = await client.post("/v1/messages", json={})
    await response.content.readuntil(b'"Hel"}}\n\n')
    response.close()

    async with asyncio.timeout(10):
        await fake.disconnected.wait()
    assert fake.calls[0].steps_sent == 4  # the head, the two opening events, "Hel"


async def test_a_fake_returns_on_the_port_that_it_had() -> None:
    async with FakeUpstream() as first:
        port = first.port
    async with FakeUpstream(port=port) as second:
        assert second.url == f"http://127.0.0.1:{port}"


async def test_waiting_for_a_call_that_never_comes_ends_at_the_deadline(
    fake: FakeUpstream,
) -> None:
    with pytest.raises(TimeoutError):
        await fake.called(deadline_s=0.01)


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = FrozenClock()
    before = clock()

    assert clock() == before
    assert clock.advance(90) == before + timedelta(seconds=90)
    assert clock.advance(timedelta(days=1)) == clock() == before + timedelta(days=1, seconds=90)
    assert clock().utcoffset() == timedelta(0)
