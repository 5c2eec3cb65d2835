"""What memory adds to one chat request: what was put into it before, the session's history, and
notes for what the person says now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

from memory_proxy.core.types import Exchange, ExchangeId, LedgerEntry, Message, Role, Scope
from memory_proxy.memory.ledger import Ledger, entry_for, ids_in
from memory_proxy.memory.manager import History, MemoryManager, MemoryTrouble
from memory_proxy.memory.notes import Notes
from memory_proxy.memory.wrappers import spoken
from memory_proxy.recorder import Recorder
from memory_proxy.routing.sessions import Session
from memory_proxy.telemetry.metrics import Metrics
from memory_proxy.wire.base import ChatRequest
from memory_proxy.wire.tool_pairs import whole_tool_calls


@dataclass(frozen=True, slots=True)
class Recollection:
    """`history` goes before the request's own messages, `notes` into those at their indices.

    `follows` is the newest exchange of the session. `is_known`: the session holds what went before
    the newest messages. `trouble` says what kept memory from adding more.
    """

    history: tuple[Message, ...] = ()
    follows: ExchangeId | None = None
    is_known: bool = True
    notes: Mapping[int, str] = field(default_factory=dict[int, str])
    new_entry: LedgerEntry | None = None
    found: Notes = field(default_factory=Notes)  # the new note, and what is not in it
    asked: str = ""  # what was searched for
    milliseconds: Mapping[str, float] = field(default_factory=dict[str, float])
    trouble: str | None = None

    @property
    def recalled(self) -> int:
        """Turns in the new note."""
        return len(self.found.turns)

    @property
    def ledger_effect(self) -> str:
        """For the header `x-memory-ledger`."""
        new = 1 if self.new_entry is not None and self.new_entry.note else 0
        return f"replayed={len(self.notes) - new}; new={new}"


@dataclass(frozen=True, slots=True)
class Recollector:
    memory: MemoryManager
    recorder: Recorder
    metrics: Metrics

    async def recollect(
        self, scope: Scope, session: Session, request: ChatRequest, *, reads: bool, recalls: bool
    ) -> Recollection:
        """Trouble with memory is a mark on the answer, never a failure.

        `reads`: the history of a session may go before a lone newest message. `recalls`: a person
        speaks, and the answer may draw on everything that the user ever said.
        """
        started = perf_counter()
        found = Recollection()
        try:
            async with self.memory.deadline():
                unsaved = self.recorder.unsaved(scope, session.id)
                ledger = await self.memory.ledger(scope, session.id, unsaved)
                found = _replayed(ledger, request)
                found = await self._with_history(found, scope, session, request, ledger, unsaved)
                if not reads:
                    found = replace(found, history=())
                session_read = perf_counter()
                if recalls and _awaits_note(ledger, request):
                    found = await self._with_new_note(found, scope, request)
                found = replace(found, milliseconds=_steps(started, session_read))
        except MemoryTrouble as trouble:
            self.metrics.degraded(str(trouble))
            return replace(found, trouble=str(trouble))
        self.metrics.recalled(perf_counter() - started, found.recalled)
        return replace(found, trouble=self._lasting_trouble())

    def _lasting_trouble(self) -> str | None:
        """What memory does not do as well as it could, though this request got an answer."""
        if self.recorder.is_failing:
            return "store"
        return "embedder" if self.memory.queries and self.memory.queries.trouble else None

    async def _with_history(
        self,
        found: Recollection,
        scope: Scope,
        session: Session,
        request: ChatRequest,
        ledger: Ledger,
        unsaved: Sequence[Exchange],
    ) -> Recollection:
        """A client that resends its history gets none of it; one that sends only its newest message
        gets what the session holds, as it was sent before."""
        if any(message.role is Role.ASSISTANT for message in request.messages):
            is_known = await self.memory.is_known(scope, session.id, unsaved)
            return replace(found, is_known=is_known)
        if not session.continues:
            return found
        history: History = await self.memory.history(scope, session.id, unsaved)
        whole = whole_tool_calls(history.messages, request.messages)
        return replace(found, history=ledger.with_notes(whole), follows=history.newest)

    async def _with_new_note(
        self, found: Recollection, scope: Scope, request: ChatRequest
    ) -> Recollection:
        newest = request.newest_human
        assert newest is not None, "a note is only awaited where a person speaks"
        said = request.messages[newest]
        held = frozenset(message.text for message in (*request.messages, *found.history))
        earlier = (*found.notes.values(), *(message.text for message in found.history))
        # Half of the time at most goes to the user's own words that are on their way to the store.
        await self.recorder.settled(scope, timeout_s=self.memory.limits.recall_deadline_s / 2)
        asked = spoken(said.text)
        new = await self.memory.recall(scope, asked, held=held, quoted=ids_in(earlier))
        notes = {**found.notes, newest: new.text} if new.text else found.notes
        entry = entry_for(said, new)
        return replace(found, notes=notes, new_entry=entry, found=new, asked=asked)


def _steps(started: float, session_read: float) -> dict[str, float]:
    """How long reading the session took, and recalling from all the others."""
    spans = {"session": session_read - started, "recall": perf_counter() - session_read}
    return {step: round(seconds * 1000, 2) for step, seconds in spans.items()}


def _replayed(ledger: Ledger, request: ChatRequest) -> Recollection:
    humans = request.slot.humans if request.slot else ()
    return Recollection(notes=ledger.replayed(request.messages, humans))


def _awaits_note(ledger: Ledger, request: ChatRequest) -> bool:
    """Whether nothing was decided yet about what the person says now."""
    newest = request.newest_human
    return newest is not None and ledger.note_for(request.messages[newest]) is None
