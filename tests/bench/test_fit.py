"""`memory-proxy bench fit`: weights from conversations."""

from pathlib import Path

import msgspec
import pytest

from memory_proxy.cli import main
from memory_proxy.retrieval.features import DENSE, LEXICAL
from memory_proxy.retrieval.weights import Weights, shipped_weights
from tests.bench.corpora import gardener, measured, sailors, written
from tests.bench.record import FILES


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    return [
        str(written(tmp_path, "talk-gardener.jsonl", gardener())),
        str(written(tmp_path, "talk-sailors.jsonl", sailors())),
    ]


def test_each_owner_is_tried_with_what_the_others_taught(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = measured(capsys, "fit", *files)

    names = [fold["name"] for fold in report["by_words"]]
    assert names == ["talk-gardener", "talk-sailors", "all of talk"]
    assert report["by_words"][2]["t_recall"]["t_R@1"]["count"] == 3
    assert report["with_vectors"] == []


def test_weights_are_written_where_they_are_asked_for_and_nowhere_else(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights.json"
    measured(capsys, "fit", *files)
    assert not out.exists()

    measured(capsys, "fit", *files, "--out", str(out))

    learnt = msgspec.json.decode(out.read_bytes(), type=Weights)
    assert learnt.lexical.features.keys() == set(LEXICAL)
    assert learnt.with_vectors.features == shipped_weights().with_vectors.features


def test_with_an_embedder_vectors_get_weights_and_a_gate_of_their_own(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "weights.json"

    report = measured(capsys, "fit", *files, "--embedder", "hashing", "--out", str(out))

    assert [len(report["by_words"]), len(report["with_vectors"])] == [3, 3]
    learnt = msgspec.json.decode(out.read_bytes(), type=Weights).with_vectors
    assert learnt.features.keys() == {*LEXICAL, *DENSE}
    assert learnt.gate_for(report["embedder"]).meaning is not None
    assert learnt.gate_for("another").meaning is None


def test_conversations_teach_more_than_chance(capsys: pytest.CaptureFixture[str]) -> None:
    report = measured(capsys, "fit", *map(str, FILES))

    for fold in report["by_words"][-2:]:
        assert fold["t_recall"]["t_R@10"]["value"] > 0.4


def test_the_table_has_every_fold(files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "fit", *files, "--embedder", "none"]) == 0

    shown = capsys.readouterr().out
    assert shown.startswith("By words, ")
    assert "\nall of talk " in shown


def test_one_file_cannot_be_both_teacher_and_test(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "fit", files[0], "--embedder", "none"]) == 2
    assert "takes two files" in capsys.readouterr().err


def test_weights_that_cannot_be_written_are_a_wrong_argument(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "absent" / "weights.json")

    assert main(["bench", "fit", *files, "--embedder", "none", "--out", out]) == 2
    assert f"--out: {out}: No such file" in capsys.readouterr().err
