"""`memory-proxy up` as a user starts it: a process of its own, with the real LiteLLM behind."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from memory_proxy.processes.ports import free_port

KEY = "sk-" + "live" * 8


@dataclass(frozen=True, slots=True)
class Launched:
    """A running `memory-proxy up`; `said` is what it wrote to standard output when ready."""

    url: str
    home: Path
    said: str
    process: asyncio.subprocess.Process


@asynccontextmanager
async def launched(
    home: Path, litellm: str, arguments: Sequence[str], *, environment: dict[str, str] | None = None
) -> AsyncGenerator[Launched]:
    """Ready when the context begins, ended (SIGTERM, exit code 0) when it ends."""
    port = free_port()
    command = (
        *(sys.executable, "-m", "memory_proxy", "up", "--port", str(port)),
        *("--litellm-port", str(free_port()), "--litellm-command", litellm),
    )
    with (home / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            *arguments,
            env=_environment(home) | (environment or {}),
            cwd=home,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        said = await _ready(process, home)
        yield Launched(f"http://127.0.0.1:{port}", home, said, process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(60):
            code = await process.wait()
    assert code == 0, (home / "log").read_text("utf-8")


def _environment(home: Path) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"MEMORY_PROXY_HOME": str(home), "LITELLM_MASTER_KEY": KEY}


async def _ready(process: asyncio.subprocess.Process, home: Path) -> str:
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(180):
        while b"Ctrl-C" not in (line := await process.stdout.readline()):
            assert line, (home / "log").read_text("utf-8")
            lines.append(line.decode())
    return "".join(lines)
