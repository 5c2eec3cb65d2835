"""examples/complete_workflow.py, as a reader starts it."""

import subprocess
import sys
from pathlib import Path

import pytest

from memory_proxy.processes.ports import free_port
from tests.docs.pages import ROOT
from tests.docs.reader import Reader
from tests.live.launched import Launched

PROGRAM = ROOT / "examples" / "complete_workflow.py"


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, PROGRAM, *arguments],
        cwd=cwd, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("times", [1, 2])
def test_every_step_is_as_expected_however_often_it_is_run(
    stack: Launched, reader: Reader, times: int
) -> None:
    done = run("--url", stack.url, cwd=reader.checkout)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\n   ok") == 9
    assert "teal" in done.stdout


@pytest.mark.live
def test_a_wrong_key_fails_its_first_step(stack: Launched, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-not-the-key\n")
    done = run("--url", stack.url, "--key-file", "key", cwd=tmp_path)

    assert done.returncode == 1
    assert "401" in done.stderr


def test_it_says_what_to_start_when_nothing_answers(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-any\n")
    done = run("--url", f"http://127.0.0.1:{free_port()}", "--key-file", "key", cwd=tmp_path)

    assert done.returncode == 1
    assert "make run" in done.stderr


def test_it_says_where_the_key_is_looked_for(tmp_path: Path) -> None:
    done = run(cwd=tmp_path)

    assert done.returncode == 1
    assert ".memory-proxy/master.key" in done.stderr
