"""One statement for many rows."""

import sqlite3
from collections.abc import Sequence
from itertools import chain
from typing import Any, Final

import orjson

Row = tuple[object, ...]
_MAX_ROWS: Final = 64  # of one INSERT


def with_rows(db: sqlite3.Connection, sql: str, rows: Sequence[Row]) -> sqlite3.Cursor:
    """Run `sql` with `rows`, at least one, as the VALUES where it says `{rows}`."""
    row = f"({', '.join('?' * len(rows[0]))})"
    values = ", ".join([row] * len(rows))
    return db.execute(sql.format(rows=values), tuple(chain.from_iterable(rows)))


def insert(db: sqlite3.Connection, sql: str, rows: Sequence[Row]) -> None:
    """Like `with_rows`, for any number of rows, none included."""
    for start in range(0, len(rows), _MAX_ROWS):
        with_rows(db, sql, rows[start : start + _MAX_ROWS])


def fetch_json(cursor: sqlite3.Cursor) -> Any:
    """The one value of a `SELECT json_group_...`.

    One row, however many there are: each row that is fetched gives up the interpreter lock and has
    to win it back from a busy event loop.
    """
    return orjson.loads(cursor.fetchone()[0])
