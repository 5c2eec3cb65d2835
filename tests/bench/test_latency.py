from pathlib import Path

import pytest

from memory_proxy.bench.talk import invented
from memory_proxy.cli import main
from tests.bench.corpora import measured


def test_latency_of_recall_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    report = measured(capsys, "latency", "--messages", "300")

    assert (report["store"], report["messages"]) == ("sqlite", 300)
    for name in ("recall_cpu_p50_ms", "recall_wall_p99_ms", "stored_wall_ms", "mb_per_1000"):
        assert report["figures"][name] > 0


def test_disk_is_not_measured_where_the_store_is_anothers(
    capsys: pytest.CaptureFixture[str],
) -> None:
    report = measured(capsys, "latency", "--messages", "50", "--store", "memory://")

    assert report["figures"]["mb_per_1000"] is None


def test_the_table_names_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "latency", "--messages", "50", "--embedder", "none"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("50 messages in sqlite, by words\n")
    assert "the event loop comes round too late" in shown


def test_no_messages_are_no_memory(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "latency", "--messages", "0"]) == 2
    assert "--messages: 0 must be at least 1" in capsys.readouterr().err


def test_invented_talk_is_the_same_every_time() -> None:
    assert invented(200, questions=5) == invented(200, questions=5)
    assert invented(200, questions=5) != invented(200, questions=5, seed=2)


def test_invented_talk_has_sessions_roles_and_answers() -> None:
    talk = invented(500, questions=20)

    assert len(talk.turns) == 500
    assert talk.session_count > 10
    assert {turn.speaker for turn in talk.turns} == {"user", "assistant"}
    said = {turn.id: turn.text.lower() for turn in talk.turns}
    for question in talk.questions:
        assert question.question.rstrip("?").split()[-1] in said[question.evidence[0]]
    assert talk.path == Path("invented")
