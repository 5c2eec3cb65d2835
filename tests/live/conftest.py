from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from memory_proxy.testing import FakeUpstream
from tests.live.launched import Launched, launched

_CONFIG = """
model_list:
  - model_name: demo
    litellm_params:
      {{model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL, api_key: none-needed}}
  - model_name: fake
    litellm_params: {{model: openai/fake, api_base: "{provider}/v1", api_key: sk-provider}}
  - model_name: fake-anthropic
    litellm_params: {{model: anthropic/fake, api_base: "{provider}", api_key: sk-provider}}
litellm_settings:
  use_chat_completions_url_for_anthropic_messages: true
  num_retries: 0
"""


@pytest.fixture(scope="package")
async def provider() -> AsyncGenerator[FakeUpstream]:
    """What LiteLLM takes for OpenAI and for Anthropic."""
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture(scope="package")
async def stack(
    provider: FakeUpstream, litellm_command: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Launched]:
    """Proxy, LiteLLM and demo provider, shared by the tests of this folder."""
    home: Path = tmp_path_factory.mktemp("stack")
    config = home / "config.yaml"
    config.write_text(_CONFIG.format(provider=provider.url), encoding="utf-8")
    async with launched(home, litellm_command, ["--demo", "--config", str(config)]) as running:
        yield running
