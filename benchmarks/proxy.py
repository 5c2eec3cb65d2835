"""`make bench`: what the memory proxy costs in front of a provider that costs nothing.

README.md beside this file says how to read the figures.
"""

import argparse
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.chats import write_chats
from benchmarks.load import Affinity, CannotMeasure, Load, Provider, build, provider, run_load
from benchmarks.report import Figure, as_json, as_table
from benchmarks.streams import cancel_ms, idle_stream_kb
from benchmarks.target import Target, memory_proxy

DIRECT, OFF, ON, RECALL = "direct", "memory off", "memory on", "memory on, with recall"
_PACED_STREAMS = 64
_CHUNKS = 50


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured."""

    rounds: int
    cpu_window_s: float
    latency_window_s: float
    paced_each: int
    idle_streams: int
    cancels: int


FULL = Plan(5, 3.0, 1.5, 3, 300, 10)
QUICK = Plan(1, 1.5, 0.8, 1, 120, 3)


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that is running, and the chats to send."""

    provider: Provider
    plain: Target  # memory as configured, but nothing recalled from other sessions
    recalling: Target
    load_on: Affinity
    whole: Path
    paced: Path

    def load(
        self,
        name: str,
        body: Path,
        *,
        clients: int,
        seconds: float,
        warm_s: float = 0,
        requests_each: int = 0,
        spread_ms: float = 0,
        session: str,
    ) -> Load:
        """Load the target called `name`, each client in a session of its own."""
        target = self._target(name)
        load = run_load(
            target.port,
            body,
            processors=self.load_on,
            clients=clients,
            seconds=seconds,
            warm_s=warm_s,
            requests_each=requests_each,
            spread_ms=spread_ms,
            cpu_of=target.pid,
            headers={
                "Authorization": f"Bearer {target.key}",
                "X-Session-Id": f"{session}-@@@@",
                **({"X-Memory": "off"} if name == OFF else {}),
            },
        )
        if load.failed or load.refused:
            raise CannotMeasure(
                f"{name}: {load.failed} requests failed, {load.refused} were refused: "
                f"{load.first_error}"
            )
        return load

    def _target(self, name: str) -> Target:
        direct = Target(self.provider.port, self.provider.pid)
        targets = {DIRECT: direct, RECALL: self.recalling}
        return targets.get(name, self.plain)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.proxy", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short run, for a first look")
    parser.add_argument("--json", action="store_true", help="JSON instead of the table")
    chosen = parser.parse_args(arguments)
    plan = QUICK if chosen.quick else FULL
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that every child is ended
    try:
        build()
        figures = measure(plan)
    except CannotMeasure as error:
        _say(f"cannot measure: {error}")
        return 1
    except KeyboardInterrupt:
        return 130
    print(as_json(figures, _conditions(plan)) if chosen.json else as_table(figures))
    return 0


def measure(plan: Plan) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="memory-proxy-bench-") as folder, _running(folder) as b:
        memory = list(
            _memory_figures(b, plan)
        )  # first: load leaves memory that streams would reuse
        posts_before, kept_before = b.provider.counts()["posts"], b.plain.kept_turns()
        cpu, latency = _interleaved(b, plan)
        posts = b.provider.counts()["posts"] - posts_before
        kept = (b.plain.kept_turns() - kept_before) / 2  # a question and its answer
        calls = posts / sum(_started(cpu, name) + _started(latency, name) for name in cpu)
        remembered = kept / (_started(cpu, ON) + _started(latency, ON))
        return [
            *_cpu_figures(cpu),
            *_latency_figures(latency),
            *_paced_figures(b, plan),
            Figure("upstream calls per client call", calls, "", 1, 1, exact=True),
            Figure("exchanges kept per chat, memory on", remembered, "", 1, 1, exact=True),
            *_cancel_figures(b, plan),
            *memory,
            Figure("memory after the load", b.plain.resident_kb / 1024, "MB"),
        ]


@contextmanager
def _running(folder: str) -> Iterator[Bench]:
    own, others = _processors()
    if others:
        os.sched_setaffinity(0, others)
    home = Path(folder)
    whole, paced = write_chats(home)
    _say("starting the provider and two memory proxies")
    with (
        provider(others) as fake,
        memory_proxy(fake.port, home / "plain", recall_tokens=0, processors=own) as plain,
        memory_proxy(fake.port, home / "recall", recall_tokens=2000, processors=own) as recalling,
    ):
        yield Bench(fake, plain, recalling, others, whole, paced)


def _processors() -> tuple[Affinity, Affinity]:
    """One for the proxy, the others for all else; nothing is pinned where there is only one."""
    first, *others = sorted(os.sched_getaffinity(0))
    if not others:
        _say("one processor only: load and proxy share it, read the latencies with care")
        return frozenset(), frozenset()
    return frozenset({first}), frozenset(others)


def _interleaved(b: Bench, plan: Plan) -> tuple[dict[str, list[Load]], dict[str, list[Load]]]:
    """Each target in turn within each round, so that a slow minute of the machine hits them all."""
    cpu: dict[str, list[Load]] = {name: [] for name in (DIRECT, OFF, ON, RECALL)}
    latency: dict[str, list[Load]] = {name: [] for name in (DIRECT, OFF, ON, RECALL)}
    for turn in range(plan.rounds):
        for name in cpu:
            _say(f"round {turn + 1} of {plan.rounds}: {name}")
            cpu[name].append(
                b.load(
                    name,
                    b.whole,
                    clients=16,
                    warm_s=0.5,
                    seconds=plan.cpu_window_s,
                    session=f"load-{turn}",
                )
            )
            latency[name].append(
                b.load(
                    name,
                    b.whole,
                    clients=1,
                    warm_s=0.2,
                    seconds=plan.latency_window_s,
                    session=f"single-{turn}",
                )
            )
    return cpu, latency


def _started(loads: dict[str, list[Load]], name: str) -> int:
    return sum(load.started for load in loads[name])


def _cpu_figures(cpu: dict[str, list[Load]]) -> Iterator[Figure]:
    own = median(load.cpu_ms_per_request for load in cpu[DIRECT])
    yield Figure("CPU per request, the provider itself", own, "ms")
    limits = {OFF: (0.19, 0.09), ON: (0.55, 0.26), RECALL: (None, None)}
    for name, (floor, goal) in limits.items():
        spent = median(load.cpu_ms_per_request for load in cpu[name])
        yield Figure(f"CPU per request, {name}", spent, "ms", floor, goal)


def _latency_figures(latency: dict[str, list[Load]]) -> Iterator[Figure]:
    limits = {OFF: (None, None), ON: (1.5, 0.55), RECALL: (None, None)}
    for name, (floor, goal) in limits.items():
        pairs = zip(latency[name], latency[DIRECT], strict=True)
        added = median(through.latency_us.p50 - direct.latency_us.p50 for through, direct in pairs)
        yield Figure(f"added p50 at one connection, {name}", added / 1e3, "ms", floor, goal)


def _paced_figures(b: Bench, plan: Plan) -> Iterator[Figure]:
    """Streams at the pace of a model, all open at once, their beginnings spread over one length."""
    direct, through = (_paced(b, plan, name) for name in (DIRECT, ON))
    asked = _PACED_STREAMS * plan.paced_each
    first = [
        (getattr(through.first_byte_us, q) - getattr(direct.first_byte_us, q)) / 1e3
        for q in ("p50", "p99")
    ]
    yield Figure(f"streams finished, of {asked}", through.finished, "", asked, asked, exact=True)
    yield Figure("first byte over direct, p50", first[0], "ms", 5, 1)
    yield Figure("first byte over direct, p99", first[1], "ms", 20, 5)
    yield Figure("chunk transit p50", through.transit_us.p50 / 1e3, "ms", 1, 0.4)
    yield Figure("chunk transit p99", through.transit_us.p99 / 1e3, "ms", 20, 6)


def _paced(b: Bench, plan: Plan, name: str) -> Load:
    _say(f"{_PACED_STREAMS} paced streams: {name}")
    return b.load(
        name,
        b.paced,
        clients=_PACED_STREAMS,
        requests_each=plan.paced_each,
        spread_ms=_CHUNKS * 20,
        seconds=10 * (plan.paced_each + 1),
        session="paced",
    )


def _cancel_figures(b: Bench, plan: Plan) -> Iterator[Figure]:
    """The slowest of several: a cancel that comes late once comes late."""
    for phase, first_byte in (("in mid-stream", True), ("before the first byte", False)):
        _say(f"clients leaving {phase}")
        tries = range(plan.cancels)
        slowest = max(cancel_ms(b.plain, b.provider, first_byte=first_byte) for _ in tries)
        yield Figure(f"upstream cancelled {phase}, slowest", slowest, "ms", 250, 10)


def _memory_figures(b: Bench, plan: Plan) -> Iterator[Figure]:
    yield Figure("memory when idle", b.plain.resident_kb / 1024, "MB", 100, 60)
    _say(f"{plan.idle_streams} idle streams")
    per_stream = idle_stream_kb(b.plain, count=plan.idle_streams)
    yield Figure("memory per idle stream", per_stream, "KB", 60, 30)


def _conditions(plan: Plan) -> dict[str, object]:
    return {
        "rounds": plan.rounds,
        "cpu_window_s": plan.cpu_window_s,
        "clients": 16,
        "body_bytes": 2048,
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "machine": platform.machine(),
    }


def _say(progress: str) -> None:
    print(progress, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
