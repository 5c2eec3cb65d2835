"""Single turns in a SQLite file: nothing of a deleted or replaced one is left in its bytes."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from memory_proxy.core.types import Message, Role
from memory_proxy.stores import sqlite_schema
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.stores.sqlite_file import prepare
from tests.stores.exchanges import ANN, BOB, becomes_true, exchange, exchange_of, texts
from tests.stores.items_contract import MODEL, all_texts, edited, key, quoting

VECTOR = np.frombuffer(b"canaryvector", np.int8)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


def canaries(path: Path) -> set[bytes]:
    on_disk = b"".join(file.read_bytes() for file in path.parent.iterdir())
    return {word for word in (b"canary", b"quetzal") if word in on_disk}


async def nothing_is_left(path: Path) -> bool:
    return not canaries(path)


async def filled(store: SQLiteStore) -> None:
    """One secret among much else: with a vector, and quoted in another session."""
    filler = [
        exchange(f"f{n}", f"common {n}", of=who, session=f"s{n % 7}")
        for n in range(150) for who in (ANN, BOB)
    ]  # fmt: skip
    secret = exchange_of(
        "e", [Message(Role.USER, "canary1quetzal tells canary2quetzal"), Message(Role.USER, "else")]
    )
    await asyncio.gather(*map(store.append, [*filler[:100], secret, *filler[100:]]))
    [waiting] = [
        one for one in await store.unembedded(MODEL, limit=999) if "canary" in one.text
    ]  # fmt: skip
    await store.put_vectors(MODEL, [waiting], VECTOR.reshape(1, -1))
    for number in range(3):
        await store.append(quoting(f"n{number}", secret.turns[0], session=f"asking{number}"))


async def test_a_deleted_turn_is_out_of_every_byte(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await filled(store)
        assert len(canaries(path)) == 2

        forgotten = await store.delete_turn(ANN, key("e"))
        assert forgotten is not None
        assert (forgotten.index_entries, forgotten.ledger_entries, forgotten.vectors) == (1, 3, 1)
        await becomes_true(lambda: nothing_is_left(path))
        assert len(await all_texts(store)) == 151


async def test_the_words_before_an_edit_are_out_of_every_byte(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await filled(store)
        turn = await store.turn(ANN, key("e"))
        assert turn is not None
        await store.replace_turn(ANN, edited(turn, "harmless"))

        await becomes_true(lambda: nothing_is_left(path))
        assert "harmless" in await all_texts(store)


async def test_notes_that_quote_a_forgotten_session_are_out_of_every_byte(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await filled(store)
        await store.delete_session(ANN, exchange("e").session)

        await becomes_true(lambda: nothing_is_left(path))


async def test_a_deletion_is_seen_after_the_store_was_left(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await filled(store)
        await store.delete_turn(ANN, key("e"))

    assert canaries(path) == set()
    async with SQLiteStore(path) as store:
        assert await store.turn(ANN, key("e")) is None


async def test_a_file_of_before_keeps_its_turns_and_forgets_notes_of_unknown_source(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as before:
        before.setattr(sqlite_schema, "SCHEMA_VERSION", 3)
        prepare(path)
    with closing(sqlite3.connect(path)) as db:
        db.executescript("""
            INSERT INTO scopes VALUES (1, 'acme', 'ann', 0, 0, 0);
            INSERT INTO sessions VALUES (1, 1, 'first', 0, 0, 1);
            INSERT INTO exchanges VALUES (1, 1, 1, 'e', 0, 0, 3);
            INSERT INTO turns VALUES (1, 1, 0, 'user', 'tea', NULL, NULL, 0, NULL);
            INSERT INTO ledger VALUES (1, 'asking', 'm', 'note', 0);
        """)

    async with SQLiteStore(path) as store:
        assert await all_texts(store) == ["tea"]
        assert await store.ledger(ANN, quoting("n").session) == {}
        assert await store.pin(ANN, key("e"), pinned=True)
        assert texts(await store.pinned(ANN, limit=9)) == ["tea"]
