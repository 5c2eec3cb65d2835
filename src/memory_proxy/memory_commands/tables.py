"""Items as a person reads them on a terminal."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

_SESSION_CHARACTERS = 16
_LEAST_TEXT = 20


def items_table(items: Sequence[Mapping[str, Any]], *, width: int | None) -> str:
    """A row an item; with a score where it has one. `*` marks what is pinned. Dates are UTC. Texts
    are cut to a terminal of `width` characters; None cuts nothing."""
    if not items:
        return "nothing\n"
    scores = ["SCORE"] if "score" in items[0] else []
    head = [*scores, "ID", "DATE (UTC)", "ROLE", "", "SESSION", "TEXT"]
    rows = [head, *(_row(item) for item in items)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    if width is not None:
        room = max(_LEAST_TEXT, width - sum(widths) - 2 * len(widths))
        rows = [[*cells, _cut(text, room)] for *cells, text in rows]
    return "".join(f"{_line(row, widths)}\n" for row in rows)


def counted(number: int, word: str) -> str:
    plural = f"{word[:-1]}ies" if word.endswith("y") else f"{word}s"
    return f"{number} {word if number == 1 else plural}"


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    *cells, text = row
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([*padded, text])


def _row(item: Mapping[str, Any]) -> list[str]:
    at = datetime.fromisoformat(item["at"]).astimezone(UTC)
    names = ", ".join(call["name"] for call in item["tool_calls"])
    return [
        *([f"{item['score']:.2f}"] if "score" in item else []),
        item["id"],
        f"{at:%Y-%m-%d %H:%M}",
        item["role"],
        "*" if item["pinned"] else "",
        _cut(_printable(item["session"]), _SESSION_CHARACTERS),
        _printable(item["text"]) or f"(calls {_printable(names)})",
    ]


def _printable(text: str) -> str:
    """One line that a terminal takes for nothing but text."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
