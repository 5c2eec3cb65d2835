"""The memory proxy under test: a process of its own, on a processor of its own."""

import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from benchmarks.load import Affinity, CannotMeasure, pinned

_START_TIMEOUT_S = 60
_STOP_TIMEOUT_S = 40


@dataclass(frozen=True, slots=True)
class Target:
    """What is loaded: our proxy, or the provider itself, which asks for no key."""

    port: int
    pid: int
    key: str = "none"

    @property
    def resident_kb(self) -> int:
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if found is None:
            raise CannotMeasure(f"process {self.pid} has no memory: it ended")
        return int(found[1])

    def kept_turns(self) -> int:
        """How many turns its memory holds, once what is on its way there has arrived."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request(
            "GET", "/memory/sessions?limit=1000", headers={"Authorization": f"Bearer {self.key}"}
        )
        listed = json.loads(connection.getresponse().read())
        connection.close()
        return sum(session["turns"] for session in listed["sessions"])


@contextmanager
def memory_proxy(
    provider_port: int, home: Path, *, recall_tokens: int, processors: Affinity
) -> Iterator[Target]:
    """Our proxy in front of `provider_port`, with an empty memory in `home`."""
    home.mkdir(parents=True)
    config, log, key = home / "config.yaml", home / "proxy.log", f"sk-{secrets.token_hex(16)}"
    config.write_text(
        "model_list: []\nmemory_proxy:\n"
        f"  recall_budget_tokens: {recall_tokens}\n"
        "  embedder: none\n",  # it works in the background; `memory-proxy bench` measures it
        encoding="utf-8",
    )
    port = _free_port()
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [
                *(*pinned(processors), sys.executable, "-m", "memory_proxy", "serve"),
                *("--litellm-url", f"http://127.0.0.1:{provider_port}"),
                *("--port", str(port), "--config", str(config)),
            ],
            env={**os.environ, "MEMORY_PROXY_HOME": str(home), "LITELLM_MASTER_KEY": key},
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            cwd=home,
        )
        try:
            _wait_until_it_answers(process, port, log)
            yield Target(port, process.pid, key)
        finally:
            _stop(process)


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return
        time.sleep(0.05)
    said = log.read_text(encoding="utf-8", errors="replace")[-2000:]
    raise CannotMeasure(f"the memory proxy did not start:\n{said}")


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port
