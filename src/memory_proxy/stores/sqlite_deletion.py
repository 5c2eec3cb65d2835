"""How exchanges leave the tables, the index and the bytes of the file.

Runs in the writer thread. A large deletion is done in slices, each with a transaction of its own,
so that appends are not kept waiting.
"""

import sqlite3
import time
from collections import Counter
from collections.abc import Collection, Generator, Iterator, Sequence
from datetime import datetime
from typing import Final

from memory_proxy.core.types import Scope, SessionId
from memory_proxy.stores.sqlite_ledger import expire_notes, forget_notes
from memory_proxy.stores.sqlite_rows import from_time, to_terms, tokens
from memory_proxy.stores.sqlite_schema import transaction
from memory_proxy.stores.sqlite_statements import fetch_json, insert, with_rows

_SLICE_EXCHANGES: Final = 25
_SLICE_S: Final = 0.01
_FIRST_PAGES: Final = 8
_LOG_TIMEOUT_MS: Final = 50

_TURNS: Final = """
WITH chosen (id) AS (VALUES {rows})
SELECT json_group_array(json_array(turns.id, exchanges.scope, turns.terms))
FROM chosen JOIN exchanges ON exchanges.id = chosen.id JOIN turns ON turns.exchange = exchanges.id
WHERE turns.terms IS NOT NULL
"""
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
_COUNT_OUT_OF_SCOPES: Final = """
WITH removed (scope, turns, terms) AS (VALUES {rows})
UPDATE scopes SET findable_turns = findable_turns - removed.turns,
    terms = scopes.terms - removed.terms
FROM removed WHERE scopes.id = removed.scope
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

    The index keeps a deleted entry, in clear, until its segments are merged; the log keeps the
    pages of before until it is emptied (https://www.sqlite.org/fts5.html, "merge"). What is not
    done when the process ends, the next start does: `state.erasures` knows.
    """
    for (session,) in db.execute("SELECT id FROM sessions WHERE name IS NULL").fetchall():
        yield from _remove_session(db, session)
    while erasures := _erasures(db):
        yield from _merge_index(db)
        with transaction(db):
            db.execute("UPDATE state SET erasures = erasures - ?", (erasures,))
        if not _empty_log(db):  # the next deletion or start tries again
            with transaction(db):
                db.execute("UPDATE state SET erasures = erasures + 1")
            return
        yield


def remove_exchanges(db: sqlite3.Connection, exchanges: Sequence[int]) -> int:
    """Within a transaction: exchanges with turns, entries and counts; how many turns.

    A session goes with its last exchange; a scope stays.
    """
    if not exchanges:
        return 0
    chosen = [(exchange,) for exchange in exchanges]
    _remove_entries(db, chosen)
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


def _remove_entries(db: sqlite3.Connection, chosen: Sequence[tuple[int]]) -> None:
    """Of the exchanges `chosen`, from the index and from what is counted of it."""
    turns: Counter[int] = Counter()
    terms: Counter[int] = Counter()
    entries: list[tuple[object, ...]] = []
    for turn, scope, json in fetch_json(with_rows(db, _TURNS, chosen)):
        its_terms = to_terms(json)
        entries.append(("delete", turn, tokens(scope, its_terms)))
        turns[scope] += 1
        terms[scope] += len(its_terms)
    if entries:
        insert(db, "INSERT INTO turn_index (turn_index, rowid, tokens) VALUES {rows}", entries)
        with_rows(db, _COUNT_OUT_OF_SCOPES, [(id_, turns[id_], terms[id_]) for id_ in turns])
        db.execute("UPDATE state SET findable_turns = findable_turns - ?", (turns.total(),))


def _merge_index(db: sqlite3.Connection) -> Iterator[None]:
    """Merge all segments of the index into one, a few pages at a time.

    A step counts the pages that it writes, and deleted entries are only read: how many pages are
    few is found on the way.
    """
    pages = _FIRST_PAGES
    sign = -1  # negative: begin to merge everything; positive: go on with it
    while True:
        before, started = db.total_changes, time.monotonic()
        with transaction(db):
            merge = "INSERT INTO turn_index (turn_index, rank) VALUES ('merge', ?)"
            db.execute(merge, (sign * pages,))
        if db.total_changes - before < 2:
            return
        yield
        is_quick = time.monotonic() - started < _SLICE_S
        pages = pages * 2 if is_quick else max(_FIRST_PAGES, pages // 2)
        sign = 1


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
