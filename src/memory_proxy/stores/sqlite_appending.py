"""How exchanges get into the tables; runs in the writer thread, inside a transaction.

Many at a time, by a number of statements that hardly grows with theirs: a statement is cheap, but
each gives up the interpreter lock, and a thread waits for a whole turn of a busy event loop to get
it back.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Final

from memory_proxy.core.types import Exchange, ExchangeId, Scope, SessionId
from memory_proxy.stores.sqlite_deletion import remove_exchanges
from memory_proxy.stores.sqlite_ledger import add_notes
from memory_proxy.stores.sqlite_rows import from_time, from_turn
from memory_proxy.stores.sqlite_statements import fetch_json, insert, with_rows

# Outdated: a partial one where the asked one is complete or longer, or one that was forgotten.
_KNOWN: Final = """
WITH asked (n, tenant, user, name, is_partial, size) AS (VALUES {rows})
SELECT json_group_array(json_array(
    n, exchanges.id,
    sessions.name IS NULL OR exchanges.partial AND (NOT is_partial OR exchanges.size < asked.size)
))
FROM asked
JOIN scopes ON scopes.tenant = asked.tenant AND scopes.user = asked.user
JOIN exchanges ON exchanges.scope = scopes.id AND exchanges.name = asked.name
JOIN sessions ON sessions.id = exchanges.session
"""
_NEW_SCOPES: Final = "INSERT INTO scopes (tenant, user) VALUES {rows} ON CONFLICT DO NOTHING"
_SCOPES: Final = """
WITH asked (tenant, user) AS (VALUES {rows})
SELECT json_group_array(json_array(id, tenant, user)) FROM asked JOIN scopes USING (tenant, user)
"""
_NEW_SESSIONS: Final = """
INSERT INTO sessions (scope, name, started_at, last_at, turns) VALUES {rows} ON CONFLICT DO NOTHING
"""
_SESSIONS: Final = """
WITH asked (scope, name) AS (VALUES {rows})
SELECT json_group_array(json_array(id, scope, name)) FROM asked JOIN sessions USING (scope, name)
"""
_COUNT_IN_SESSIONS: Final = """
WITH added (session, turns, at, last_at) AS (VALUES {rows})
UPDATE sessions SET turns = sessions.turns + added.turns,
    started_at = min(sessions.started_at, added.at), last_at = max(sessions.last_at, added.last_at)
FROM added WHERE sessions.id = added.session
"""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """An exchange on its way in, or some turns of it; `id` is its place in the order of arrival."""

    id: int
    scope: int
    session: int
    exchange: Exchange


def append_all(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> None:
    if noted := [each for each in exchanges if each.ledger]:
        add_notes(db, _scope_ids(db, noted), noted)
    for distinct in without_repetition([each for each in exchanges if each.turns]):
        if newcomers := _newcomers(db, distinct):
            _insert_exchanges(db, newcomers)
            insert_turns(db, newcomers, count(last_id(db, "turns") + 1))
            count_in_sessions(db, newcomers)


def without_repetition(exchanges: Sequence[Exchange]) -> Iterator[list[Exchange]]:
    """The exchanges in their order, cut where one comes a second time."""
    seen: dict[tuple[Scope, ExchangeId], Exchange] = {}
    for exchange in exchanges:
        key = (exchange.scope, exchange.id)
        if key in seen:
            yield list(seen.values())
            seen = {}
        seen[key] = exchange
    if seen:
        yield list(seen.values())


def _newcomers(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> list[Newcomer]:
    """Those that are not stored yet; what they replace is removed, and its place becomes theirs."""
    arrivals = count(last_id(db, "exchanges") + 1)
    known = _known(db, exchanges)
    remove_exchanges(db, [id_ for id_, is_outdated in known.values() if is_outdated])
    places = {
        n: known[n][0] if n in known else next(arrivals)
        for n in range(len(exchanges))
        if n not in known or known[n][1]
    }
    chosen = [exchanges[n] for n in places]
    if not chosen:
        return []
    scopes = _scope_ids(db, chosen)
    sessions = _session_ids(db, scopes, chosen)
    return [
        Newcomer(
            place,
            scopes[exchange.scope],
            sessions[scopes[exchange.scope], exchange.session],
            exchange,
        )
        for place, exchange in zip(places.values(), chosen, strict=True)
    ]


def _known(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> dict[int, tuple[int, bool]]:
    """By index: the id of the exchange as it is stored already, and whether that is outdated."""
    asked = [
        (n, each.scope.tenant, each.scope.user, each.id, each.partial, _size(each))
        for n, each in enumerate(exchanges)
    ]
    found = fetch_json(with_rows(db, _KNOWN, asked))
    return {n: (id_, bool(is_outdated)) for n, id_, is_outdated in found}


def _scope_ids(db: sqlite3.Connection, exchanges: Sequence[Exchange]) -> dict[Scope, int]:
    scopes = {each.scope: (each.scope.tenant, each.scope.user) for each in exchanges}
    with_rows(db, _NEW_SCOPES, list(scopes.values()))
    found = fetch_json(with_rows(db, _SCOPES, list(scopes.values())))
    return {Scope(tenant, user): id_ for id_, tenant, user in found}


def _session_ids(
    db: sqlite3.Connection, scopes: dict[Scope, int], exchanges: Sequence[Exchange]
) -> dict[tuple[int, SessionId], int]:
    first_at = {
        (scopes[each.scope], each.session): from_time(each.at) for each in reversed(exchanges)
    }
    new = [(scope, name, at, at, 0) for (scope, name), at in first_at.items()]
    with_rows(db, _NEW_SESSIONS, new)
    found = fetch_json(with_rows(db, _SESSIONS, list(first_at)))
    return {(scope, SessionId(name)): id_ for id_, scope, name in found}


def _insert_exchanges(db: sqlite3.Connection, newcomers: Sequence[Newcomer]) -> None:
    rows = [
        (
            each.id,
            each.scope,
            each.session,
            each.exchange.id,
            from_time(each.exchange.at),
            each.exchange.partial,
            _size(each.exchange),
        )
        for each in newcomers
    ]
    insert(db, "INSERT INTO exchanges VALUES {rows}", rows)


def insert_turns(db: sqlite3.Connection, newcomers: Sequence[Newcomer], ids: Iterator[int]) -> None:
    rows: list[tuple[object, ...]] = []
    entries: list[tuple[object, ...]] = []
    for each in newcomers:
        for turn, id_ in zip(each.exchange.turns, ids, strict=False):
            rows.append((id_, *from_turn(each.scope, each.id, turn)))
            if turn.entry:
                entries.append((id_, each.scope, turn.entry))
    insert(db, "INSERT INTO turns VALUES {rows}", rows)
    insert(db, "INSERT INTO turn_entries VALUES {rows}", entries)


def count_in_sessions(db: sqlite3.Connection, newcomers: Sequence[Newcomer]) -> None:
    turns: Counter[int] = Counter()
    times: dict[int, list[int]] = {}
    for each in newcomers:
        turns[each.session] += len(each.exchange.turns)
        times.setdefault(each.session, []).append(from_time(each.exchange.at))
    rows = [(id_, turns[id_], min(times[id_]), max(times[id_])) for id_ in times]
    with_rows(db, _COUNT_IN_SESSIONS, rows)


def _size(exchange: Exchange) -> int:
    return sum(len(turn.message.text) for turn in exchange.turns)


def last_id(db: sqlite3.Connection, table: str) -> int:
    return int(db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()[0])
