"""The ledger in SQLite: what was put into the messages of each session."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, cast

from memory_proxy.core.types import Exchange, MessageDigest, Scope, SessionId
from memory_proxy.stores.sqlite_rows import from_time
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

_LEDGER: Final = """
SELECT json_group_object(message, note) FROM scopes JOIN ledger ON ledger.scope = scopes.id
WHERE tenant = ? AND user = ? AND session = ?
"""


def ledger(db: sqlite3.Connection, scope: Scope, session: SessionId) -> dict[MessageDigest, str]:
    found = fetch_json(db.execute(_LEDGER, (scope.tenant, scope.user, session)))
    return cast(dict[MessageDigest, str], found)


def add_notes(
    db: sqlite3.Connection, scopes: Mapping[Scope, int], exchanges: Sequence[Exchange]
) -> None:
    """Within a transaction; of two notes for one message the first stays."""
    rows = [
        (scopes[each.scope], each.session, entry.message, entry.note, from_time(each.at))
        for each in exchanges
        for entry in each.ledger
    ]
    insert(db, "INSERT INTO ledger VALUES {rows} ON CONFLICT DO NOTHING", rows)


def forget_notes(db: sqlite3.Connection, scope: Scope, session: SessionId) -> None:
    """Within a transaction."""
    chosen = "session = ? AND scope = (SELECT id FROM scopes WHERE tenant = ? AND user = ?)"
    _delete(db, chosen, (session, scope.tenant, scope.user))


def expire_notes(db: sqlite3.Connection, before: datetime) -> None:
    """Within a transaction."""
    _delete(db, "at < ?", (from_time(before),))


def _delete(db: sqlite3.Connection, condition: str, values: tuple[object, ...]) -> None:
    if db.execute(f"DELETE FROM ledger WHERE {condition}", values).rowcount:
        db.execute("UPDATE state SET erasures = erasures + 1")  # out of the log's bytes, too
