"""Vectors of turns in SQLite, one a turn and embedder. What writes runs in the writer thread."""

import sqlite3
from collections.abc import Generator, Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray

from memory_proxy.core.types import ExchangeId, Scope, TenantId, UserId
from memory_proxy.stores.base import PageCursor, TurnKey, Unembedded, VectorPage
from memory_proxy.stores.sqlite_schema import transaction
from memory_proxy.stores.sqlite_statements import fetch_json, with_rows

_HEAD_CHARACTERS: Final = 4_000  # no embedder reads further
_PUT_AT_ONCE: Final = 64
_DROPPED_AT_ONCE: Final = 500

# A longer or complete exchange replaces a shorter or partial one of the same name.
_VERSION: Final = "(exchanges.size * 2 + exchanges.partial + coalesce(turns.edited_at, 0))"
_NUMBER: Final = "(SELECT id FROM embedders WHERE name = ?)"
_OTHERS: Final = "embedder IN (SELECT id FROM embedders WHERE name <> ?)"

_BACKLOG: Final = f"""
SELECT findable_turns - (SELECT count(*) FROM turn_vectors WHERE embedder = {_NUMBER}) FROM state
"""
_UNEMBEDDED: Final = f"""
SELECT json_group_array(json_array(tenant, user, name, position, text, version)) FROM (
    SELECT tenant, user, exchanges.name, position, substr(text, 1, {_HEAD_CHARACTERS}) AS text,
        {_VERSION} AS version
    FROM turns
    CROSS JOIN exchanges ON exchanges.id = turns.exchange
    CROSS JOIN sessions ON sessions.id = exchanges.session
    CROSS JOIN scopes ON scopes.id = exchanges.scope
    WHERE NOT EXISTS (SELECT 1 FROM turn_vectors WHERE turn = turns.id AND embedder = {_NUMBER})
    AND EXISTS (SELECT 1 FROM turn_entries WHERE turn = turns.id) AND sessions.name IS NOT NULL
    ORDER BY turns.id DESC LIMIT ?
)
"""
_PUT: Final = f"""
INSERT INTO turn_vectors (turn, scope, embedder, vector)
WITH asked (embedder, tenant, user, name, position, version, vector) AS (VALUES {{rows}})
SELECT turns.id, scopes.id, asked.embedder, asked.vector FROM asked
CROSS JOIN scopes ON scopes.tenant = asked.tenant AND scopes.user = asked.user
CROSS JOIN exchanges ON exchanges.scope = scopes.id AND exchanges.name = asked.name
CROSS JOIN sessions ON sessions.id = exchanges.session
CROSS JOIN turns ON turns.exchange = exchanges.id AND turns.position = asked.position
WHERE sessions.name IS NOT NULL AND {_VERSION} = asked.version
ON CONFLICT DO NOTHING
"""
_STATE: Final = f"""
SELECT {_NUMBER}, id, removed_vectors FROM scopes WHERE tenant = ? AND user = ?
"""
_PAGE: Final = """
SELECT max(id), json_group_array(turn), group_concat(hex(vector), '') FROM (
    SELECT turn_vectors.id, turn, vector
    FROM turn_vectors
    CROSS JOIN turns ON turns.id = turn_vectors.turn
    CROSS JOIN exchanges ON exchanges.id = turns.exchange
    CROSS JOIN sessions ON sessions.id = exchanges.session
    WHERE turn_vectors.embedder = ? AND turn_vectors.scope = ? AND turn_vectors.id > ?
    AND sessions.name IS NOT NULL
    ORDER BY turn_vectors.id LIMIT ?
)
"""


def backlog(db: sqlite3.Connection, embedder: str) -> int:
    return int(db.execute(_BACKLOG, (embedder,)).fetchone()[0])


def unembedded(db: sqlite3.Connection, embedder: str, *, limit: int) -> list[Unembedded]:
    """The search ends when it has found as many as there are, which are mostly the newest."""
    wanted = min(limit, backlog(db, embedder))
    if wanted <= 0:
        return []
    return [
        Unembedded(
            Scope(TenantId(tenant), UserId(user)),
            TurnKey(ExchangeId(exchange), position),
            text,
            version,
        )
        for tenant, user, exchange, position, text, version in fetch_json(
            db.execute(_UNEMBEDDED, (embedder, wanted))
        )
    ]


def put(
    db: sqlite3.Connection, embedder: str, turns: Sequence[Unembedded], rows: NDArray[np.int8]
) -> Generator[None, None, int]:
    with transaction(db):
        db.execute("INSERT INTO embedders (name) VALUES (?) ON CONFLICT DO NOTHING", (embedder,))
    kept = 0
    for start in range(0, len(turns), _PUT_AT_ONCE):
        end = start + _PUT_AT_ONCE
        with transaction(db):
            [number] = db.execute(f"SELECT {_NUMBER}", (embedder,)).fetchone()
            some = zip(turns[start:end], rows[start:end], strict=True)
            kept += with_rows(db, _PUT, [_row(number, *each) for each in some]).rowcount
        yield
    return kept


def page(
    db: sqlite3.Connection,
    scope: Scope,
    embedder: str,
    *,
    after: PageCursor | None,
    limit: int,
) -> VectorPage:
    """A cursor is the scope, how many of its vectors were ever removed, and the last one read."""
    state = db.execute(_STATE, (embedder, scope.tenant, scope.user)).fetchone()
    if state is None:
        nothing = np.empty(0, np.int64), np.empty((0, 0), np.int8)
        return VectorPage(*nothing, PageCursor(""), after != "")
    number, scope_id, removed = state
    era, _, read = (after or "").rpartition(".")
    restarts = era != f"{scope_id}.{removed}"
    last = 0 if restarts else int(read)
    found = db.execute(_PAGE, (number, scope_id, last, max(0, limit))).fetchone()
    numbers = np.array(orjson.loads(found[1]), np.int64)
    cursor = PageCursor(f"{scope_id}.{removed}.{found[0] or last}")
    return VectorPage(numbers, _matrix(found[2] or "", len(numbers)), cursor, restarts)


def drop_others(db: sqlite3.Connection, embedder: str) -> Generator[None, None, int]:
    dropped = 0
    some = f"SELECT id FROM turn_vectors WHERE {_OTHERS} LIMIT {_DROPPED_AT_ONCE}"
    while True:
        with transaction(db):
            delete = f"DELETE FROM turn_vectors WHERE id IN ({some})"
            removed = db.execute(delete, (embedder,)).rowcount
            if not removed:
                db.execute("DELETE FROM embedders WHERE name <> ?", (embedder,))
                return dropped
        dropped += removed
        yield


def _row(number: int, turn: Unembedded, vector: NDArray[np.int8]) -> tuple[object, ...]:
    scope, key = turn.scope, turn.key
    place = (scope.tenant, scope.user, key.exchange, key.position)
    return (number, *place, turn.version, vector.tobytes())


def _matrix(hexadecimal: str, rows: int) -> NDArray[np.int8]:
    flat = np.frombuffer(bytes.fromhex(hexadecimal), np.int8)
    return flat.reshape(rows, flat.size // max(1, rows))
