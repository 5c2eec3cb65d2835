"""The tables of a SQLite store, and how an older file becomes one of today."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from memory_proxy.core.errors import SchemaMismatch
from memory_proxy.stores.sqlite_ledger import LEDGER_TABLES, QUOTES_TABLES

APPLICATION_ID: Final = 0x4C4D5058
"""In the header of every file of ours (`PRAGMA application_id`): "LMPX"."""

_FIRST: Final = (
    f"PRAGMA application_id = {APPLICATION_ID}",
    # AUTOINCREMENT: an id is in the tokens of the index and must never serve a second scope.
    """
    CREATE TABLE scopes (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        user TEXT NOT NULL,
        findable_turns INTEGER NOT NULL DEFAULT 0,
        terms INTEGER NOT NULL DEFAULT 0,
        UNIQUE (tenant, user)
    ) STRICT
    """,
    # Without a name: forgotten, seen by nobody, its rows are being removed.
    """
    CREATE TABLE sessions (
        id INTEGER PRIMARY KEY,
        scope INTEGER NOT NULL REFERENCES scopes,
        name TEXT,
        started_at INTEGER NOT NULL,
        last_at INTEGER NOT NULL,
        turns INTEGER NOT NULL,
        UNIQUE (scope, name)
    ) STRICT
    """,
    "CREATE INDEX sessions_by_time ON sessions (scope, last_at)",
    "CREATE INDEX forgotten_sessions ON sessions (id) WHERE name IS NULL",
    # The id is the order of arrival.
    """
    CREATE TABLE exchanges (
        id INTEGER PRIMARY KEY,
        scope INTEGER NOT NULL REFERENCES scopes,
        session INTEGER NOT NULL REFERENCES sessions,
        name TEXT NOT NULL,
        at INTEGER NOT NULL,
        partial INTEGER NOT NULL,
        size INTEGER NOT NULL,
        UNIQUE (scope, name)
    ) STRICT
    """,
    "CREATE INDEX exchanges_by_session ON exchanges (session, at, id)",
    "CREATE INDEX exchanges_by_time ON exchanges (at)",
    # tool_calls: JSON, [[id, name, arguments], ...]; terms: JSON, ["stem", ...].
    """
    CREATE TABLE turns (
        id INTEGER PRIMARY KEY,
        exchange INTEGER NOT NULL REFERENCES exchanges,
        position INTEGER NOT NULL,
        role TEXT NOT NULL,
        text TEXT NOT NULL,
        tool_calls TEXT,
        tool_call_id TEXT,
        at INTEGER NOT NULL,
        terms TEXT
    ) STRICT
    """,
    "CREATE INDEX turns_by_exchange ON turns (exchange, position)",
    # A token is plain ASCII, see `sqlite_rows.token`: nothing is left to fold or to split.
    "CREATE VIRTUAL TABLE turn_index USING fts5 (tokens, content = '', tokenize = 'ascii')",
    "CREATE VIRTUAL TABLE turn_vocabulary USING fts5vocab (turn_index, row)",
    # So that a merge once begun goes on, however few segments it has left.
    "INSERT INTO turn_index (turn_index, rank) VALUES ('usermerge', 2)",
    """
    CREATE TABLE state (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        findable_turns INTEGER NOT NULL,
        erasures INTEGER NOT NULL
    ) STRICT
    """,
    "INSERT INTO state VALUES (1, 0, 0)",
)

_VECTORS: Final = (
    "CREATE TABLE embedders (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT",
    # The id is the order of arrival, for readers that go on where they were: never used again.
    """
    CREATE TABLE turn_vectors (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        turn INTEGER NOT NULL REFERENCES turns ON DELETE CASCADE,
        scope INTEGER NOT NULL,
        embedder INTEGER NOT NULL,
        vector BLOB NOT NULL,
        UNIQUE (turn, embedder)
    ) STRICT
    """,
    "CREATE INDEX vectors_by_scope ON turn_vectors (embedder, scope)",
    "ALTER TABLE scopes ADD COLUMN removed_vectors INTEGER NOT NULL DEFAULT 0",
    """
    CREATE TRIGGER count_removed_vectors AFTER DELETE ON turn_vectors BEGIN
        UPDATE scopes SET removed_vectors = removed_vectors + 1 WHERE id = OLD.scope;
    END
    """,
)

_ITEMS: Final = (
    # The scope, if it is pinned: so that the pinned ones of a scope are found at once.
    "ALTER TABLE turns ADD COLUMN pinned_in INTEGER",
    "CREATE INDEX pinned_turns ON turns (pinned_in) WHERE pinned_in IS NOT NULL",
    "ALTER TABLE turns ADD COLUMN edited_at INTEGER",
    "CREATE INDEX exchanges_by_scope ON exchanges (scope, at, id)",
    *QUOTES_TABLES,
)

_ENTRIES: Final = (
    "DROP TABLE turn_vocabulary",
    "DROP TABLE turn_index",
    "ALTER TABLE turns DROP COLUMN terms",
    "ALTER TABLE scopes DROP COLUMN findable_turns",
    "ALTER TABLE scopes DROP COLUMN terms",
    "ALTER TABLE scopes ADD COLUMN removed_entries INTEGER NOT NULL DEFAULT 0",
    # What recall finds a turn by; turns kept so far have none. Apart from the turn: all entries of
    # a scope are read at once.
    """
    CREATE TABLE turn_entries (
        turn INTEGER PRIMARY KEY REFERENCES turns ON DELETE CASCADE,
        scope INTEGER NOT NULL,
        entry BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX entries_by_scope ON turn_entries (scope)",
    "UPDATE state SET findable_turns = 0",
    "DELETE FROM turn_vectors",
    """
    CREATE TRIGGER count_new_entries AFTER INSERT ON turn_entries BEGIN
        UPDATE state SET findable_turns = findable_turns + 1;
    END
    """,
    """
    CREATE TRIGGER count_removed_entries AFTER DELETE ON turn_entries BEGIN
        UPDATE state SET findable_turns = findable_turns - 1;
        UPDATE scopes SET removed_entries = removed_entries + 1 WHERE id = OLD.scope;
    END
    """,
)

_MIGRATIONS: Final = (
    _FIRST,
    LEDGER_TABLES,
    _VECTORS,
    _ITEMS,
    _ENTRIES,
)
SCHEMA_VERSION: Final = len(_MIGRATIONS)


@contextmanager
def transaction(db: sqlite3.Connection) -> Generator[None]:
    """All or nothing. Takes the write lock at once, so that nothing inside has to wait for it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # a full disk may have rolled back already
            db.execute("ROLLBACK")
        raise


def check_origin(db: sqlite3.Connection, path: Path) -> None:
    """Raises SchemaMismatch unless this is a file of ours, no newer than this program, or empty."""
    version = schema_version(db)
    if version > SCHEMA_VERSION:
        raise SchemaMismatch(
            f"{path} has schema {version} and this program knows up to {SCHEMA_VERSION};"
            " upgrade the program or use another file"
        )
    is_empty = not _number(db, "SELECT count(*) FROM sqlite_schema")
    if not is_empty and _number(db, "PRAGMA application_id") != APPLICATION_ID:
        raise SchemaMismatch(f"{path} is the database of another program; use another file")


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file to today's schema, one version in one transaction."""
    while schema_version(db) < SCHEMA_VERSION:
        with transaction(db):
            version = schema_version(db)  # again: another process may have been faster
            if version < SCHEMA_VERSION:
                for statement in _MIGRATIONS[version]:
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {version + 1}")


def schema_version(db: sqlite3.Connection) -> int:
    return _number(db, "PRAGMA user_version")


def _number(db: sqlite3.Connection, sql: str) -> int:
    return int(db.execute(sql).fetchone()[0])
