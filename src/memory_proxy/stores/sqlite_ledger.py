"""The ledger in SQLite: what was put into the messages of each session."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

import orjson

from memory_proxy.core.types import Exchange, MessageDigest, Scope, SessionId, Turn
from memory_proxy.stores.sqlite_rows import from_optional_time, from_time
from memory_proxy.stores.sqlite_statements import fetch_json, insert

LEDGER_TABLES: Final = (
    # By the session's name: notes are kept also where no turn of it is.
    """
    CREATE TABLE ledger (
        scope INTEGER NOT NULL REFERENCES scopes,
        session TEXT NOT NULL,
        message TEXT NOT NULL,
        note TEXT NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (scope, session, message)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX ledger_by_time ON ledger (at)",
)

QUOTES_TABLES: Final = (
    # Of notes kept so far nobody knows what they quote.
    "DROP TABLE ledger",
    """
    CREATE TABLE ledger (
        id INTEGER PRIMARY KEY,
        scope INTEGER NOT NULL REFERENCES scopes,
        session TEXT NOT NULL,
        message TEXT NOT NULL,
        note TEXT NOT NULL,
        at INTEGER NOT NULL,
        UNIQUE (scope, session, message)
    ) STRICT
    """,
    "CREATE INDEX ledger_by_time ON ledger (at)",
    """
    CREATE TABLE quotes (
        turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
        note INTEGER NOT NULL REFERENCES ledger ON DELETE CASCADE,
        PRIMARY KEY (turn, note)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX quotes_by_note ON quotes (note)",
    """
    CREATE TRIGGER forget_quoting_notes BEFORE DELETE ON turns BEGIN
        DELETE FROM ledger WHERE id IN (SELECT note FROM quotes WHERE turn = OLD.id);
    END
    """,
)

_LEDGER: Final = """
SELECT json_group_object(message, note) FROM scopes JOIN ledger ON ledger.scope = scopes.id
WHERE tenant = ? AND user = ? AND session = ?
"""


_NO_QUOTES: Final = "[]"
# What is quoted: JSON, [[exchange, position, edited_at], ...].
_ASKED: Final = "WITH asked (scope, session, message, note, at, quotes) AS (VALUES {rows})"
_QUOTED: Final = """
exchanges CROSS JOIN turns ON turns.exchange = exchanges.id
WHERE exchanges.scope = asked.scope AND exchanges.name = json_extract(quoted.value, '$[0]')
AND turns.position = json_extract(quoted.value, '$[1]')
AND turns.edited_at IS json_extract(quoted.value, '$[2]')
"""
_ADD_NOTES: Final = f"""
{_ASKED}
INSERT INTO ledger (scope, session, message, note, at)
SELECT scope, session, message, note, at FROM asked WHERE NOT EXISTS (
    SELECT 1 FROM json_each(asked.quotes) AS quoted WHERE NOT EXISTS (SELECT 1 FROM {_QUOTED})
)
ON CONFLICT DO NOTHING
"""
_ADD_QUOTES: Final = f"""
{_ASKED}
INSERT INTO quotes
SELECT turns.id, ledger.id FROM asked
CROSS JOIN ledger USING (scope, session, message, note)
CROSS JOIN json_each(asked.quotes) AS quoted
CROSS JOIN {_QUOTED}
ON CONFLICT DO NOTHING
"""


def ledger(db: sqlite3.Connection, scope: Scope, session: SessionId) -> dict[MessageDigest, str]:
    found = fetch_json(db.execute(_LEDGER, (scope.tenant, scope.user, session)))
    return cast(dict[MessageDigest, str], found)


def add_notes(
    db: sqlite3.Connection, scopes: Mapping[Scope, int], exchanges: Sequence[Exchange]
) -> None:
    """Within a transaction; of two notes for one message the first stays. A note that quotes what
    is gone by now, or was changed, is not kept."""
    rows = [
        (scopes[each.scope], each.session, entry.message, entry.note, from_time(each.at),
         _from_quotes(entry.quotes))
        for each in exchanges
        for entry in each.ledger
    ]  # fmt: skip
    insert(db, _ADD_NOTES, rows)
    insert(db, _ADD_QUOTES, [row for row in rows if row[-1] != _NO_QUOTES])


def forget_notes(db: sqlite3.Connection, scope: Scope, session: SessionId) -> None:
    """Within a transaction."""
    chosen = "session = ? AND scope = (SELECT id FROM scopes WHERE tenant = ? AND user = ?)"
    _delete(db, chosen, (session, scope.tenant, scope.user))


def expire_notes(db: sqlite3.Connection, before: datetime) -> None:
    """Within a transaction."""
    _delete(db, "at < ?", (from_time(before),))


def _from_quotes(turns: Sequence[Turn]) -> str:
    return orjson.dumps(
        [(each.exchange, each.position, from_optional_time(each.edited_at)) for each in turns]
    ).decode()


def _delete(db: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> None:
    if db.execute(f"DELETE FROM ledger WHERE {condition}", values).rowcount:
        db.execute("UPDATE state SET erasures = erasures + 1")  # out of the log's bytes, too
