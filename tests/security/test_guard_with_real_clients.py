"""What ordinary clients send passes the guard unharmed."""

import asyncio
import io
import json
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import aiohttp
import anthropic
import openai
import pytest

from memory_proxy.security.guard import GuardedHttpProtocol
from tests.security.guarded_server import DEADLINE_S, EchoApp, answer, serving

TEN_MB = os.urandom(10 * 1024 * 1024)


@pytest.fixture(scope="module")
async def server() -> AsyncGenerator[tuple[EchoApp, str]]:
    app = EchoApp()
    async with serving(app, GuardedHttpProtocol) as port:
        yield app, f"http://127.0.0.1:{port}"


@pytest.fixture
def app(server: tuple[EchoApp, str]) -> EchoApp:
    server[0].forget()
    return server[0]


@pytest.fixture
def url(server: tuple[EchoApp, str]) -> str:
    return server[1]


async def test_aiohttp_sends_ten_megabytes_with_a_length(app: EchoApp, url: str) -> None:
    body = io.BytesIO(TEN_MB)
    async with aiohttp.ClientSession() as client, client.post(url, data=body) as reply:
        assert await reply.read() == TEN_MB


async def test_aiohttp_sends_ten_megabytes_in_chunks(app: EchoApp, url: str) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(TEN_MB), 77_777):
            yield TEN_MB[at : at + 77_777]

    async with aiohttp.ClientSession() as client, client.post(url, data=pieces()) as reply:
        assert await reply.read() == TEN_MB

    assert app.headers[0]["transfer-encoding"] == "chunked"


async def test_aiohttp_uses_one_connection_again_and_again(app: EchoApp, url: str) -> None:
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as client:
        for number in range(50):
            async with client.post(f"{url}/{number}", data=b"x" * number * 100) as reply:
                assert len(await reply.read()) == max(2, number * 100)

    assert app.started == [f"/{number}" for number in range(50)]


async def test_aiohttp_expects_100_continue(app: EchoApp, url: str) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, data=b"hello", expect100=True) as reply,
    ):
        assert await reply.read() == b"hello"


async def test_a_multipart_upload_arrives_whole(app: EchoApp, url: str) -> None:
    form = aiohttp.FormData({"model": "whisper-1"})
    form.add_field("file", TEN_MB[:100_000], filename="ä.wav")
    async with aiohttp.ClientSession() as client, client.post(url, data=form) as reply:
        assert TEN_MB[:100_000] in await reply.read()


async def test_the_openai_sdk_chats() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        choice = {"index": 0, "finish_reason": "stop"}
        message = {"role": "assistant", "content": "Teal."}
        reply = {"id": "1", "object": "chat.completion", "created": 1, "model": "m"}
        await answer(
            send, json.dumps({**reply, "choices": [{**choice, "message": message}]}).encode()
        )

    async with serving(app, GuardedHttpProtocol) as port:
        base_url = f"http://127.0.0.1:{port}/v1"
        async with openai.AsyncOpenAI(base_url=base_url, api_key="sk-1") as client:
            reply = await client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "My colour?"}]
            )

    assert reply.choices[0].message.content == "Teal."


async def test_the_anthropic_sdk_chats() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        reply = {
            "id": "1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "Teal."}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
        await answer(send, json.dumps(reply).encode())

    async with serving(app, GuardedHttpProtocol) as port:
        base_url = f"http://127.0.0.1:{port}"
        async with anthropic.AsyncAnthropic(base_url=base_url, api_key="sk-1") as client:
            reply = await client.messages.create(
                model="m", max_tokens=9, messages=[{"role": "user", "content": "My colour?"}]
            )

    assert reply.content[0].type == "text"
    assert reply.content[0].text == "Teal."


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize(
    "options",
    [
        ["--data-binary", "@-"],
        ["--data-binary", "@-", "-H", "Transfer-Encoding: chunked"],
        ["--data-binary", "@-", "-H", "Expect: 100-continue"],
        ["--data-binary", "@-", "--http2"],
        ["--data-binary", "@-", "--http1.0"],
        ["-T", "-"],
    ],
    ids=" ".join,
)
async def test_curl_sends_a_megabyte(app: EchoApp, url: str, options: list[str]) -> None:
    curl = await asyncio.create_subprocess_exec(
        *["curl", "-sS", "--max-time", str(DEADLINE_S), *options, f"{url}/v1/x"],
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await curl.communicate(TEN_MB[: 1024 * 1024])

    assert said == TEN_MB[: 1024 * 1024]
