"""The demo model as a process of its own, spoken to like any provider."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI

TEAL = {"role": "user", "content": "My favourite colour is teal"}
ASK = {"role": "user", "content": [{"type": "text", "text": "What is my favourite colour?"}]}
CHAT = "/v1/chat/completions"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@asynccontextmanager
async def demo_process(port: int) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "memory_proxy.demo", "--port", str(port)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def answers(client: aiohttp.ClientSession) -> None:
    """Return once the demo serves."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with client.get("/health") as response:
                    assert (await response.json())["status"] == "healthy"
                    return
            except aiohttp.ClientConnectorError:
                await asyncio.sleep(0.02)


@pytest.fixture(scope="module")
async def demo(port: int) -> AsyncGenerator[aiohttp.ClientSession]:
    timeout = aiohttp.ClientTimeout(total=10)
    url = f"http://127.0.0.1:{port}"
    async with demo_process(port), aiohttp.ClientSession(url, timeout=timeout) as client:
        await answers(client)
        yield client


async def events(response: aiohttp.ClientResponse) -> list[Any]:
    *chunks, done = (await response.text()).removesuffix("\n\n").split("\n\n")
    assert done == "data: [DONE]"
    return [json.loads(chunk.removeprefix("data: ")) for chunk in chunks]


async def test_the_official_sdk_gets_an_answer_whole_and_streamed(
    demo: aiohttp.ClientSession, port: int
) -> None:
    async with AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none") as sdk:
        whole = await sdk.chat.completions.create(model="demo", messages=[TEAL, ASK])
        stream = await sdk.chat.completions.create(model="demo", messages=[TEAL, ASK], stream=True)
        pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
        models = await sdk.models.list()

    text = whole.choices[0].message.content or ""
    assert text.startswith('You said: "My favourite colour is teal".')
    assert "no language model" in text
    assert len(pieces) > 5
    assert "".join(pieces) == text
    assert [model.id for model in models.data] == ["demo"]
    assert whole.usage is not None
    assert whole.usage.total_tokens > whole.usage.prompt_tokens > 0


async def test_several_choices_are_all_given(demo: aiohttp.ClientSession) -> None:
    async with demo.post(CHAT, json={"messages": [TEAL], "n": 2}) as response:
        whole = await response.json()
    async with demo.post(CHAT, json={"messages": [TEAL], "n": 2, "stream": True}) as response:
        streamed = await events(response)

    assert [choice["index"] for choice in whole["choices"]] == [0, 1]
    assert {choice["index"] for chunk in streamed for choice in chunk["choices"]} == {0, 1}


async def test_a_stream_ends_with_its_usage_only_when_asked(demo: aiohttp.ClientSession) -> None:
    chat: dict[str, Any] = {"messages": [TEAL], "stream": True}
    async with demo.post(CHAT, json=chat) as response:
        assert response.content_type == "text/event-stream"
        assert all("usage" not in chunk for chunk in await events(response))
    chat["stream_options"] = {"include_usage": True}
    async with demo.post(CHAT, json=chat) as response:
        last = (await events(response))[-1]

    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b'{"messages": []}',
        b'{"messages": "hi"}',
        b'{"messages": [3]}',
        b'{"messages": [{"role": "user", "content": "x"}], "n": 0}',
        b'{"messages": ' + b"[" * 100_000,
    ],
)
async def test_what_is_no_chat_is_refused_as_openai_would(
    demo: aiohttp.ClientSession, body: bytes
) -> None:
    async with demo.post(CHAT, data=body) as response:
        assert response.status == 400
        assert (await response.json())["error"]["type"] == "invalid_request_error"


async def test_strange_but_valid_conversations_are_answered(demo: aiohttp.ClientSession) -> None:
    strange = [
        {"role": "system", "content": "be brief"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]},
        {"role": "tool", "tool_call_id": "1", "content": [{"type": "text", "text": "42"}]},
        {"role": "user", "content": [7, {"type": "image_url"}, {"text": None}]},
        {"role": "user", "content": "\u202e ünï \U0001f9ff \u0000"},
    ]
    async with demo.post(CHAT, json={"messages": strange, "unknown": {"a": 1}}) as response:
        assert response.status == 200


async def test_an_unknown_path_is_an_error_in_the_same_dialect(demo: aiohttp.ClientSession) -> None:
    async with demo.get("/v1/nothing") as response:
        assert response.status == 404
        assert "/v1/nothing" in (await response.json())["error"]["message"]


async def test_it_stops_at_once_on_sigterm_though_a_client_stays_and_says_nothing() -> None:
    own_port = free_port()
    async with (
        demo_process(own_port) as process,
        aiohttp.ClientSession(f"http://127.0.0.1:{own_port}") as client,
    ):
        await answers(client)
        async with client.post(CHAT, json={"messages": [TEAL]}) as response:
            await response.read()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            output, _ = await process.communicate()

    assert process.returncode == 0
    assert output == b""


async def test_a_port_in_use_ends_it_with_its_name(demo: aiohttp.ClientSession, port: int) -> None:
    async with demo_process(port) as process, asyncio.timeout(20):
        output, _ = await process.communicate()

    assert process.returncode == 3
    assert f"cannot listen on 127.0.0.1:{port}".encode() in output
