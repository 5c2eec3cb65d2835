"""The benchmark's own instruments, measured against each other."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.chats import chat, write_chats
from benchmarks.load import Provider, build, provider, run_load
from benchmarks.report import Figure, as_json, as_table

ANYWHERE: frozenset[int] = frozenset()
needs_compiler = pytest.mark.skipif(
    shutil.which("cc") is None or not sys.platform.startswith("linux"),
    reason="the load generator is a C program for Linux",
)


@pytest.fixture
def fake() -> Iterator[Provider]:
    build()
    with provider(ANYWHERE) as fake:
        yield fake


@needs_compiler
def test_every_request_that_the_load_sends_is_counted_on_both_sides(
    fake: Provider, tmp_path: Path
) -> None:
    whole, _ = write_chats(tmp_path)

    load = run_load(
        fake.port,
        whole,
        processors=ANYWHERE,
        clients=4,
        seconds=20,
        requests_each=25,
        headers={"X-Session-Id": "test-@@@@"},
    )

    assert (load.failed, load.refused, load.first_error) == (0, 0, "")
    assert load.started == load.completed == fake.counts()["posts"] == 100
    assert load.latency_us.count == load.first_byte_us.count == 100


@needs_compiler
def test_every_chunk_of_a_stream_is_timed_and_its_end_is_seen(
    fake: Provider, tmp_path: Path
) -> None:
    stream = tmp_path / "stream.json"
    stream.write_bytes(chat(chunks=10, interval_ms=1))

    load = run_load(
        fake.port,
        stream,
        processors=ANYWHERE,
        clients=3,
        seconds=20,
        requests_each=2,
        headers={},
    )

    assert load.finished == 6
    assert load.transit_us.count == 60
    assert fake.counts()["open"] == fake.counts()["abandoned"] == 0


def test_a_chat_is_of_the_size_that_the_report_states() -> None:
    assert 2040 <= len(chat()) <= 2056


def test_a_report_names_what_was_missed_and_survives_what_never_came() -> None:
    figures = [
        Figure("good", 1.0, "ms", 5, 2),
        Figure("fair", 3.0, "ms", 5, 2),
        Figure("late", float("inf"), "ms", 5, 2),
        Figure("exact", 0.99, "", 1, 1, exact=True),
        Figure("shown only", 7.0, "MB"),
    ]

    assert [figure.verdict for figure in figures] == ["goal", "floor", "MISSED", "MISSED", ""]
    assert "never" in as_table(figures)
    assert '"value": null' in as_json(figures, {})
