"""Single streams, held open or left: what one costs, how soon the provider learns of its end."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.chats import chat
from benchmarks.load import CannotMeasure, Provider
from benchmarks.target import Target

_PATIENCE_S = 10
_FOR_EVER_MS = 600_000


def idle_stream_kb(target: Target, *, count: int) -> float:
    """Resident memory that an open stream adds, while its model is thinking.

    Some are open already when it is first read: what every first use costs is not a stream's, and
    what they took is not free for the others.
    """
    with _idle_streams(target, range(count // 4)):
        before = target.resident_kb
        with _idle_streams(target, range(count // 4, count // 4 + count)):
            return (target.resident_kb - before) / count


@contextmanager
def _idle_streams(target: Target, clients: range) -> Iterator[None]:
    body = chat(chunks=2, interval_ms=_FOR_EVER_MS)
    with ExitStack() as streams:
        opened = [streams.enter_context(_asked(target, body, client=n)) for n in clients]
        for stream in opened:
            _read_first_chunk(stream)
        yield


def cancel_ms(target: Target, provider: Provider, *, first_byte: bool) -> float:
    """From the client's leaving, after the first chunk or before any, to the provider's noticing.

    Infinite when the provider was not told in ten seconds.
    """
    before = provider.counts()
    chunks, first_ms = (2, 0) if first_byte else (1, _FOR_EVER_MS)
    body = chat(chunks=chunks, interval_ms=_FOR_EVER_MS, first_ms=first_ms)
    with _asked(target, body, client=0) as stream:
        if first_byte:
            _read_first_chunk(stream)
        else:
            _wait(lambda: provider.counts()["posts"] > before["posts"])
        left_ns = time.monotonic_ns()
    if not _wait(lambda: provider.counts()["abandoned"] > before["abandoned"]):
        return float("inf")
    return (provider.counts()["last_abandoned_ns"] - left_ns) / 1e6


@contextmanager
def _asked(target: Target, body: bytes, *, client: int) -> Iterator[socket.socket]:
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{target.port}\r\n"
        f"Authorization: Bearer {target.key}\r\nX-Session-Id: stream-{client}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", target.port), timeout=_PATIENCE_S) as stream:
        stream.sendall(head.encode() + body)
        yield stream


def _read_first_chunk(stream: socket.socket) -> None:
    seen = b""
    while b"~ " not in seen:
        part = stream.recv(65536)
        if not part:
            raise CannotMeasure(f"a stream ended at once: {seen[:200]!r}")
        seen += part


def _wait(happened: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline:
        if happened():
            return True
        time.sleep(0.002)
    return False
