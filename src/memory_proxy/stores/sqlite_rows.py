"""How messages and times lie in the columns of SQLite."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import orjson

from memory_proxy.core.types import ExchangeId, Message, Role, SessionId, ToolCall, Turn

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ROLES: Final = {role.value: role for role in Role}

TURN_COLUMNS: Final = (
    "exchanges.name, turns.position, turns.role, turns.text, turns.tool_calls,"
    " turns.tool_call_id, turns.at, turns.pinned_in, turns.edited_at"
)
"""What `to_turn` reads, in its order."""

TurnRow = tuple[str, int, str, str, str | None, str | None, int, int | None, int | None]


def to_turn(session: SessionId, row: TurnRow) -> Turn:
    exchange, position, role, text, tool_calls, tool_call_id, at, pinned_in, edited_at = row
    calls = _to_tool_calls(tool_calls) if tool_calls else ()
    message = Message(_ROLES[role], text, calls, tool_call_id)
    return Turn(
        session,
        ExchangeId(exchange),
        position,
        message,
        to_time(at),
        pinned=pinned_in is not None,
        edited_at=None if edited_at is None else to_time(edited_at),
    )


def from_turn(scope: int, exchange: int, turn: Turn) -> tuple[object, ...]:
    """A row of `turns`, in the order of its columns, without the id."""
    message = turn.message
    return (
        exchange,
        turn.position,
        message.role.value,
        message.text,
        _from_tool_calls(message.tool_calls) if message.tool_calls else None,
        message.tool_call_id,
        from_time(turn.at),
        scope if turn.pinned else None,
        from_optional_time(turn.edited_at),
    )


def to_time(microseconds: int) -> datetime:
    return _EPOCH + timedelta(0, 0, microseconds)


def from_time(at: datetime) -> int:
    """Microseconds since 1970, exact."""
    return (at - _EPOCH) // _MICROSECOND


def from_optional_time(at: datetime | None) -> int | None:
    return None if at is None else from_time(at)


def _to_tool_calls(json: str) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(*fields) for fields in cast(list[list[str]], orjson.loads(json)))


def _from_tool_calls(calls: Sequence[ToolCall]) -> str:
    return orjson.dumps([(call.id, call.name, call.arguments) for call in calls]).decode()
