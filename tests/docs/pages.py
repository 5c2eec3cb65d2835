"""The pages that people read, and the fenced blocks in them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]

WITH_BLOCKS = tuple(
    ROOT / name
    for name in ("README.md", "CONTRIBUTING.md", *sorted(map(str, (ROOT / "docs").rglob("*.md"))))
)
"""Every fenced block of these pages is run, or checked in another way."""

ALL = (
    *WITH_BLOCKS,
    ROOT / "CHANGELOG.md",
    ROOT / "CONVENTIONS.md",
    ROOT / "benchmarks" / "README.md",
)
"""These pages are linked with each other, and what they name exists."""

_FENCED = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")


@dataclass(frozen=True)
class Block:
    """What stands between two fences; `line` is that of the first fence, from 1."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks_of(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in _FENCED.finditer(text)
    ]


def all_blocks(*languages: str) -> list[Block]:
    return [
        block for page in WITH_BLOCKS for block in blocks_of(page) if block.language in languages
    ]


def prose_of(page: Path) -> str:
    """A page without its fenced blocks."""
    return _FENCED.sub("", page.read_text("utf-8"))


def inline_code(page: Path) -> Iterator[str]:
    """What stands in code font inside the prose of a page."""
    for found in _INLINE.finditer(prose_of(page)):
        yield found[1]
