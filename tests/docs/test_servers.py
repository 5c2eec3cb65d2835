"""The documented commands that run until they are ended: started, answering, ended."""

import asyncio
import json
import re
import signal
from pathlib import Path

import aiohttp
import pytest

from memory_proxy.processes.ports import free_port
from tests.docs.not_run import SERVERS
from tests.docs.pages import all_blocks
from tests.docs.reader import Reader
from tests.live.launched import Launched
from tests.processes.fakes import an_environment

LINES = sorted(
    {
        line
        for block in all_blocks("bash")
        for line in block.text.splitlines()
        if re.fullmatch(SERVERS, line)
    }
)


@pytest.mark.live
@pytest.mark.parametrize("line", LINES)
async def test_a_documented_server_starts_answers_and_ends(
    line: str, reader: Reader, stack: Launched, tmp_path: Path
) -> None:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", f"exec env {with_ports(line, port, reader)}"),
        cwd=reader.checkout,
        env=reader.environment() | surroundings(port, stack, tmp_path),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while f"memory proxy  http://127.0.0.1:{port}" not in (
                said := (await process.stdout.readline()).decode()
            ):
                assert said, await said_at_last(process)
            ready = f"http://127.0.0.1:{port}/health/ready"
            async with aiohttp.ClientSession() as client, client.get(ready) as reply:
                assert reply.status == 200
            process.send_signal(signal.SIGTERM)
            errors = await said_at_last(process)
        assert process.returncode == 0, errors
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def with_ports(line: str, port: int, reader: Reader) -> str:
    """`line`, with ports that are free; a LiteLLM that it finds running is the one of the stack."""
    line = line.replace("127.0.0.1:8765", f"127.0.0.1:{reader.ports.litellm}")
    line = re.sub(r"--litellm-port \d+", f"--litellm-port {free_port()}", line)
    return re.sub(r"(--port|--memoryproxy-port) \d+", rf"\1 {port}", line)


def surroundings(port: int, stack: Launched, folder: Path) -> dict[str, str]:
    """A home of its own, a program in LiteLLM's place, and ports where the line names none."""
    return {
        "KEY": (stack.home / "master.key").read_text().strip(),
        "MEMORY_PROXY_HOME": str(folder / "home"),
        "MEMORY_PROXY_LITELLM_COMMAND": str(an_environment(folder / "venv")),
        "PROXY_PORT": str(port),
        "MEMORY_PROXY_LITELLM_PORT": str(free_port()),
    }


async def said_at_last(process: asyncio.subprocess.Process) -> str:
    _, errors = await process.communicate()
    return errors.decode()


@pytest.mark.live
async def test_claude_code_finds_what_it_asks_for(stack: Launched) -> None:
    """What it sends first, then a chat as it sends one: see the pages on Claude Code."""
    key = (stack.home / "master.key").read_text().strip()
    session = "0f9d1c52-5d0f-4a0e-9a55-0a4b6c1d2e3f"
    headers = {
        "authorization": f"Bearer {key}",
        "user-agent": "claude-cli/2.1.330 (external, cli)",
        "x-app": "cli",
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "fine-grained-tool-streaming-2025-05-14",
        "x-claude-code-session-id": session,
    }
    text = {"type": "text", "text": "Hello there", "cache_control": {"type": "ephemeral"}}
    body = {
        "model": "demo",
        "max_tokens": 32000,
        "stream": True,
        "system": [{"type": "text", "text": "You are Claude Code."}],
        "metadata": {"user_id": json.dumps({"device_id": "d", "session_id": session})},
        "messages": [{"role": "user", "content": [text]}],
    }
    async with aiohttp.ClientSession(headers=headers) as client:
        async with client.head(stack.url) as knock:
            assert knock.status == 200
        url = f"{stack.url}/v1/messages?beta=true"
        async with client.post(url, json=body) as reply:
            events = await reply.text()

    assert reply.status == 200, events
    assert reply.headers["x-memory-session-id"] == session
    assert "event: message_stop" in events
