"""How exchanges leave the tables and the bytes of the file.

Runs in the writer thread. A large deletion is done in slices, each with a transaction of its own,
so that appends are not kept waiting.
"""

import sqlite3
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from datetime import datetime
from typing import Final

from memory_proxy.core.types import Scope, SessionId
from memory_proxy.stores.sqlite_ledger import expire_notes, forget_notes
from memory_proxy.stores.sqlite_rows import from_time
from memory_proxy.stores.sqlite_schema import transaction
from memory_proxy.stores.sqlite_statements import fetch_json, with_rows

_SLICE_EXCHANGES: Final = 25
_LOG_TIMEOUT_MS: Final = 50

_SESSIONS: Final = """
WITH chosen (id) AS (VALUES {rows})
SELECT json_group_array(json_array(session, (
    SELECT count(*) FROM turns WHERE turns.exchange = exchanges.id
)))
FROM chosen JOIN exchanges ON exchanges.id = chosen.id
"""
_COUNT_OUT_OF_SESSIONS: Final = """
WITH removed (session, turns) AS (VALUES {rows})
UPDATE sessions SET turns = sessions.turns - removed.turns,
    started_at = coalesce(
        (SELECT min(at) FROM exchanges WHERE exchanges.session = sessions.id), started_at),
    last_at = coalesce(
        (SELECT max(at) FROM exchanges WHERE exchanges.session = sessions.id), last_at)
FROM removed WHERE sessions.id = removed.session
"""
_REMOVE_EMPTY_SESSIONS: Final = """
DELETE FROM sessions WHERE id IN (VALUES {rows})
AND NOT EXISTS (SELECT 1 FROM exchanges WHERE exchanges.session = sessions.id)
"""
_REMOVE_EMPTY_SCOPES: Final = """
DELETE FROM scopes WHERE id IN (VALUES {rows})
AND NOT EXISTS (SELECT 1 FROM sessions WHERE sessions.scope = scopes.id)
AND NOT EXISTS (SELECT 1 FROM ledger WHERE ledger.scope = scopes.id)
"""
Slices = Generator[None, None, int]
"""Pauses between slices; returns how many turns were removed."""


def forget_session(db: sqlite3.Connection, scope: Scope, session: SessionId) -> Slices:
    """Nobody sees the session any more from the first slice on; a crash does not bring it back."""
    with transaction(db):
        forget_notes(db, scope, session)
        forgotten = db.execute(
            "UPDATE sessions SET name = NULL WHERE name = ? AND scope ="
            " (SELECT id FROM scopes WHERE tenant = ? AND user = ?) RETURNING id, turns",
            (session, scope.tenant, scope.user),
        ).fetchone()
    if forgotten is None:
        return 0
    session_id, turn_count = forgotten
    yield from _remove_session(db, session_id)
    return int(turn_count)


def expire(db: sqlite3.Connection, before: datetime) -> Slices:
    """Remove every exchange older than `before`, the oldest first."""
    with transaction(db):
        expire_notes(db, before)
    return (yield from _remove_all(db, "at < ? ORDER BY at", from_time(before)))


def finish_deletions(db: sqlite3.Connection) -> Iterator[None]:
    """What deletions leave to do: sessions cut short by a crash, and what is left in the bytes.

    The log keeps the pages of before until it is emptied. What is not done when the process ends,
    the next start does: `state.erasures` knows.
    """
    for (session,) in db.execute("SELECT id FROM sessions WHERE name IS NULL").fetchall():
        yield from _remove_session(db, session)
    while erasures := _erasures(db):
        with transaction(db):
            db.execute("UPDATE state SET erasures = erasures - ?", (erasures,))
        if not _empty_log(db):  # the next deletion or start tries again
            with transaction(db):
                db.execute("UPDATE state SET erasures = erasures + 1")
            return
        yield


def remove_exchanges(db: sqlite3.Connection, exchanges: Sequence[int]) -> int:
    """Within a transaction: exchanges with turns and counts; how many turns.

    A session goes with its last exchange; a scope stays.
    """
    if not exchanges:
        return 0
    chosen = [(exchange,) for exchange in exchanges]
    turns: Counter[int] = Counter()
    for session, turn_count in fetch_json(with_rows(db, _SESSIONS, chosen)):
        turns[session] += turn_count
    with_rows(db, "DELETE FROM turns WHERE exchange IN (VALUES {rows})", chosen)
    with_rows(db, "DELETE FROM exchanges WHERE id IN (VALUES {rows})", chosen)
    with_rows(db, _COUNT_OUT_OF_SESSIONS, list(turns.items()))
    with_rows(db, _REMOVE_EMPTY_SESSIONS, [(session,) for session in turns])
    return turns.total()


def remove_if_empty(db: sqlite3.Connection, scopes: Collection[int]) -> None:
    """Within a transaction: those of the scopes that hold nothing any more."""
    with_rows(db, _REMOVE_EMPTY_SCOPES, [(scope,) for scope in scopes])


def _remove_session(db: sqlite3.Connection, session: int) -> Slices:
    return (yield from _remove_all(db, "session = ?", session))


def _remove_all(db: sqlite3.Connection, condition: str, parameter: int) -> Slices:
    """Remove all exchanges that meet `condition`."""
    some = (
        "SELECT json_group_array(json_array(id, scope)) FROM"
        f" (SELECT id, scope FROM exchanges WHERE {condition} LIMIT {_SLICE_EXCHANGES})"
    )
    removed = 0
    while True:
        with transaction(db):
            found = fetch_json(db.execute(some, (parameter,)))
            if found:
                removed += remove_exchanges(db, [exchange for exchange, _ in found])
                remove_if_empty(db, {scope for _, scope in found})
                db.execute("UPDATE state SET erasures = erasures + 1")
        if not found:
            return removed
        yield


def _empty_log(db: sqlite3.Connection) -> bool:
    """False if somebody reads what is in it. Appends wait meanwhile: not for long, then."""
    [usual_ms] = db.execute("PRAGMA busy_timeout").fetchone()
    db.execute(f"PRAGMA busy_timeout = {_LOG_TIMEOUT_MS}")
    is_busy, _, _ = db.execute("PRAGMA wal_checkpoint (TRUNCATE)").fetchone()
    db.execute(f"PRAGMA busy_timeout = {usual_ms}")
    return not is_busy


def _erasures(db: sqlite3.Connection) -> int:
    """How many slices of deletions are not yet out of the bytes."""
    return int(db.execute("SELECT erasures FROM state").fetchone()[0])
