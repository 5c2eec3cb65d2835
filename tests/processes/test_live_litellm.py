"""The real LiteLLM, installed on first use into MEMORY_PROXY_HOME (or ./.memory-proxy)."""

import os
import socket
from pathlib import Path

import aiohttp
import pytest

from memory_proxy.config import load_settings
from memory_proxy.processes.installation import ensure_litellm
from memory_proxy.processes.ports import free_port
from memory_proxy.start_proxies import start_litellm_proxy
from memory_proxy.upstream import Gate
from tests.processes.fakes import eventually, the_program

pytestmark = pytest.mark.live

CONFIG = """
model_list:
  - model_name: demo
    litellm_params: {model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL, api_key: none}
"""


@pytest.fixture
async def litellm(said: list[str]) -> str:
    home = Path(os.environ.get("MEMORY_PROXY_HOME", ".memory-proxy")).absolute()
    return (await ensure_litellm(home, command=None, report=said.append)).words[0]


async def test_litellm_is_started_answers_survives_a_crash_and_ends(
    litellm: str, tmp_path: Path, said: list[str]
) -> None:
    (tmp_path / "config.yaml").write_text(CONFIG, encoding="utf-8")
    port = free_port()
    settings = load_settings(
        {"home": str(tmp_path / "home"), "litellm_command": litellm, "litellm_port": str(port)},
        environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        cwd=tmp_path,
        launch_litellm=True,
    )
    gate = Gate()

    async with start_litellm_proxy(settings, gate=gate, report=said.append):
        assert gate.is_open
        key = (tmp_path / "home" / "master.key").read_text("utf-8").strip()
        assert await ask(port, key) == 200
        assert await ask(port, "sk-wrong") != 200

        the_program("bin/litellm").kill()
        await eventually(lambda: not gate.is_open)
        await eventually(lambda: gate.is_open, within_s=120)
        assert await ask(port, key) == 200

    with socket.create_server(("127.0.0.1", port)):
        pass
    assert not [line for line in said if "first request failed" in line]


async def ask(port: int, key: str) -> int:
    """The status of a chat with the demo model."""
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    chat = {"model": "demo", "messages": [{"role": "user", "content": "hello"}]}
    async with (
        aiohttp.ClientSession() as client,
        client.post(url, json=chat, headers={"authorization": f"Bearer {key}"}) as answer,
    ):
        return answer.status
