"""Figures beside what they should be: a table for people, JSON for programs."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; at most `floor` is asked for, at most `goal` is wanted.

    `exact`: the value must be the floor, not only stay below it.
    """

    name: str
    value: float
    unit: str
    floor: float | None = None
    goal: float | None = None
    exact: bool = False

    @property
    def verdict(self) -> str:
        if self.floor is None:
            return ""
        if self.exact:
            return "goal" if self.value == self.floor else "MISSED"
        if self.goal is not None and self.value <= self.goal:
            return "goal"
        return "floor" if self.value <= self.floor else "MISSED"


def as_table(figures: Sequence[Figure]) -> str:
    rows = [("", "measured", "", "floor", "goal", "reached"), *map(_row, figures)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(_aligned(row, widths) for row in rows)


def as_json(figures: Sequence[Figure], conditions: dict[str, object]) -> str:
    measured = [{**asdict(figure), "reached": figure.verdict} for figure in figures]
    for figure in measured:
        if not math.isfinite(figure["value"]):
            figure["value"] = None  # JSON has no infinity
    return json.dumps({"conditions": conditions, "figures": measured}, indent=2)


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        figure.name,
        _number(figure.value),
        figure.unit,
        _number(figure.floor),
        _number(figure.goal),
        figure.verdict,
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if not math.isfinite(value):
        return "never"
    return f"{value:.3f}".rstrip("0").rstrip(".") if value < 10 else f"{value:.0f}"


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(_cells(row, widths)).rstrip()


def _cells(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        yield cell.rjust(width) if column in {1, 3, 4} else cell.ljust(width)
