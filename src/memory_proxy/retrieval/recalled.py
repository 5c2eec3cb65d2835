"""What recall found, and what it left out: enough to explain itself."""

from dataclasses import dataclass
from enum import StrEnum

from memory_proxy.core.types import Turn


@dataclass(frozen=True, slots=True)
class Scored:
    """A turn, and why: `reasons` are the strongest, in words. `superseded_by` is a later turn that
    says otherwise about the same thing."""

    turn: Turn
    score: float
    reasons: tuple[str, ...] = ()
    superseded_by: Turn | None = None


class Drop(StrEnum):
    GATE = "nothing in memory is about this"
    HELD = "the request brings it already"
    DUPLICATE = "the same words were said again"
    BUDGET = "no room within the budget"


@dataclass(frozen=True, slots=True)
class Dropped:
    turn: Turn
    score: float
    why: Drop


@dataclass(frozen=True, slots=True)
class Recalled:
    """`turns` best first; `pinned` are what the person asked for once and for all, which goes
    before them. `considered` counts the turns that were looked at. `confidence`, from 0 to 1, says
    how surely the memory has anything to do with what was said; below a half nothing is recalled.
    `by_meaning`: vectors were compared, and not words alone."""

    turns: tuple[Scored, ...] = ()
    pinned: tuple[Scored, ...] = ()
    dropped: tuple[Dropped, ...] = ()
    considered: int = 0
    confidence: float = 0.0
    by_meaning: bool = False
