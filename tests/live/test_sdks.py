"""The official SDKs, through the proxy and the real LiteLLM."""

import asyncio
import json
import re
import shlex
from pathlib import Path

import aiohttp
import anthropic
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from memory_proxy.testing import FakeUpstream, openai_stream
from tests.live.launched import KEY, Launched, launched

pytestmark = pytest.mark.live


def openai_client(stack: Launched, user: str, session: str = "") -> openai.AsyncOpenAI:
    headers = {"x-memory-user-id": user} | ({"x-session-id": session} if session else {})
    return openai.AsyncOpenAI(
        base_url=f"{stack.url}/v1", api_key=KEY, max_retries=0, default_headers=headers
    )


def anthropic_client(stack: Launched, user: str, session: str = "") -> anthropic.AsyncAnthropic:
    headers = {"x-memory-user-id": user} | ({"x-session-id": session} if session else {})
    return anthropic.AsyncAnthropic(
        base_url=stack.url, api_key=KEY, max_retries=0, default_headers=headers
    )


async def ask_openai(client: openai.AsyncOpenAI, text: str, *, stream: bool) -> str:
    if not stream:
        reply = await client.chat.completions.create(
            model="demo", messages=[{"role": "user", "content": text}]
        )
        return reply.choices[0].message.content or ""
    chunks = await client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": text}], stream=True
    )
    return "".join(
        [chunk.choices[0].delta.content or "" async for chunk in chunks if chunk.choices]
    )


async def ask_anthropic(client: anthropic.AsyncAnthropic, text: str, *, stream: bool) -> str:
    message = {"role": "user", "content": text}
    if not stream:
        reply = await client.messages.create(model="demo", max_tokens=200, messages=[message])  # type: ignore[list-item]
        return "".join(block.text for block in reply.content if block.type == "text")
    async with client.messages.stream(
        model="demo",
        max_tokens=200,
        messages=[message],  # type: ignore[list-item]
    ) as events:
        return "".join([text async for text in events.text_stream])


@pytest.mark.parametrize("stream", [False, True])
async def test_an_openai_conversation_goes_on_and_is_known_in_the_next(
    stack: Launched, stream: bool
) -> None:
    user = f"openai-{stream}"
    async with openai_client(stack, user, "s1") as client:
        await ask_openai(client, "My favourite colour is teal", stream=stream)
        assert "teal" in await ask_openai(client, "What is my favourite colour?", stream=stream)
    async with openai_client(stack, user, "s2") as client:
        assert "teal" in await ask_openai(client, "Which colour is my favourite?", stream=stream)
    async with openai_client(stack, f"not-{user}", "s1") as client:
        assert "teal" not in await ask_openai(client, "What is my favourite colour?", stream=stream)


@pytest.mark.parametrize("stream", [False, True])
async def test_an_anthropic_conversation_goes_on_and_is_known_in_the_next(
    stack: Launched, stream: bool
) -> None:
    user = f"anthropic-{stream}"
    async with anthropic_client(stack, user, "s1") as client:
        await ask_anthropic(client, "My sister plays the cello", stream=stream)
        assert "cello" in await ask_anthropic(client, "What does my sister play?", stream=stream)
    async with anthropic_client(stack, user) as client:
        assert "cello" in await ask_anthropic(client, "Who plays for my sister?", stream=stream)


async def test_what_one_sdk_learned_the_other_knows(stack: Launched) -> None:
    async with openai_client(stack, "both") as client:
        await ask_openai(client, "The harbour office closes at four", stream=False)
    async with anthropic_client(stack, "both") as client:
        said = await ask_anthropic(client, "When does the harbour office close?", stream=True)

    assert "four" in said


async def test_the_sdks_see_our_refusals_as_their_own_errors(stack: Launched) -> None:
    wrong = openai.AsyncOpenAI(base_url=f"{stack.url}/v1", api_key="sk-no", max_retries=0)
    async with wrong:
        with pytest.raises(openai.AuthenticationError):
            await ask_openai(wrong, "hi", stream=False)
    foreign = anthropic.AsyncAnthropic(base_url=stack.url, api_key="sk-no", max_retries=0)
    async with foreign:
        with pytest.raises(anthropic.AuthenticationError):
            await ask_anthropic(foreign, "hi", stream=False)


async def test_an_unknown_model_is_litellms_own_error(stack: Launched) -> None:
    async with openai_client(stack, "ann") as client:
        with pytest.raises(openai.BadRequestError) as caught:
            await client.chat.completions.create(
                model="no-such-model", messages=[{"role": "user", "content": "hi"}]
            )

    assert "no-such-model" in str(caught.value)


async def test_models_and_embeddings_pass_through(stack: Launched, provider: FakeUpstream) -> None:
    async with openai_client(stack, "ann") as client:
        models = {model.id async for model in client.models.list()}

    assert {"demo", "fake"} <= models


async def test_one_chat_is_one_call_to_the_provider_and_names_the_user_to_litellm_only(
    stack: Launched, provider: FakeUpstream
) -> None:
    before = len(provider.calls)
    async with openai_client(stack, "ann", "one-call") as client:
        await client.chat.completions.create(
            model="fake", messages=[{"role": "user", "content": "hello there"}]
        )
    chats = [call for call in provider.calls[before:] if call.path.endswith("/chat/completions")]

    assert len(chats) == 1
    assert chats[0].header("authorization") == "Bearer sk-provider"
    assert KEY not in str(chats[0].headers)
    assert chats[0].header("x-memory-user-id") is None
    assert chats[0].json["messages"] == [{"role": "user", "content": "hello there"}]


async def test_a_native_anthropic_provider_streams_through(
    stack: Launched, provider: FakeUpstream
) -> None:
    async with anthropic_client(stack, "native", "n1") as client:
        message = {"role": "user", "content": "colour?"}
        async with client.messages.stream(
            model="fake-anthropic",
            max_tokens=50,
            messages=[message],  # type: ignore[list-item]
        ) as events:
            assert await events.get_final_text() == "It is teal."


async def test_a_provider_that_breaks_off_leaves_a_partial_answer(
    stack: Launched, provider: FakeUpstream
) -> None:
    provider.script(openai_stream(["The tide ", "is high", "never"], break_after=2))
    async with openai_client(stack, "partial", "p1") as client:
        chunks = await client.chat.completions.create(
            model="fake", messages=[{"role": "user", "content": "Tide?"}], stream=True
        )
        heard: list[str] = []
        with pytest.raises(openai.APIError):
            await hear(chunks, heard)
    assert "".join(heard).startswith("The tide ")
    url = f"{stack.url}/memory/sessions/p1"
    headers = {"authorization": f"Bearer {KEY}", "x-memory-user-id": "partial"}
    async with aiohttp.ClientSession() as http, http.get(url, headers=headers) as reply:
        turns = (await reply.json())["turns"]
    assert [turn["role"] for turn in turns] == ["user", "assistant"]
    assert turns[1]["text"].startswith("The tide ")


async def test_everything_ends_and_the_next_start_still_knows(
    litellm_command: str, tmp_path: Path
) -> None:
    """The lines that `up` prints are pasted as they stand."""
    async with launched(tmp_path, litellm_command, []) as first:
        told, asked = re.findall(r"^curl .*$", first.said, re.MULTILINE)
        assert f"key           {KEY}" in first.said
        assert "Noted" in await pasted(told)
        assert "teal" in await pasted(asked)
    async with launched(tmp_path, litellm_command, []) as again:
        (_, asked) = re.findall(r"^curl .*$", again.said, re.MULTILINE)
        elsewhere = asked.replace("my-session", "another-session")
        assert "teal" in await pasted(elsewhere)


async def hear(chunks: openai.AsyncStream[ChatCompletionChunk], heard: list[str]) -> None:
    async for chunk in chunks:
        heard += [choice.delta.content or "" for choice in chunk.choices]


async def pasted(line: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *shlex.split(line), stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return str(json.loads(out)["choices"][0]["message"]["content"])
