"""Vectors from a model behind the real LiteLLM."""

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.embedding.server import EmbeddingsServer, embeddings_server
from tests.live.launched import KEY, Launched, launched
from tests.stores.exchanges import becomes_true

pytestmark = pytest.mark.live

_CONFIG = """
model_list:
  - model_name: demo
    litellm_params:
      {{model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL, api_key: none-needed}}
  - model_name: tiny
    litellm_params: {{model: openai/tiny, api_base: "{provider}", api_key: sk-provider}}
memory_proxy: {{embedder: "litellm:tiny"}}
"""


@pytest.fixture
async def provider() -> AsyncGenerator[EmbeddingsServer]:
    async with embeddings_server() as server:
        yield server


@pytest.fixture
async def stack(
    provider: EmbeddingsServer, litellm_command: str, tmp_path: Path
) -> AsyncGenerator[Launched]:
    config = tmp_path / "config.yaml"
    base = provider.url.removesuffix("/embeddings")
    config.write_text(_CONFIG.format(provider=base), encoding="utf-8")
    async with launched(tmp_path, litellm_command, ["--demo", "--config", str(config)]) as running:
        yield running


async def test_what_was_said_is_embedded_by_a_model_of_litellm(
    stack: Launched, provider: EmbeddingsServer
) -> None:
    body = {"model": "demo", "messages": [{"role": "user", "content": "The bicycle is blue."}]}
    async with aiohttp.ClientSession(headers={"authorization": f"Bearer {KEY}"}) as client:
        async with client.post(f"{stack.url}/v1/chat/completions", json=body) as reply:
            assert reply.status == 200
        await becomes_true(lambda: _is_embedded(client, stack, provider))
        async with client.get(f"{stack.url}/health") as health:
            assert (await health.json())["degraded"] == []
    assert provider.headers[-1] == "Bearer sk-provider"


async def _is_embedded(
    client: aiohttp.ClientSession, stack: Launched, provider: EmbeddingsServer
) -> bool:
    async with client.get(f"{stack.url}/metrics") as reply:
        nothing_waits = "\nmemory_proxy_embedding_backlog 0.0\n" in await reply.text()
    return nothing_waits and any("The bicycle is blue." in call["input"] for call in provider.calls)
