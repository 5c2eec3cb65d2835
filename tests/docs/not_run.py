"""The documented commands that are not run as they stand, why, and what is checked instead."""

import re
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tests.docs.pages import ROOT


@dataclass(frozen=True)
class NotRun:
    """`pattern` is that of a whole line; `check` raises when the line is wrong.

    `check` None: a fixture of the tests is needed; `test_servers.py` has the check.
    """

    pattern: str
    reason: str
    check: Callable[[str], None] | None


def _make_knows_it(line: str) -> None:
    """And would do something for it."""
    target = line.split()[-1]
    planned = subprocess.run(
        ["make", "--dry-run", "--always-make", target],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert planned.stdout.strip(), f"make {target} does nothing"
    assert re.search(rf"(?m)^{target}:.*## ", (ROOT / "Makefile").read_text("utf-8"))


def _its_paths_exist(line: str) -> None:
    for word in shlex.split(line):
        if word.startswith(("tests/", "benchmarks/")):
            assert (ROOT / word.partition("::")[0]).exists(), word


def _its_module_exists(line: str) -> None:
    module = re.search(r"-m (\S+)", line)
    assert module is not None
    assert find_spec(module[1]) is not None


def _it_names_what_is_kept(line: str) -> None:
    """What `processes` and the settings put into the home folder."""
    kept = {"memory.db*", "master.key"}
    for word in shlex.split(line)[1:]:
        path = Path(word)
        assert word == "-r" or path.name == ".memory-proxy" or path.name in kept, word
        assert word == "-r" or ".memory-proxy" in path.parts


SERVERS = r"(?:[A-Z_]+=\S+ )*(?:\S*/)?(?:memory-proxy (?:up|serve)|start-proxies)(?: .*)?"

NOT_RUN = (
    NotRun(
        r"(?:[A-Z_]+=\S+ )*make \w+", "installs, takes minutes, or is this very run",
        _make_knows_it,
    ),
    NotRun(
        SERVERS, "runs until it is ended: test_servers.py starts it, waits for it and ends it", None
    ),
    NotRun(
        r"pip install dist/\*\.whl", "changes an environment: test_wheel.py builds and unpacks it",
        None,
    ),
    NotRun(
        r"claude( .*)?", "another's program: test_servers.py sends what it sends", None,
    ),
    NotRun(r"\.venv/bin/(python -m )?pytest.*", "would run these tests again", _its_paths_exist),
    NotRun(r"\.venv/bin/python -m benchmarks\..*", "takes minutes", _its_module_exists),
    NotRun(r"rm .*", "takes the memories from under a running proxy", _it_names_what_is_kept),
)  # fmt: skip


def entry_for(line: str) -> NotRun | None:
    return next((entry for entry in NOT_RUN if re.fullmatch(entry.pattern, line.strip())), None)
