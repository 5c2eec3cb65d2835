"""Small labelled conversations, and the command that measures them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from memory_proxy.cli import main

Line = Mapping[str, object]


def conversation(speakers: str = "roles") -> Line:
    return {"kind": "conversation", "id": "c", "licence": "MIT", "speakers": speakers}


def turn(id_: str, text: str, *, session: str = "s1", speaker: str = "user") -> Line:
    return {"kind": "turn", "id": id_, "session": session, "speaker": speaker, "text": text}


def question(id_: str, text: str, *evidence: str, type_: str = "single-hop") -> Line:
    return {
        "kind": "question",
        "id": id_,
        "type": type_,
        "question": text,
        "evidence": list(evidence),
        "answerable": bool(evidence),
    }


def gardener() -> list[Line]:
    return [
        conversation(),
        turn("1", "I planted blue hydrangeas beside the garage"),
        turn("2", "A shady place suits them.", speaker="assistant"),
        turn("3", "The trumpet lesson is on Thursday", session="s2"),
        turn("4", "Always answer me in Portuguese", session="s3"),
        question("q1", "Where did I plant the hydrangeas?", "1"),
        question("q2", "When is my trumpet lesson?", "3"),
        question("q3", "Which colour has my bicycle?"),
    ]


def sailors() -> list[Line]:
    return [
        conversation("named"),
        turn("1", "My dinghy is moored at Falmouth", speaker="Ines"),
        turn("2", "Mine sank off Lizard Point", speaker="Oskar"),
        turn("3", "We should go and see the lighthouse", speaker="Ines", session="s2"),
        question("q1", "Where is the dinghy of Ines moored?", "1", type_="standing-instruction"),
    ]


def written(folder: Path, name: str, lines: Sequence[Line]) -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path


def measured(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """What `memory-proxy bench ... --json` prints, by words unless the arguments say otherwise."""
    embedder = [] if "--embedder" in arguments else ["--embedder", "none"]
    assert main(["bench", *arguments, *embedder, "--json"]) == 0
    return json.loads(capsys.readouterr().out)
