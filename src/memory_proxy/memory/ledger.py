"""What was once put into a message is put there again, word for word, on every later request.

A provider's prompt cache holds while each request extends the one before it. Notes are therefore
kept by the session and by a digest of the message they went into; an edited, branched or compacted
conversation holds other messages, so that its notes fall away by themselves.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from memory_proxy.core.types import Exchange, LedgerEntry, Message, MessageDigest, Role
from memory_proxy.memory.notes import Notes

_NOTE_ID = re.compile(r'^\{"id":"([^"]+)"', re.MULTILINE)


def digest_of(message: Message) -> MessageDigest:
    return MessageDigest(
        blake2b(message.text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    )


@dataclass(frozen=True, slots=True)
class Ledger:
    """The notes of one session, by message; "" where it was decided that there is none."""

    notes: Mapping[MessageDigest, str]

    @classmethod
    def of(cls, stored: Mapping[MessageDigest, str], unsaved: Iterable[Exchange]) -> "Ledger":
        """What the store has, and what is still on its way there; the first note of a message
        counts."""
        waiting = {entry.message: entry.note for exchange in unsaved for entry in exchange.ledger}
        return cls({**waiting, **stored})

    def note_for(self, message: Message) -> str | None:
        """None: nothing was ever decided about this message."""
        return self.notes.get(digest_of(message)) if self.notes else None

    def replayed(self, messages: Sequence[Message], humans: Iterable[int]) -> dict[int, str]:
        """The notes of the messages at the indices `humans`, where there are any."""
        if not self.notes:
            return {}
        found = {index: self.note_for(messages[index]) for index in humans}
        return {index: note for index, note in found.items() if note}

    def with_notes(self, history: Sequence[Message]) -> tuple[Message, ...]:
        """`history` as it was sent: each message of the user with the note it had."""
        if not self.notes:
            return tuple(history)
        return tuple(self._noted(message) for message in history)

    def _noted(self, message: Message) -> Message:
        note = self.note_for(message) if message.role is Role.USER else None
        return replace(message, text=f"{message.text}\n\n{note}") if note else message


def entry_for(message: Message, notes: Notes) -> LedgerEntry:
    return LedgerEntry(digest_of(message), notes.text, notes.turns)


def ids_in(notes: Iterable[str]) -> frozenset[str]:
    """The ids of the turns that `notes` quote."""
    return frozenset(id_ for note in notes for id_ in _NOTE_ID.findall(note))
