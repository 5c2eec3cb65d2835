"""All that one scope of an in-memory store holds."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    LedgerEntry,
    MessageDigest,
    SessionId,
    Turn,
)
from memory_proxy.stores.base import Forgotten, TurnKey, TurnPlace
from memory_proxy.stores.in_memory_entries import ScopeEntries, key_of
from memory_proxy.stores.in_memory_vectors import ScopeVectors


@dataclass(slots=True)
class Kept:
    arrival: int
    exchange: Exchange

    @property
    def size(self) -> int:
        return sum(len(turn.message.text) for turn in self.exchange.turns)

    @property
    def version(self) -> int:
        """Another one for each exchange that replaces this one, that is longer, or complete; and
        for each edit."""
        edits = [turn.edited_at for turn in self.exchange.turns if turn.edited_at]
        return self.size * 2 + self.exchange.partial + sum(hash(at) for at in edits)


@dataclass(frozen=True, slots=True)
class KeptNote:
    text: str
    at: datetime
    quotes: frozenset[TurnKey]


_Notes = dict[MessageDigest, KeptNote]


@dataclass(slots=True)
class ScopeMemory:
    """Its exchanges, its ledger, and the index that its turns are found by."""

    exchanges: dict[ExchangeId, Kept] = field(default_factory=dict[ExchangeId, Kept])
    sessions: dict[SessionId, dict[ExchangeId, Kept]] = field(
        default_factory=dict[SessionId, dict[ExchangeId, Kept]]
    )
    findable: ScopeEntries = field(default_factory=ScopeEntries)
    ledger: dict[SessionId, _Notes] = field(default_factory=dict[SessionId, _Notes])
    vectors: ScopeVectors = field(default_factory=ScopeVectors)

    def add(self, kept: Kept) -> None:
        self.exchanges[kept.exchange.id] = kept
        self.sessions.setdefault(kept.exchange.session, {})[kept.exchange.id] = kept
        self.findable.add(kept.exchange.turns)

    def remove(self, kept: Collection[Kept]) -> int:
        """Forget exchanges; how many turns they had."""
        for each in kept:
            del self.exchanges[each.exchange.id]
            del self.sessions[each.exchange.session][each.exchange.id]
            if not self.sessions[each.exchange.session]:
                del self.sessions[each.exchange.session]
            self.findable.remove(each.exchange.turns)
        keys = {key_of(turn) for each in kept for turn in each.exchange.turns}
        self._forget_words(keys)
        return len(keys)

    def find(self, key: TurnKey) -> Turn | None:
        kept = self.exchanges.get(key.exchange)
        turns = kept.exchange.turns if kept else ()
        return next((turn for turn in turns if turn.position == key.position), None)

    def placed(self, session: SessionId | None = None) -> list[tuple[TurnPlace, Turn]]:
        """The turns of a session, or of all, with their places, oldest first."""
        chosen = self.exchanges if session is None else self.sessions.get(session, {})
        return [
            (TurnPlace(kept.exchange.at, kept.arrival, turn.position), turn)
            for kept in in_time(chosen.values())
            for turn in sorted(kept.exchange.turns, key=lambda turn: turn.position)
        ]

    def complete(self, exchange: Exchange) -> int:
        """Give a known exchange those turns of `exchange` whose positions it has not; how many."""
        known = self.exchanges[exchange.id].exchange
        positions = {turn.position for turn in known.turns}
        missing = [turn for turn in exchange.turns if turn.position not in positions]
        if missing:
            moved = [replace(turn, session=known.session) for turn in missing]
            self.set_turns(exchange.id, [*known.turns, *moved])
        return len(missing)

    def set_turns(self, exchange: ExchangeId, turns: Iterable[Turn]) -> None:
        """The turns of a known exchange, from now on; a change ends it, and without turns it
        goes."""
        kept = self.exchanges[exchange]
        ordered = tuple(sorted(turns, key=lambda turn: turn.position))
        if not ordered:
            self.remove([kept])
            return
        self.findable.remove(kept.exchange.turns)
        kept.exchange = replace(kept.exchange, turns=ordered, partial=False)
        self.findable.add(kept.exchange.turns)

    def exchange_turn(self, old: Turn, new: Turn | None) -> Forgotten:
        """Put `new`, if any, in the place of `old`, of whose words nothing stays."""
        ledger_entries, vectors = self._forget_words({key_of(old)})
        others = [each for each in self.exchanges[old.exchange].exchange.turns if each is not old]
        self.set_turns(old.exchange, others if new is None else [*others, new])
        return Forgotten(1, 1 if old.entry else 0, ledger_entries, vectors)

    def note(self, session: SessionId, entry: LedgerEntry, at: datetime) -> None:
        """Keep what was put into a message, unless something was before, or the words in it are
        gone."""
        if all(self._is_as_it_was(turn) for turn in entry.quotes):
            quotes = frozenset(key_of(turn) for turn in entry.quotes)
            notes = self.ledger.setdefault(session, {})
            notes.setdefault(entry.message, KeptNote(entry.note, at, quotes))

    def notes(self, session: SessionId) -> Mapping[MessageDigest, KeptNote]:
        return self.ledger.get(session, {})

    def expire_notes(self, before: datetime) -> None:
        self._keep_notes(lambda note: note.at >= before)

    def in_session(self, session: SessionId) -> list[Kept]:
        """Its exchanges, oldest first."""
        return in_time(self.sessions.get(session, {}).values())

    def _is_as_it_was(self, quoted: Turn) -> bool:
        found = self.find(key_of(quoted))
        return found is not None and found.edited_at == quoted.edited_at

    def _forget_words(self, keys: Collection[TurnKey]) -> tuple[int, int]:
        """Forget the vectors of turns, and the notes that quote them: how many notes, vectors."""
        notes = self._keep_notes(lambda note: note.quotes.isdisjoint(keys))
        return notes, self.vectors.remove(keys)

    def _keep_notes(self, is_kept: Callable[[KeptNote], bool]) -> int:
        """Forget the other notes; how many."""
        forgotten = 0
        for session, notes in list(self.ledger.items()):
            for message, note in list(notes.items()):
                if not is_kept(note):
                    del notes[message]
                    forgotten += 1
            if not notes:
                del self.ledger[session]
        return forgotten


def in_time(kept: Iterable[Kept]) -> list[Kept]:
    """The oldest first; of the same time, in order of arrival."""
    return sorted(kept, key=lambda each: (each.exchange.at, each.arrival))
