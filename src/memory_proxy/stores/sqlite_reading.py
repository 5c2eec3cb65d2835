"""What is read from a SQLite store. Every function sees one moment of it."""

import sqlite3
from datetime import datetime
from typing import Final

from memory_proxy.core.types import Scope, SessionId, SessionSummary, Turn
from memory_proxy.stores.sqlite_rows import (
    TURN_COLUMNS,
    from_time,
    to_time,
    to_turn,
)

_END_OF_TIME: Final = 2**63 - 1

_HISTORY: Final = f"""
SELECT {TURN_COLUMNS} FROM exchanges CROSS JOIN turns ON turns.exchange = exchanges.id
WHERE exchanges.session = (
    SELECT sessions.id FROM scopes JOIN sessions ON sessions.scope = scopes.id
    WHERE scopes.tenant = ? AND scopes.user = ? AND sessions.name = ?)
ORDER BY exchanges.at DESC, exchanges.id DESC, turns.position DESC LIMIT ?
"""

_SESSIONS: Final = """
SELECT sessions.name, started_at, last_at, turns
FROM scopes JOIN sessions ON sessions.scope = scopes.id
WHERE tenant = ? AND user = ? AND name IS NOT NULL AND last_at < ?
ORDER BY last_at DESC LIMIT ?
"""


def history(db: sqlite3.Connection, scope: Scope, session: SessionId, *, limit: int) -> list[Turn]:
    key = (scope.tenant, scope.user, session, max(0, limit))
    return [to_turn(session, row) for row in reversed(db.execute(_HISTORY, key).fetchall())]


def sessions(
    db: sqlite3.Connection, scope: Scope, *, limit: int, before: datetime | None
) -> list[SessionSummary]:
    end = _END_OF_TIME if before is None else from_time(before)
    rows = db.execute(_SESSIONS, (scope.tenant, scope.user, end, max(0, limit))).fetchall()
    return [
        SessionSummary(SessionId(name), to_time(started_at), to_time(last_at), turn_count)
        for name, started_at, last_at, turn_count in rows
    ]


def session_count(db: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM sessions WHERE name IS NOT NULL"
    return int(db.execute(query).fetchone()[0])
