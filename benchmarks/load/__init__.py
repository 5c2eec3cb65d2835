"""The benchmark's own provider and load generator: two small C programs, built on first use."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

_SOURCES = Path(__file__).parent
_BUILT = _SOURCES / "build"

Affinity = frozenset[int]
"""The processors a process may run on; empty: any."""


class CannotMeasure(Exception):
    """The machine lacks what the benchmark needs, or a process did not do its part."""


@dataclass(frozen=True, slots=True)
class Spread:
    """A distribution; microseconds."""

    count: int
    p50: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load generator saw; `completed` and the times are of its window only."""

    started: int
    completed: int
    failed: int
    refused: int
    finished: int
    seconds: float
    cpu_ms: float
    latency_us: Spread
    first_byte_us: Spread
    transit_us: Spread
    first_error: str

    @property
    def cpu_ms_per_request(self) -> float:
        return self.cpu_ms / max(1, self.completed)


def build() -> None:
    """Compile what is older than its source; raises CannotMeasure without a compiler."""
    if not sys.platform.startswith("linux"):
        raise CannotMeasure("the benchmark reads /proc and uses epoll: it runs on Linux only")
    _BUILT.mkdir(exist_ok=True)
    for name in ("provider", "load"):
        source, program = _SOURCES / f"{name}.c", _BUILT / name
        if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
            _compile(source, program)


def _compile(source: Path, program: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise CannotMeasure(
            "no C compiler (cc): Python is too slow to load a proxy and measure it at the same "
            "time, so the load generator is a small C program; install gcc or clang"
        )
    built = subprocess.run(
        [compiler, "-O2", "-o", program, source], capture_output=True, text=True, check=False
    )
    if built.returncode:
        raise CannotMeasure(f"{source.name} does not compile:\n{built.stderr}")


def pinned(processors: Affinity) -> list[str]:
    """The beginning of a command line that keeps what follows on `processors`."""
    if not processors:
        return []
    pin = "import os, sys; os.sched_setaffinity(0, map(int, sys.argv[1].split(',')));"
    pin += "os.execv(sys.argv[2], sys.argv[2:])"
    return [sys.executable, "-S", "-c", pin, ",".join(map(str, sorted(processors)))]


@dataclass(frozen=True, slots=True)
class Provider:
    """The fake provider, running."""

    port: int
    pid: int

    def counts(self) -> Mapping[str, int]:
        """`posts` ever begun, answers `open` now, `abandoned` ever, and when the last one was."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/stats")
        counts: dict[str, int] = json.loads(connection.getresponse().read())
        connection.close()
        return counts


@contextmanager
def provider(processors: Affinity) -> Iterator[Provider]:
    command = [*pinned(processors), str(_BUILT / "provider")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Provider(int(process.stdout.readline()), process.pid)
    finally:
        process.kill()
        process.communicate()


def run_load(
    port: int,
    body: Path,
    *,
    processors: Affinity,
    clients: int,
    seconds: float,
    warm_s: float = 0,
    requests_each: int = 0,
    spread_ms: float = 0,
    cpu_of: int = 0,
    headers: Mapping[str, str],
) -> Load:
    """Load `port` for `seconds`; `requests_each` of a client end it sooner."""
    switches: dict[str, Any] = {
        "-p": port, "-b": body, "-c": clients, "-s": seconds, "-w": warm_s,
        "-n": requests_each, "-g": spread_ms, "-P": cpu_of,
    }  # fmt: skip
    fields = [part for name, value in headers.items() for part in ("-H", f"{name}: {value}")]
    arguments = [str(part) for switch in switches.items() for part in switch]
    run = subprocess.run(
        [*pinned(processors), str(_BUILT / "load"), *arguments, *fields],
        capture_output=True,
        text=True,
        timeout=warm_s + seconds + 30,
        check=False,
    )
    if run.returncode:
        raise CannotMeasure(f"the load generator failed: {run.stderr.strip()}")
    seen = json.loads(run.stdout)
    spreads = {key: Spread(**seen[key]) for key in ("latency_us", "first_byte_us", "transit_us")}
    return Load(**{**seen, **spreads})
