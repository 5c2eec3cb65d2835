"""What turns are found by, in SQLite: read by whoever keeps an index of a scope."""

import sqlite3
from collections.abc import Sequence
from typing import Final

import numpy as np
import orjson

from memory_proxy.core.types import Scope, SessionId, Turn
from memory_proxy.stores.base import EntryPage, PageCursor
from memory_proxy.stores.sqlite_rows import TURN_COLUMNS, to_turn
from memory_proxy.stores.sqlite_statements import fetch_json

_STATE: Final = "SELECT id, removed_entries FROM scopes WHERE tenant = ? AND user = ?"
# A session without a name is being removed, and nobody sees it any more.
_PAGE: Final = """
SELECT json_group_array(turn), json_group_array(length(entry)), group_concat(hex(entry), '') FROM (
    SELECT turn, entry FROM turn_entries
    WHERE scope = :scope AND turn > :last AND turn NOT IN (
        SELECT turns.id FROM sessions
        CROSS JOIN exchanges ON exchanges.session = sessions.id
        CROSS JOIN turns ON turns.exchange = exchanges.id
        WHERE sessions.name IS NULL AND sessions.scope = :scope
    )
    ORDER BY turn LIMIT :limit
)
"""
_NUMBERED: Final = f"""
SELECT json_group_array(json_array(turns.id, sessions.name, {TURN_COLUMNS}))
FROM json_each(?) AS asked
CROSS JOIN turns ON turns.id = asked.value
CROSS JOIN exchanges ON exchanges.id = turns.exchange
CROSS JOIN sessions ON sessions.id = exchanges.session
CROSS JOIN scopes ON scopes.id = exchanges.scope
WHERE scopes.tenant = ? AND scopes.user = ? AND sessions.name IS NOT NULL
"""


def page(
    db: sqlite3.Connection, scope: Scope, *, after: PageCursor | None, limit: int
) -> EntryPage:
    """A cursor is the scope, how many of its entries were ever removed, and the last one read."""
    state = db.execute(_STATE, (scope.tenant, scope.user)).fetchone()
    if state is None:
        nothing = np.empty(0, np.int64)
        return EntryPage(nothing, b"", nothing, PageCursor(""), after != "")
    scope_id, removed = state
    era, _, read = (after or "").rpartition(".")
    restarts = era != f"{scope_id}.{removed}"
    last = 0 if restarts else int(read)
    asked = {"scope": scope_id, "last": last, "limit": max(0, limit)}
    found = db.execute(_PAGE, asked).fetchone()
    numbers, sizes = (np.array(orjson.loads(json), np.int64) for json in found[:2])
    last = int(numbers[-1]) if len(numbers) else last
    cursor = PageCursor(f"{scope_id}.{removed}.{last}")
    return EntryPage(numbers, bytes.fromhex(found[2] or ""), sizes, cursor, restarts)


def turns_numbered(db: sqlite3.Connection, scope: Scope, numbers: Sequence[int]) -> dict[int, Turn]:
    asked = orjson.dumps(list(numbers)).decode()
    rows = fetch_json(db.execute(_NUMBERED, (asked, scope.tenant, scope.user)))
    return {number: to_turn(SessionId(name), tuple(row)) for number, name, *row in rows}
