import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from memory_proxy.core.errors import SchemaMismatch, StoreError, StoreUnavailable
from memory_proxy.core.types import Message, Role, SessionId, ToolCall
from memory_proxy.stores.sqlite import SQLiteStore
from tests.stores.disks import as_nobody, limited_disk
from tests.stores.exchanges import (
    ANN,
    BOB,
    SESSION,
    becomes_true,
    exchange,
    exchange_of,
    findable,
    minutes,
    scope,
    texts,
)

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "memory.db"


# What lasts


async def test_what_was_stored_is_there_after_reopening(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("e", "tea", "cake"))
    async with SQLiteStore(path) as store:
        assert store.notices == ()
        assert texts(await store.history(ANN, SESSION, limit=9)) == ["tea", "cake"]
        assert await findable(store) == ["tea", "cake"]


async def test_twenty_kills_while_writing_lose_no_acknowledged_exchange(path: Path) -> None:
    acknowledged: list[str] = []
    for round_ in range(20):
        with writing_process(path, "append", f"round{round_}") as process:
            assert process.stdout
            acknowledged += [process.stdout.readline().strip() for _ in range(10 + 7 * round_)]
            process.send_signal(signal.SIGKILL)
            lines = process.stdout.read().splitlines(keepends=True)
            acknowledged += [line.strip() for line in lines if line.endswith("\n")]

    async with SQLiteStore(path) as store:
        turns = await store.history(ANN, SESSION, limit=999_999)
        found = await findable(store, page=2_000)

    assert store.notices == ()
    assert len(acknowledged) > 1_000
    assert set(acknowledged) <= {turn.exchange for turn in turns}
    assert len(turns) == 2 * len({turn.exchange for turn in turns})
    assert (len(found), found.count("answer")) == (len(turns), len(turns) // 2)


async def test_a_deletion_cut_short_by_a_kill_is_finished_by_the_next_start(path: Path) -> None:
    with writing_process(path, "delete") as process:
        assert process.stdout
        assert process.stdin
        assert process.stdout.readline() == "stored\n"
        with closing(sqlite3.connect(path)) as onlooker:
            process.stdin.write("\n")
            process.stdin.flush()
            await becomes_true(lambda: nothing_is_visible(onlooker))
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert onlooker.execute("SELECT count(*) FROM turns").fetchone()[0] > 0

    async with SQLiteStore(path) as store:
        assert list(await store.history(ANN, SESSION, limit=9)) == []
        assert await findable(store) == []

    assert b"canary" not in bytes_on_disk(path)


async def test_appends_at_once_share_a_commit(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("first"))
        before = commits_in_log(path)
        await asyncio.gather(*(store.append(exchange(f"e{n}")) for n in range(50)))
        commits = commits_in_log(path) - before

    assert 1 <= commits <= 10


async def test_leaving_writes_what_was_accepted(path: Path) -> None:
    async with SQLiteStore(path) as store:
        accepted = [asyncio.ensure_future(store.append(exchange(f"e{n}"))) for n in range(100)]
        await asyncio.sleep(0)
    await asyncio.gather(*accepted)

    async with SQLiteStore(path) as store:
        assert len(await store.history(ANN, SESSION, limit=999)) == 100


async def test_a_closed_store_says_so(path: Path) -> None:
    async with SQLiteStore(path) as store:
        pass

    with pytest.raises(StoreError, match="closed"):
        await store.append(exchange("e"))
    with pytest.raises(StoreError, match="closed"):
        await store.history(ANN, SESSION, limit=9)
    with pytest.raises(StoreError, match="closed"):
        await store.session_count()
    with pytest.raises(StoreError, match="closed"):
        await store.delete_session(ANN, SESSION)


async def test_two_stores_share_a_file(path: Path) -> None:
    async with SQLiteStore(path) as one, SQLiteStore(path) as other:
        await asyncio.gather(
            *(one.append(exchange(f"one{n}", "tea")) for n in range(50)),
            *(other.append(exchange(f"other{n}", "tea")) for n in range(50)),
        )

        assert await findable(one) == ["tea"] * 100
        assert len(await other.history(ANN, SESSION, limit=999)) == 100


# What fails


async def test_an_exchange_that_cannot_be_stored_fails_alone(path: Path) -> None:
    good = [exchange(f"e{n}", f"tea {n}") for n in range(20)]
    bad = exchange("bad", "half a surrogate pair \ud800")
    async with SQLiteStore(path) as store:
        outcomes = await asyncio.gather(
            *map(store.append, [*good[:10], bad, *good[10:]]), return_exceptions=True
        )

        assert [n for n, outcome in enumerate(outcomes) if outcome is not None] == [10]
        assert isinstance(outcomes[10], StoreError)
        expected = [f"tea {n}" for n in range(20)]
        assert texts(await store.history(ANN, SESSION, limit=99)) == expected
        assert await findable(store) == expected


async def test_a_full_queue_refuses_at_once_and_keeps_what_it_accepted(path: Path) -> None:
    async with SQLiteStore(path, capacity=3) as store:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # the writer waits for this lock
            appends = [asyncio.ensure_future(store.append(exchange(f"e{n}"))) for n in range(20)]
            refused, _ = await asyncio.wait(appends, return_when=asyncio.FIRST_EXCEPTION)
            other.execute("ROLLBACK")
        outcomes = await asyncio.gather(*appends, return_exceptions=True)

        assert refused
        stored = {turn.exchange for turn in await store.history(ANN, SESSION, limit=99)}
        accepted = {f"e{n}" for n, outcome in enumerate(outcomes) if outcome is None}
        assert stored == accepted
        assert 3 <= len(accepted) < 20
        for outcome in filter(None, outcomes):
            assert "wait for the disk" in str(outcome)


async def test_reading_goes_on_while_another_process_writes(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("e", "tea"))
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")

            assert texts(await store.history(ANN, SESSION, limit=9)) == ["tea"]
            assert await findable(store) == ["tea"]
            other.execute("ROLLBACK")


async def test_a_full_disk_fails_and_works_again_when_there_is_space(tmp_path: Path) -> None:
    stored: list[str] = []
    with limited_disk(tmp_path) as disk:
        path = disk.directory / "memory.db"
        async with SQLiteStore(path) as store:
            disk.fill_up()
            with pytest.raises(StoreError) as failure:
                await append_until_refused(store, stored)
            assert isinstance(failure.value.__cause__, sqlite3.OperationalError)
            assert len(await store.history(ANN, SESSION, limit=9_999)) == len(stored)

            disk.make_space()
            await store.append(exchange("afterwards"))
        async with SQLiteStore(path) as store:
            assert store.notices == ()
            turns = await store.history(ANN, SESSION, limit=9_999)
            assert [turn.exchange for turn in turns] == [*stored, "afterwards"]


# What is not ours to open


async def test_a_newer_schema_is_refused_and_untouched(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("e"))
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()

    with pytest.raises(SchemaMismatch, match=r"memory\.db has schema 99 .* up to \d+; upgrade"):
        await SQLiteStore(path).__aenter__()

    assert path.read_bytes() == before


async def test_the_database_of_another_program_is_refused_and_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE precious (value TEXT)")
    before = path.read_bytes()

    with pytest.raises(SchemaMismatch, match="another program"):
        await SQLiteStore(path).__aenter__()

    assert path.read_bytes() == before


async def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    async with SQLiteStore(path) as store:
        await store.append(exchange("e"))
        assert store.notices == ()


def overwrite(path: Path) -> None:
    path.write_bytes(b"this is no database, " * 500)


def scribble(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 6] = b"\xff" * 4096 * 4
    path.write_bytes(content)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize("damage", [overwrite, scribble, cut_off])
async def test_a_damaged_file_is_moved_aside_and_a_new_one_begun(
    path: Path, damage: Callable[[Path], None]
) -> None:
    async with SQLiteStore(path) as store:
        await asyncio.gather(*(store.append(exchange(f"e{n}")) for n in range(100)))
    damage(path)
    damaged = path.read_bytes()
    path.with_name("memory.db-wal").write_bytes(b"a log that no longer fits")

    async with SQLiteStore(path) as store:
        [notice] = store.notices
        await store.append(exchange("e", "anew"))
        assert texts(await store.history(ANN, SESSION, limit=9)) == ["anew"]

    [aside] = [file for file in path.parent.glob("memory.db.damaged-*Z")]
    assert aside.read_bytes() == damaged
    assert (path.parent / f"{aside.name}-wal").exists()
    assert str(path) in notice
    assert str(aside) in notice
    async with SQLiteStore(path) as store:
        assert store.notices == ()


async def test_every_damaged_file_is_kept(path: Path) -> None:
    for number in range(3):
        path.write_bytes(b"broken %d " % number * 1_000)
        async with SQLiteStore(path) as store:
            assert len(store.notices) == 1

    assert len(list(path.parent.glob("memory.db.damaged-*Z"))) == 3


async def test_an_unreadable_directory_is_named_with_the_cure(tmp_path: Path) -> None:
    directory = tmp_path / "closed"
    directory.mkdir(mode=0o000)
    path = directory / "memory.db"

    with as_nobody(), pytest.raises(StoreUnavailable) as refusal:
        await SQLiteStore(path).__aenter__()

    assert str(path) in str(refusal.value)
    assert "readable and writable" in str(refusal.value)


async def test_a_read_only_file_is_named_with_the_cure(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    async with SQLiteStore(path):
        pass
    path.chmod(0o444)
    tmp_path.chmod(0o555)

    with as_nobody(), pytest.raises(StoreUnavailable, match=r"memory\.db.*readable and writable"):
        await SQLiteStore(path).__aenter__()


async def test_a_path_that_is_no_file_is_named_with_the_cure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "file" / "memory.db"):
        with pytest.raises(StoreUnavailable, match=str(path)):
            await SQLiteStore(path).__aenter__()


# What others may see


async def test_files_and_the_directory_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "directory" / "memory.db"
    async with SQLiteStore(path) as store:
        await store.append(exchange("e"))

        names = sorted(file.name for file in path.parent.iterdir())
        assert names == ["memory.db", "memory.db-shm", "memory.db-wal"]
        assert {mode(file) for file in path.parent.iterdir()} == {0o600}
        assert mode(path.parent) == 0o700


async def test_a_file_that_others_may_read_is_closed_to_them(path: Path) -> None:
    path.touch(mode=0o644)
    async with SQLiteStore(path):
        assert mode(path) == 0o600


async def test_after_deleting_nothing_is_left_in_the_bytes(path: Path) -> None:
    eve = scope("eve-canaryuser")
    secrets = exchange_of(
        "canaryexchange",
        [
            Message(Role.USER, "canary1quetzal tells canary2quetzal"),
            Message(Role.ASSISTANT, "", (ToolCall("canary-call", "canary-tool", '"canary"'),)),
            Message(Role.TOOL, "canary3quetzal", tool_call_id="canary-call"),
        ],
        of=eve,
        session="canarysession",
    )
    filler = [
        exchange(f"e{n}", f"common words {n}", of=who) for n in range(150) for who in (ANN, BOB)
    ]
    async with SQLiteStore(path) as store:
        await asyncio.gather(*map(store.append, [*filler[:150], secrets, *filler[150:]]))
        assert len(canaries(path)) == 2

        assert await store.delete_session(eve, SessionId("canarysession")) == 3
        await becomes_true(lambda: nothing_is_left(path))
        assert len(await store.history(ANN, SESSION, limit=999)) == 150
        await store.append(secrets)
        assert await store.expire(minutes(1)) == 303
        await becomes_true(lambda: nothing_is_left(path))
        assert b"common" not in bytes_on_disk(path)


async def test_a_deletion_is_out_of_the_bytes_when_the_store_is_left(path: Path) -> None:
    async with SQLiteStore(path) as store:
        many = [exchange(f"e{n}", f"canary{n}quetzal canary") for n in range(200)]
        await asyncio.gather(*map(store.append, many))
        await store.delete_session(ANN, SESSION)

    assert canaries(path) == set()


async def test_who_reads_old_pages_puts_off_their_erasure_and_nothing_else(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("e", "canary"))
        with closing(sqlite3.connect(path, isolation_level=None)) as onlooker:
            onlooker.execute("BEGIN")
            assert onlooker.execute("SELECT count(*) FROM turns").fetchone() == (1,)
            assert await store.delete_session(ANN, SESSION) == 1
            await store.append(exchange("e", "later"))
            assert onlooker.execute("SELECT text FROM turns").fetchone() == ("canary",)

    async with SQLiteStore(path) as store:
        await becomes_true(lambda: nothing_is_left(path))
        assert texts(await store.history(ANN, SESSION, limit=9)) == ["later"]


async def test_a_replaced_partial_answer_is_gone_with_the_rest(path: Path) -> None:
    async with SQLiteStore(path) as store:
        await store.append(exchange("e", "question", "canaryquetzal", partial=True))
        await store.append(exchange("e", "question", "whole"))
        await store.delete_session(ANN, SESSION)

    assert canaries(path) == set()


# Helpers


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def bytes_on_disk(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir())


def canaries(path: Path) -> set[bytes]:
    on_disk = bytes_on_disk(path)
    return {word for word in (b"canary", b"quetzal") if word in on_disk}


async def nothing_is_left(path: Path) -> bool:
    return not canaries(path)


def commits_in_log(path: Path) -> int:
    """A frame of the log that ends a transaction says so (https://www.sqlite.org/fileformat.html)."""
    log = path.with_name(f"{path.name}-wal").read_bytes()
    page_size = int.from_bytes(log[8:12], "big")
    frames = range(32, len(log), 24 + page_size)
    return sum(log[frame + 4 : frame + 8] != b"\0\0\0\0" for frame in frames)


async def nothing_is_visible(db: sqlite3.Connection) -> bool:
    return db.execute("SELECT count(*) FROM sessions WHERE name IS NOT NULL").fetchone() == (0,)


async def append_until_refused(store: SQLiteStore, stored: list[str]) -> None:
    for number in range(1_000):
        words = " ".join(f"word{number}x{n}" for n in range(2_000))
        await store.append(exchange(f"e{number}", words))
        stored.append(f"e{number}")


@contextmanager
def writing_process(path: Path, *arguments: str) -> Generator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.stores.writing_process", str(path), *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
