"""Receipts: what was recalled for a request, why, and what was left out. Kept for a day, here in
the process, and never more than a fixed number of them."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from memory_proxy.core.types import ExchangeId, Role, Scope, SessionId, TraceId
from memory_proxy.memory.notes import Notes

KEPT_FOR = timedelta(days=1)
KEPT_TRACES = 2_000
_SHOWN_CHARACTERS = 500
_SHOWN_DROPPED = 50


@dataclass(frozen=True, slots=True)
class RecalledTurn:
    """One turn that went into the note. `reasons` are the strongest, in words."""

    exchange: ExchangeId
    position: int
    session: SessionId
    role: Role
    at: datetime
    score: float
    reasons: tuple[str, ...]
    tokens: int
    text: str


@dataclass(frozen=True, slots=True)
class DroppedTurn:
    """A turn that was found and left out: by the budget, by the gate, or as a duplicate of what the
    request already holds."""

    exchange: ExchangeId
    position: int
    score: float
    why: str


@dataclass(frozen=True, slots=True)
class Trace:
    """`milliseconds` by step; `asked` is what was searched for, "" when nothing was."""

    id: TraceId
    scope: Scope
    at: datetime
    session: SessionId
    request_class: str
    mode: str
    asked: str
    considered: int
    recalled: tuple[RecalledTurn, ...]
    dropped: tuple[DroppedTurn, ...]
    ledger: str
    trouble: str | None
    milliseconds: Mapping[str, float]


@dataclass(slots=True)
class Traces:
    """The newest `capacity` traces of all scopes; each is seen by its own scope only."""

    now: Callable[[], datetime]
    capacity: int = KEPT_TRACES
    _kept: OrderedDict[tuple[Scope, TraceId], Trace] = field(
        default_factory=OrderedDict[tuple[Scope, TraceId], Trace], init=False
    )

    def add(self, trace: Trace) -> None:
        self._kept[trace.scope, trace.id] = trace
        while len(self._kept) > self.capacity:
            self._kept.popitem(last=False)
        self._drop_outdated()

    def get(self, scope: Scope, trace_id: TraceId) -> Trace | None:
        self._drop_outdated()
        return self._kept.get((scope, trace_id))

    def recent(self, scope: Scope, *, limit: int) -> list[Trace]:
        """Newest first."""
        self._drop_outdated()
        own = [trace for trace in reversed(self._kept.values()) if trace.scope == scope]
        return own[:limit]

    def forget_turn(self, scope: Scope, exchange: ExchangeId, position: int) -> int:
        """Drop the traces that hold a turn's text; how many."""
        return self._drop(
            trace
            for trace in self._kept.values()
            if trace.scope == scope
            and any(turn.exchange == exchange and turn.position == position
                    for turn in trace.recalled)
        )  # fmt: skip

    def forget_session(self, scope: Scope, session: SessionId) -> int:
        """Drop the traces of a session, and those that hold text of it; how many."""
        return self._drop(
            trace
            for trace in self._kept.values()
            if trace.scope == scope
            and (trace.session == session or any(t.session == session for t in trace.recalled))
        )

    def _drop(self, traces: Iterable[Trace]) -> int:
        doomed = list(traces)
        for trace in doomed:
            del self._kept[trace.scope, trace.id]
        return len(doomed)

    def _drop_outdated(self) -> None:
        oldest = self.now() - KEPT_FOR
        while self._kept and next(iter(self._kept.values())).at < oldest:
            self._kept.popitem(last=False)


def recalled_turns(notes: Notes) -> tuple[RecalledTurn, ...]:
    """The lines of a note, as a receipt shows them."""
    return tuple(
        RecalledTurn(
            note.scored.turn.exchange,
            note.scored.turn.position,
            note.scored.turn.session,
            note.scored.turn.message.role,
            note.scored.turn.at,
            note.scored.score,
            note.scored.reasons or ("it fits what was said",),
            note.tokens,
            note.scored.turn.message.text[:_SHOWN_CHARACTERS],
        )
        for note in notes.notes
    )


def dropped_turns(notes: Notes) -> tuple[DroppedTurn, ...]:
    """What was found and left out, the best first, as far as a receipt shows it."""
    return tuple(
        DroppedTurn(one.turn.exchange, one.turn.position, one.score, one.why.value)
        for one in notes.dropped[:_SHOWN_DROPPED]
    )
