"""What is read from a SQLite store. Every function sees one moment of it."""

import math
import sqlite3
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from typing import Any, Final, cast

import orjson

from memory_proxy.core.types import Scope, SessionId, SessionSummary, Turn
from memory_proxy.stores.base import Candidates
from memory_proxy.stores.lexical import inverse_document_frequency, searchable_terms
from memory_proxy.stores.sqlite_rows import (
    TURN_COLUMNS,
    from_time,
    to_terms,
    to_time,
    to_turn,
    token,
)
from memory_proxy.stores.sqlite_statements import fetch_json

_END_OF_TIME: Final = 2**63 - 1

_HISTORY: Final = f"""
SELECT {TURN_COLUMNS} FROM exchanges CROSS JOIN turns ON turns.exchange = exchanges.id
WHERE exchanges.session = (
    SELECT sessions.id FROM scopes JOIN sessions ON sessions.scope = scopes.id
    WHERE scopes.tenant = ? AND scopes.user = ? AND sessions.name = ?)
ORDER BY exchanges.at DESC, exchanges.id DESC, turns.position DESC LIMIT ?
"""

_SESSIONS: Final = """
SELECT sessions.name, started_at, last_at, turns
FROM scopes JOIN sessions ON sessions.scope = scopes.id
WHERE tenant = ? AND user = ? AND name IS NOT NULL AND last_at < ?
ORDER BY last_at DESC LIMIT ?
"""

_FREQUENCIES: Final = """
SELECT json_group_object(term, doc) FROM json_each(?) AS asked
CROSS JOIN turn_vocabulary ON turn_vocabulary.term = asked.value
"""

_HITS: Final = f"""
SELECT json_group_array(json_array(score, turns.id, sessions.name, turns.terms, {TURN_COLUMNS}))
FROM (
    SELECT id, sum(score) AS score FROM (%s) GROUP BY id ORDER BY score, id DESC LIMIT ?
) AS hits
CROSS JOIN turns USING (id)
JOIN exchanges ON exchanges.id = turns.exchange
JOIN sessions ON sessions.id = exchanges.session
WHERE exchanges.scope = ? AND sessions.name IS NOT NULL
"""
_HITS_OF_A_TERM: Final = "SELECT rowid AS id, rank * ? AS score FROM turn_index(?)"


def history(db: sqlite3.Connection, scope: Scope, session: SessionId, *, limit: int) -> list[Turn]:
    key = (scope.tenant, scope.user, session, max(0, limit))
    return [to_turn(session, row) for row in reversed(db.execute(_HISTORY, key).fetchall())]


def sessions(
    db: sqlite3.Connection, scope: Scope, *, limit: int, before: datetime | None
) -> list[SessionSummary]:
    end = _END_OF_TIME if before is None else from_time(before)
    rows = db.execute(_SESSIONS, (scope.tenant, scope.user, end, max(0, limit))).fetchall()
    return [
        SessionSummary(SessionId(name), to_time(started_at), to_time(last_at), turn_count)
        for name, started_at, last_at, turn_count in rows
    ]


def session_count(db: sqlite3.Connection) -> int:
    query = "SELECT count(*) FROM sessions WHERE name IS NOT NULL"
    return int(db.execute(query).fetchone()[0])


def candidates(
    db: sqlite3.Connection, scope: Scope, terms: Sequence[str], *, limit: int
) -> Candidates:
    with _one_moment(db):
        counts = db.execute(
            "SELECT scopes.id, scopes.findable_turns, scopes.terms, state.findable_turns"
            " FROM scopes, state WHERE tenant = ? AND user = ?",
            (scope.tenant, scope.user),
        ).fetchone()
        if counts is None:
            return Candidates([], 0, 0.0, {})
        scope_id, turn_count, term_count, index_size = counts
        frequency = _frequencies(db, scope_id, terms)
        weights = _weights(frequency, turn_count=turn_count, index_size=index_size)
        return Candidates(
            turns=_hits(db, scope_id, weights, limit=max(0, limit)),
            turn_count=turn_count,
            mean_length=term_count / turn_count if turn_count else 0.0,
            frequency=frequency,
        )


@contextmanager
def _one_moment(db: sqlite3.Connection) -> Generator[None]:
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")


def _frequencies(db: sqlite3.Connection, scope: int, terms: Sequence[str]) -> dict[str, int]:
    by_token = {token(scope, term): term for term in terms}
    asked = orjson.dumps(list(by_token)).decode()
    found = cast(dict[str, int], fetch_json(db.execute(_FREQUENCIES, (asked,))))
    return {by_token[each]: turn_count for each, turn_count in found.items()}


def _weights(frequency: Mapping[str, int], *, turn_count: int, index_size: int) -> dict[str, float]:
    """By what to multiply FTS5's score of each term worth searching for.

    FTS5 weighs a term by its frequency among the turns of all scopes (`index_size`); this makes it
    the weight within the scope, so that nobody's order depends on how many others there are. Its
    formula: https://www.sqlite.org/fts5.html#the_bm25_function.
    """
    weights: dict[str, float] = {}
    for term in searchable_terms(frequency, turn_count=turn_count):
        count = frequency[term]
        theirs = _fts5_idf(count, index_size)
        weights[term] = inverse_document_frequency(count, turn_count=turn_count) / theirs
    return weights


def _fts5_idf(count: int, index_size: int) -> float:
    ratio = (index_size - count + 0.5) / (count + 0.5)
    return math.log(ratio) if ratio > 1 else 1e-6


def _hits(
    db: sqlite3.Connection, scope: int, weights: Mapping[str, float], *, limit: int
) -> list[Turn]:
    if not weights:
        return []
    query = _HITS % " UNION ALL ".join([_HITS_OF_A_TERM] * len(weights))
    searches = [(weight, f'"{token(scope, term)}"') for term, weight in weights.items()]
    values = (*chain.from_iterable(searches), limit, scope)
    rows = cast(list[list[Any]], fetch_json(db.execute(query, values)))
    rows.sort(key=lambda row: (row[0], -row[1]))
    return [
        to_turn(SessionId(session), tuple(row), to_terms(terms))
        for _, _, session, terms, *row in rows
    ]
