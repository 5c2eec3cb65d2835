"""A stored turn as the user's own: named by an id, written by hand, edited."""

import re
import secrets
from dataclasses import replace
from datetime import datetime

from memory_proxy.core.types import Exchange, ExchangeId, Message, Role, Scope, SessionId, Turn
from memory_proxy.memory.capture import turn_of
from memory_proxy.stores.base import TurnKey

NOTES_SESSION = SessionId("notes")
"""What the user wrote down himself, outside any conversation."""

_POSITION = re.compile(r"0|[1-9][0-9]{0,5}", re.ASCII)


def item_id(turn: Turn) -> str:
    return f"{turn.exchange}.{turn.position}"


def key_of(id_: str) -> TurnKey | None:
    """The turn that an id names; None for what is no id."""
    exchange, _, position = id_.rpartition(".")
    if not exchange or not _POSITION.fullmatch(position):
        return None
    return TurnKey(ExchangeId(exchange), int(position))


def written_down(scope: Scope, text: str, *, pinned: bool, at: datetime) -> Exchange:
    """A note of the user's own."""
    exchange = ExchangeId(secrets.token_hex(16))
    turn = turn_of(Message(Role.USER, text), NOTES_SESSION, exchange, 0, at)
    return Exchange(exchange, scope, NOTES_SESSION, (replace(turn, pinned=pinned),), at)


def edited(turn: Turn, text: str, *, at: datetime) -> Turn:
    """`turn` with other words, at its old place and date."""
    message = replace(turn.message, text=text)
    new = turn_of(message, turn.session, turn.exchange, turn.position, turn.at)
    return replace(new, pinned=turn.pinned, edited_at=at)
