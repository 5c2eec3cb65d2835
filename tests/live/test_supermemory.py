"""A user and a key for Supermemory get through the real LiteLLM to the provider."""

from typing import Any

import aiohttp
import pytest

from memory_proxy.testing import Call, FakeUpstream
from tests.live.launched import KEY, Launched

pytestmark = pytest.mark.live

HELLO = [{"role": "user", "content": "hello"}]


async def reached(stack: Launched, provider: FakeUpstream, path: str, body: dict[str, Any]) -> Call:
    """The request that reached the provider's host for one of ours."""
    before = len(provider.calls)
    headers = {"authorization": f"Bearer {KEY}", "x-memory-user-id": "ann"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(stack.url + path, json=body, headers=headers) as reply,
    ):
        await reply.read()
    calls = provider.calls[before:]
    (call,) = [call for call in calls if "api.supermemory.ai" in call.target]
    return call


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"model": "sm-openai", "messages": HELLO}),
        ("/v1/messages", {"model": "sm-anthropic", "max_tokens": 9, "messages": HELLO}),
        ("/v1/messages", {"model": "sm-openai", "max_tokens": 9, "messages": HELLO}),
        ("/v1/responses", {"model": "sm-openai", "input": "hello"}),
        (
            "/v1beta/models/sm-gemini:generateContent",
            {"contents": [{"role": "user", "parts": [{"text": "hello"}]}]},
        ),
    ],
)
async def test_the_user_and_the_key_reach_the_provider(
    stack: Launched, provider: FakeUpstream, path: str, body: dict[str, Any], stream: bool
) -> None:
    call = await reached(stack, provider, path, body | {"stream": stream})

    assert call.header("x-sm-user-id") == "ann"
    assert call.header("x-supermemory-api-key") == "sm_live_key"
    assert b"recalled-notes" not in call.body
    if body.get("model") == "sm-openai":
        assert call.header("x-static") == "from-config"


async def test_they_reach_it_for_embeddings_too(stack: Launched, provider: FakeUpstream) -> None:
    body = {"model": "sm-openai", "input": "hello"}
    call = await reached(stack, provider, "/v1/embeddings", body)

    assert call.header("x-sm-user-id") == "ann"
    assert call.header("x-supermemory-api-key") == "sm_live_key"


async def test_a_client_cannot_choose_the_user_or_the_upstream_through_the_body(
    stack: Launched, provider: FakeUpstream
) -> None:
    body = {
        "model": "sm-openai",
        "messages": HELLO,
        "extra_headers": {"x-sm-user-id": "bob"},
        "api_base": "http://127.0.0.1:9",
        "litellm_metadata": {"api_base": "http://127.0.0.1:9"},
    }
    call = await reached(stack, provider, "/v1/chat/completions", body)

    assert call.header("x-sm-user-id") == "ann"
