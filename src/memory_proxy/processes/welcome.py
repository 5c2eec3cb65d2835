"""What a person reads once all is running: the address, the key, and what to paste."""

import json
import shlex
from pathlib import Path

from memory_proxy.processes.ports import LOOPBACK


def url(host: str, port: int, *, tls_cert: Path | None) -> str:
    """Where clients of this machine find the proxy."""
    scheme = "http" if tls_cert is None else "https"
    shown = LOOPBACK if host in ("0.0.0.0", "::") else host
    return f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{port}"


def address(proxy_url: str) -> str:
    return f"memory proxy  {proxy_url}"


def first_steps(proxy_url: str, *, key: str, model: str) -> str:
    """The address, the key, and a conversation of two lines for a POSIX shell."""
    return (
        f"{address(proxy_url)}\n"
        f"key           {key}\n"
        "\ntry it: tell it something, then ask in the same session, sending only the question\n\n"
        f"{_curl(proxy_url, key, model, 'My favourite colour is teal')}\n\n"
        f"{_curl(proxy_url, key, model, 'What is my favourite colour?')}\n\n"
        "Ctrl-C ends it"
    )


def _curl(proxy_url: str, key: str, model: str, text: str) -> str:
    body = {"model": model, "messages": [{"role": "user", "content": text}]}
    return shlex.join([
        *("curl", "-s", f"{proxy_url}/v1/chat/completions"),
        *("-H", f"Authorization: Bearer {key}"),
        *("-H", "Content-Type: application/json"),
        *("-H", "x-session-id: my-session"),
        *("-d", json.dumps(body)),
    ])  # fmt: skip
