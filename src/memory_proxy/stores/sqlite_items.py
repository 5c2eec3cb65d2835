"""Single turns in SQLite: listed, added, pinned, replaced, deleted. What writes runs in the writer
thread."""

import sqlite3
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import orjson

from memory_proxy.core.types import Exchange, Scope, SessionId, Turn
from memory_proxy.stores.base import Forgotten, TurnKey, TurnPage, TurnPlace
from memory_proxy.stores.sqlite_appending import (
    Newcomer,
    append_all,
    count_in_sessions,
    insert_turns,
    last_id,
    without_repetition,
)
from memory_proxy.stores.sqlite_deletion import remove_exchanges, remove_if_empty
from memory_proxy.stores.sqlite_rows import (
    TURN_COLUMNS,
    from_time,
    to_time,
    to_turn,
)
from memory_proxy.stores.sqlite_schema import transaction

_PAGE_CHARACTERS: Final = 1_000_000
_SCOPE: Final = "(SELECT id FROM scopes WHERE tenant = :tenant AND user = :user)"

_TURNS: Final = f"""
SELECT exchanges.at, exchanges.id, sessions.name, {TURN_COLUMNS}
FROM exchanges
CROSS JOIN sessions ON sessions.id = exchanges.session
CROSS JOIN turns ON turns.exchange = exchanges.id
WHERE %(chosen)s AND sessions.name IS NOT NULL
AND (exchanges.at, exchanges.id) %(after)s= (:at, :id)
AND ((exchanges.at, exchanges.id) <> (:at, :id) OR turns.position %(after)s :position)
ORDER BY exchanges.at %(order)s, exchanges.id %(order)s, turns.position %(order)s
"""
_OF_SCOPE: Final = f"exchanges.scope = {_SCOPE}"
_OF_SESSION: Final = f"""
exchanges.session = (SELECT id FROM sessions WHERE scope = {_SCOPE} AND name = :session)
"""
_NEWEST_FIRST: Final = {"after": "<", "order": "DESC"}
_OLDEST_FIRST: Final = {"after": ">", "order": "ASC"}
_ENDS: Final = (-(2**63), 2**63 - 1)

_TURN: Final = f"""
FROM exchanges
CROSS JOIN sessions ON sessions.id = exchanges.session
CROSS JOIN turns ON turns.exchange = exchanges.id
WHERE exchanges.scope = {_SCOPE} AND exchanges.name = :exchange AND turns.position = :position
AND sessions.name IS NOT NULL
"""
_PINNED: Final = f"""
SELECT sessions.name, {TURN_COLUMNS}
FROM turns
CROSS JOIN exchanges ON exchanges.id = turns.exchange
CROSS JOIN sessions ON sessions.id = exchanges.session
WHERE turns.pinned_in = {_SCOPE} AND sessions.name IS NOT NULL
ORDER BY exchanges.at DESC, exchanges.id DESC, turns.position DESC LIMIT :limit
"""
_WHERE_IT_IS: Final = f"""
SELECT exchanges.scope, exchanges.session, exchanges.id, exchanges.at, turns.id, length(turns.text),
    (SELECT count(*) FROM turn_entries WHERE turn_entries.turn = turns.id),
    (SELECT count(*) FROM quotes WHERE quotes.turn = turns.id),
    (SELECT count(*) FROM turn_vectors WHERE turn_vectors.turn = turns.id)
{_TURN}
"""
_KNOWN_EXCHANGE: Final = f"""
SELECT exchanges.id, exchanges.scope, exchanges.session, exchanges.at, (
    SELECT json_group_array(position) FROM turns WHERE turns.exchange = exchanges.id
)
FROM exchanges CROSS JOIN sessions ON sessions.id = exchanges.session
WHERE exchanges.scope = {_SCOPE} AND exchanges.name = :exchange AND sessions.name IS NOT NULL
"""


def turns(
    db: sqlite3.Connection,
    scope: Scope,
    *,
    limit: int,
    session: SessionId | None,
    after: TurnPlace | None,
    oldest_first: bool,
) -> TurnPage:
    chosen = _OF_SCOPE if session is None else _OF_SESSION
    query = _TURNS % {"chosen": chosen, **(_OLDEST_FIRST if oldest_first else _NEWEST_FIRST)}
    values = {**_names(scope), "session": session, **_after(after, oldest_first=oldest_first)}
    found: list[Turn] = []
    last: TurnPlace | None = None
    size = 0
    for at, arrival, name, *row in db.execute(query, values):
        if len(found) >= limit or size > _PAGE_CHARACTERS:
            return TurnPage(found, last)
        found.append(to_turn(SessionId(name), tuple(row)))
        last = TurnPlace(to_time(at), arrival, found[-1].position)
        size += len(found[-1].message.text)
    return TurnPage(found, None)


def turn(db: sqlite3.Connection, scope: Scope, key: TurnKey) -> Turn | None:
    query = f"SELECT sessions.name, {TURN_COLUMNS} {_TURN}"
    found = db.execute(query, {**_names(scope), **key._asdict()}).fetchone()
    return to_turn(SessionId(found[0]), found[1:]) if found else None


def pinned(db: sqlite3.Connection, scope: Scope, *, limit: int) -> list[Turn]:
    rows = db.execute(_PINNED, {**_names(scope), "limit": max(0, limit)}).fetchall()
    return [to_turn(SessionId(name), tuple(row)) for name, *row in rows]


def pin(
    db: sqlite3.Connection, scope: Scope, key: TurnKey, *, pinned: bool
) -> Generator[None, None, bool]:
    with transaction(db):
        where = _find(db, scope, key)
        if where is not None:
            pinned_in = where.scope if pinned else None
            db.execute("UPDATE turns SET pinned_in = ? WHERE id = ?", (pinned_in, where.turn))
            _count_in_exchange(db, where.exchange, 0)
    yield
    return where is not None


def add(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> Generator[None, None, int]:
    added = 0
    for distinct in without_repetition(exchanges):
        with transaction(db):
            added += _add(db, distinct)
        yield
    return added


def replace_turn(
    db: sqlite3.Connection, scope: Scope, new: Turn
) -> Generator[None, None, Forgotten | None]:
    with transaction(db):
        where = _find(db, scope, TurnKey(new.exchange, new.position))
        if where is not None:
            _take_out(db, where)
            exchange = Exchange(new.exchange, scope, new.session, (new,), to_time(where.at))
            _put_in(db, Newcomer(where.exchange, where.scope, where.session, exchange), where.turn)
    yield
    return where.forgotten if where else None


def delete_turn(
    db: sqlite3.Connection, scope: Scope, key: TurnKey
) -> Generator[None, None, Forgotten | None]:
    with transaction(db):
        where = _find(db, scope, key)
        if where is not None:
            _take_out(db, where)
            left = "SELECT 1 FROM turns WHERE exchange = ?"
            if db.execute(left, (where.exchange,)).fetchone() is None:
                remove_exchanges(db, [where.exchange])
                remove_if_empty(db, {where.scope})
    yield
    return where.forgotten if where else None


@dataclass(frozen=True, slots=True)
class _Where:
    """The rows of a turn, and what goes with it."""

    scope: int
    session: int
    exchange: int
    at: int
    turn: int
    size: int
    index_entries: int
    ledger_entries: int
    vectors: int

    @property
    def forgotten(self) -> Forgotten:
        return Forgotten(1, self.index_entries, self.ledger_entries, self.vectors)


def _find(db: sqlite3.Connection, scope: Scope, key: TurnKey) -> _Where | None:
    found = db.execute(_WHERE_IT_IS, {**_names(scope), **key._asdict()}).fetchone()
    return _Where(*found) if found else None


def _take_out(db: sqlite3.Connection, where: _Where) -> None:
    """Its entry and vectors, and the notes that quote it, go by themselves with its row."""
    db.execute("DELETE FROM turns WHERE id = ?", (where.turn,))
    db.execute("UPDATE sessions SET turns = turns - 1 WHERE id = ?", (where.session,))
    _count_in_exchange(db, where.exchange, -where.size)
    db.execute("UPDATE state SET erasures = erasures + 1")


def _put_in(db: sqlite3.Connection, newcomer: Newcomer, first_id: int) -> None:
    """Turns into an exchange that is known already."""
    insert_turns(db, [newcomer], count(first_id))
    count_in_sessions(db, [newcomer])
    size = sum(len(each.message.text) for each in newcomer.exchange.turns)
    _count_in_exchange(db, newcomer.id, size)


def _count_in_exchange(db: sqlite3.Connection, exchange: int, size: int) -> None:
    """Characters that came or went; what was changed is replaced by nothing any more."""
    sql = "UPDATE exchanges SET size = size + ?, partial = 0 WHERE id = ?"
    db.execute(sql, (size, exchange))


def _add(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> int:
    found = [(each, _known_exchange(db, each)) for each in exchanges]
    new = [each for each, known in found if known is None]
    append_all(db, new)
    completed = sum(_complete(db, each, known) for each, known in found if known is not None)
    return completed + sum(len(each.turns) for each in new)


def _known_exchange(db: sqlite3.Connection, exchange: Exchange) -> tuple[Any, ...] | None:
    names = {**_names(exchange.scope), "exchange": exchange.id}
    found: tuple[Any, ...] | None = db.execute(_KNOWN_EXCHANGE, names).fetchone()
    return found


def _complete(db: sqlite3.Connection, exchange: Exchange, known: tuple[Any, ...]) -> int:
    id_, scope, session, at, positions = known
    taken = set(orjson.loads(positions))
    missing = tuple(turn for turn in exchange.turns if turn.position not in taken)
    if missing:
        some = replace(exchange, turns=missing, at=to_time(at))
        _put_in(db, Newcomer(id_, scope, session, some), last_id(db, "turns") + 1)
    return len(missing)


def _names(scope: Scope) -> dict[str, Any]:
    return {"tenant": scope.tenant, "user": scope.user}


def _after(after: TurnPlace | None, *, oldest_first: bool) -> dict[str, int]:
    if after is not None:
        place = (from_time(after.at), after.arrival, after.position)
    else:
        place = (_ENDS[not oldest_first],) * 3
    return dict(zip(("at", "id", "position"), place, strict=True))
