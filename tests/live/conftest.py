from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from memory_proxy.testing import FakeUpstream
from tests.live.launched import Launched, launched

# Whatever leaves this computer goes to the fake provider, as through a forward proxy.
_CONFIG = """
# LiteLLM heeds HTTP_PROXY if os.environ/AIOHTTP_TRUST_ENV says so.
model_list:
  - model_name: demo
    litellm_params:
      {{model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL, api_key: none-needed}}
  - model_name: fake
    litellm_params: {{model: openai/fake, api_base: "{provider}/v1", api_key: sk-provider}}
  - model_name: fake-anthropic
    litellm_params: {{model: anthropic/fake, api_base: "{provider}", api_key: sk-provider}}
  - model_name: sm-openai
    litellm_params:
      model: openai/fake
      api_base: http://api.supermemory.ai/v3/api.openai.com/v1
      api_key: sk-provider
      extra_headers: {{x-static: from-config}}
  - model_name: sm-anthropic
    litellm_params:
      model: anthropic/fake
      api_base: http://api.supermemory.ai/v3/api.anthropic.com
      api_key: sk-provider
  - model_name: sm-gemini
    litellm_params:
      model: gemini/fake
      api_base: http://api.supermemory.ai/v3/generativelanguage.googleapis.com/v1beta
      api_key: provider-key
litellm_settings:
  use_chat_completions_url_for_anthropic_messages: true
  num_retries: 0
router_settings:
  disable_cooldowns: true  # an echo is no valid reply on every route
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
    outside = {
        "HTTP_PROXY": provider.url,
        "NO_PROXY": "127.0.0.1,localhost",
        "AIOHTTP_TRUST_ENV": "True",
        "SUPERMEMORY_API_KEY": "sm_live_key",
    }
    arguments = ["--demo", "--config", str(config)]
    async with launched(home, litellm_command, arguments, environment=outside) as running:
        yield running
