"""A SQLite file made ready: private, ours, sound, of today's schema."""

import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from memory_proxy.core.errors import StoreUnavailable
from memory_proxy.stores.sqlite_schema import check_origin, migrate

_COMPANIONS: Final = ("", "-wal", "-shm")
_FOR_ALL: Final = (
    "foreign_keys = ON",
    "temp_store = MEMORY",  # no text in temporary files
    "cache_size = -8000",  # KiB
)
_FOR_READING: Final = ("query_only = ON",)
_FOR_WRITING: Final = (
    "synchronous = FULL",
    "fullfsync = ON",  # macOS: fsync alone does not reach the medium
    "secure_delete = ON",
    "wal_autocheckpoint = 400",  # pages; more would keep the writer longer than 50 ms
)
_QUICK_CHECK_MAX_BYTES: Final = 64 * 2**20
"""About 0.1 s. A larger file is found damaged when the damaged part is met."""


def prepare(path: Path) -> tuple[str, ...]:
    """Make `path` a sound store; what an operator should know about it.

    Blocks. A damaged file is moved aside, never deleted. Raises StoreUnavailable, SchemaMismatch.
    """
    with _unavailable(path):
        _make_private(path)
        damage = _damage(path)
        if damage is None:
            _bring_up_to_date(path)
            return ()
        aside = _move_aside(path)
        _make_private(path)
        _bring_up_to_date(path)
        return (f"{path} is damaged ({damage}); it was kept as {aside} and a new one begun",)


def connect(path: Path, *, busy_timeout_s: float, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode. The caller sees to it that one thread at a time uses it."""
    with _unavailable(path):
        db = sqlite3.connect(
            path, timeout=busy_timeout_s, isolation_level=None, check_same_thread=False
        )
        for setting in _FOR_ALL + (_FOR_READING if read_only else _FOR_WRITING):
            db.execute(f"PRAGMA {setting}")
        return db


@contextmanager
def _unavailable(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(
            f"cannot open {path}: {error}; make the file and its directory readable and writable"
            " for this user, or use another path"
        ) from error


def _make_private(path: Path) -> None:
    """Create what is missing. SQLite gives -wal and -shm the mode of the file itself."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    for companion in _companions(path):
        companion.chmod(0o600)


def _damage(path: Path) -> str | None:
    """What is wrong with the file, looking at it only; None: it is sound."""
    try:
        db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        try:
            check_origin(db, path)
            is_small = path.stat().st_size <= _QUICK_CHECK_MAX_BYTES
            verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0] if is_small else "ok"
        finally:
            db.close()
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            return str(error)
        raise
    return None if verdict == "ok" else str(verdict)


def _bring_up_to_date(path: Path) -> None:
    db = connect(path, busy_timeout_s=5, read_only=False)
    try:
        mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreUnavailable(
                f"{path} cannot have a write-ahead log (is it on a network drive?);"
                " put it on a local disk"
            )
        migrate(db)
    finally:
        db.close()


def _move_aside(path: Path) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for companion in _companions(path):
        companion.rename(aside.with_name(aside.name + companion.name.removeprefix(path.name)))
    return aside


def _companions(path: Path) -> list[Path]:
    every = (path.with_name(path.name + suffix) for suffix in _COMPANIONS)
    return [companion for companion in every if companion.exists()]
