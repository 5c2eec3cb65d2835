"""`memory-proxy bench retrieval`, from the files to the figures."""

import asyncio
from pathlib import Path

import pytest

from memory_proxy.cli import main
from memory_proxy.stores.sqlite import SQLiteStore
from tests.bench.corpora import (
    conversation,
    gardener,
    measured,
    question,
    sailors,
    turn,
    written,
)
from tests.examples import an_exchange, user


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    paths = [
        written(tmp_path, "talk-gardener.jsonl", gardener()),
        written(tmp_path, "talk-sailors.jsonl", sailors()),
    ]
    return [str(path) for path in paths]


def test_what_is_found_first_counts_whole(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    [talk] = measured(capsys, "retrieval", *files)["collections"]

    assert talk["figures"]["t_R@1"] == {"value": 1.0, "low": 1.0, "high": 1.0, "count": 3}
    assert talk["figures"]["evidence@500"]["value"] == 1.0
    assert (talk["turns"], talk["questions"]) == (7, 3)


@pytest.mark.parametrize("store", ["memory://", "sqlite:///{folder}/own.db"])
def test_every_store_can_be_measured(
    store: str, files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = store.format(folder=tmp_path)
    report = measured(capsys, "retrieval", *files, "--store", url)

    assert report["store"] == store.partition(":")[0]
    assert report["files"][0]["figures"]["t_R@1"]["value"] == 1.0


def test_nothing_of_another_owner_comes_back(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = measured(capsys, "retrieval", *files)

    assert report["foreign_turns"] == 0
    assert report["collections"][0]["gate"]["rejected"] == 1.0


def test_as_many_sessions_as_there_are_is_no_achievement(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    [of_three, of_two] = measured(capsys, "retrieval", *files)["files"]

    for summary in (of_three, of_two):
        assert "s_any@1" in summary["figures"]
        assert not {"s_any@5", "s_any@10", "s_all@5"} & set(summary["figures"])


def test_standing_instructions_are_measured_where_there_are_any(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    [without, with_one] = measured(capsys, "retrieval", *files)["files"]

    assert "instructions@300" not in without["figures"]
    assert with_one["figures"]["instructions@300"]["count"] == 1


def test_blocks_have_the_sizes_that_are_asked_for(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    [talk] = measured(capsys, "retrieval", *files, "--budget", "900,20")["collections"]

    assert talk["figures"]["evidence@20"]["value"] == 0.0
    assert talk["figures"]["evidence@900"]["value"] == 1.0


def test_the_table_has_every_file_and_says_whether_owners_stay_apart(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", "retrieval", *files, "--embedder", "none"]) == 0
    shown = capsys.readouterr()

    assert "\ntalk-gardener " in shown.out
    assert "\nall of talk " in shown.out
    assert "another owner that were returned: 0" in shown.out
    assert "talk-sailors" in shown.err


def test_what_capture_does_not_keep_is_never_found_and_harms_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = gardener()
    lines[1:1] = [
        turn("0", "You are a helpful gardener", speaker="system"),
        turn("9", "<system-reminder>hydrangeas</system-reminder>"),
    ]
    lines.append(question("q9", "Who is a helpful gardener?", "0"))
    path = written(tmp_path, "talk.jsonl", lines)

    report = measured(capsys, "retrieval", str(path))

    assert report["files"][0]["figures"]["t_R@1"]["value"] == pytest.approx(2 / 3)
    assert report["foreign_turns"] == 0


def test_files_of_one_collection_differ_after_the_last_separator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["sea-talk_1.jsonl", "sea-talk_2.jsonl", "garden-1.jsonl"]
    paths = [str(written(tmp_path, name, gardener())) for name in names]

    report = measured(capsys, "retrieval", *paths)

    assert [each["name"] for each in report["collections"]] == ["sea-talk", "garden"]


async def test_a_store_in_use_is_left_as_it_was(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.db"
    url = f"sqlite:///{path}"

    await asyncio.to_thread(
        main, ["bench", "retrieval", *files, "--store", url, "--embedder", "none"]
    )

    async with SQLiteStore(path) as store:
        assert await store.session_count() == 0


def test_vectors_are_made_before_anything_is_asked(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    report = measured(capsys, "retrieval", *files, "--embedder", "hashing")

    assert report["embedder"].startswith("hashing")
    assert report["foreign_turns"] == 0


def test_vectors_of_a_store_in_use_are_not_replaced(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "own.db"

    async def fill() -> None:
        async with SQLiteStore(path) as store:
            await store.append(an_exchange(user("I like tea")))

    asyncio.run(fill())
    in_use = ["--store", f"sqlite:///{path}"]

    assert main(["bench", "retrieval", *files, *in_use, "--embedder", "hashing"]) == 2
    assert "--store: it is in use" in capsys.readouterr().err
    assert measured(capsys, "retrieval", *files, *in_use)["embedder"] is None


def test_broken_lines_are_named_with_file_and_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "talk.jsonl", gardener())
    lines = path.read_text("utf-8").splitlines()
    lines[1], lines[4] = "{not json", '{"kind":"rumour","id":"9"}'
    path.write_text("\n".join(lines), "utf-8")

    assert main(["bench", "retrieval", str(path)]) == 2
    shown = capsys.readouterr().err
    assert f"{path}:2: " in shown
    assert f"{path}:5: " in shown
    assert "rumour" in shown


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (turn("1", "twice"), "the id '1' came before"),
        (turn("9", "who?", speaker="Ines"), "'Ines' is no role"),
        (turn("9", "  "), "a turn without words"),
        (question("q9", "?", "404"), "no turn '404'"),
        (conversation(), "a file holds one conversation"),
    ],
)
def test_what_does_not_fit_the_rest_is_named_with_its_line(
    line: dict[str, object], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "talk.jsonl", [*gardener(), line])

    assert main(["bench", "retrieval", str(path)]) == 2
    assert f"{path}:9: {said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([], ":1: the first line must be the conversation"),
        (gardener()[:5], ": no answerable question names its evidence"),
        ([*gardener()[:3], question("q", "all?", "1", "2")], ": it holds evidence only"),
        ([*gardener()[:4], question("q", "both?", "1", "3")], ": it holds evidence only"),
    ],
)
def test_a_file_that_can_show_nothing_is_refused(
    lines: list[dict[str, object]], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "talk.jsonl", lines)

    assert main(["bench", "retrieval", str(path)]) == 2
    assert f"{path}{said}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent.jsonl"], "absent.jsonl: No such file"),
        (["{file}", "--store", "mongodb://x"], "no store for scheme 'mongodb'"),
        (["{file}", "--store", "sqlite:////proc/nowhere/x.db"], "--store: "),
        (["{file}", "--embedder", "crystal-ball"], "no embedder 'crystal-ball'"),
        (["{file}", "--embedder", "litellm:ada"], "--embedder: litellm:ada cannot be reached"),
        (["{file}", "--budget", "some"], "--budget: 'some' must be numbers"),
        (["{file}", "--budget", "0"], "--budget: 0 must be at least 1"),
    ],
)
def test_what_cannot_be_measured_ends_with_2(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, "talk.jsonl", gardener())
    filled = [argument.format(file=path) for argument in arguments]

    assert main(["bench", "retrieval", *filled]) == 2
    assert said in capsys.readouterr().err
