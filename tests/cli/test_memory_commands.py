"""`memory-proxy memory ...` against a proxy that runs."""

import asyncio
import io
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memory_proxy.cli import main
from memory_proxy.config.table import TABLE
from memory_proxy.core.types import Scope
from memory_proxy.memory_commands.tables import items_table
from memory_proxy.processes import ports
from memory_proxy.processes.serving import ServerOptions
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.security.guard import GuardedHttpProtocol, guarded_protocol
from memory_proxy.security.keys import KeyRing
from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.web.access import Access
from memory_proxy.web.app import create_app
from tests.examples import ANN, NOON, an_exchange, assistant, user
from tests.serving import served

KEY = "sk-test-of-the-commands"
MINE = Scope(ANN.tenant, "default")  # type: ignore[arg-type]
ACTIONS = (
    ["search", "tea"], ["list"], ["add", "tea"], ["forget", "e1.0"], ["pin", "e1.0"],
    ["unpin", "e1.0"], ["export"], ["import", "some.jsonl"],
)  # fmt: skip


@dataclass
class Shell:
    """Runs commands in a folder whose home has the key of the proxy."""

    folder: Path
    port: int
    store: MemoryStore
    capsys: pytest.CaptureFixture[str]

    async def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code, standard output, standard error."""
        where = ("--port", str(self.port), "--home", str(self.folder / "home"))
        code = await asyncio.to_thread(main, ["memory", *arguments, *where])
        return code, *self.capsys.readouterr()

    async def json(self, *arguments: str) -> Any:
        code, out, err = await self.run(*arguments, "--json")
        assert (code, err) == (0, "")
        return json.loads(out)

    async def texts(self, scope: Scope = MINE) -> list[str]:
        page = await self.store.turns(scope, limit=999, oldest_first=True)
        return [turn.message.text for turn in page.turns]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, and an environment that says nothing."""
    monkeypatch.chdir(tmp_path)
    for setting in TABLE.values():
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "master.key").write_text(f"{KEY}\n")
    return tmp_path


@pytest.fixture
async def shell(folder: Path, capsys: pytest.CaptureFixture[str]) -> AsyncGenerator[Shell]:
    store = InMemoryStore()
    app = create_app(MemoryRouter(), "http://127.0.0.1:1", store=store, access=Access(KeyRing(KEY)))
    async with served(app) as url:
        yield Shell(folder, int(url.rpartition(":")[2]), store, capsys)


async def remembered(shell: Shell, *texts: str) -> list[str]:
    """Their ids."""
    for number, text in enumerate(texts):
        name = f"{number:032x}"
        await shell.store.append(an_exchange(user(text), scope=MINE, name=name, minute=number))
    return [f"{number:032x}.0" for number in range(len(texts))]


async def test_a_note_is_added_listed_and_found(shell: Shell) -> None:
    code, out, err = await shell.run("add", "My sister Marta plays the cello")
    assert (code, out.split()[0], err) == (0, "added", "")
    id_ = out.split()[1]
    _, listed, _ = await shell.run("list")
    _, found, _ = await shell.run("search", "Marta cello")

    assert listed.splitlines()[0].split() == ["ID", "DATE", "(UTC)", "ROLE", "SESSION", "TEXT"]
    assert listed.splitlines()[1].split()[0] == id_
    assert listed.splitlines()[1].endswith("user    notes    My sister Marta plays the cello")
    assert found.splitlines()[0].split()[0] == "SCORE"
    assert found.splitlines()[1].split()[1] == id_


async def test_a_note_comes_from_standard_input(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("two\nlines"))
    await shell.run("add", "-")

    assert await shell.texts() == ["two\nlines"]


async def test_every_answer_comes_as_json_too(shell: Shell) -> None:
    item = await shell.json("add", "tea", "--pin")
    assert (item["text"], item["pinned"]) == ("tea", True)
    assert (await shell.json("list"))["items"] == [item]
    assert (await shell.json("search", "tea"))["results"][0]["id"] == item["id"]
    assert await shell.json("unpin", item["id"]) == [{**item, "pinned": False}]
    assert await shell.json("forget", item["id"]) == [
        {
            "id": item["id"],
            "turns": 1,
            "index_entries": 1,
            "ledger_entries": 0,
            "vectors": 0,
            "traces": 0,
        }
    ]
    assert await shell.json("list") == {"items": [], "next_after": None}


async def test_an_empty_memory_says_nothing(shell: Shell) -> None:
    assert await shell.run("list") == (0, "nothing\n", "")
    assert await shell.run("search", "tea") == (0, "nothing\n", "")


async def test_lists_have_a_length_and_a_session(shell: Shell) -> None:
    await remembered(shell, "one", "two", "three")
    await shell.run("add", "a note")
    assert len((await shell.json("list", "--limit", "2"))["items"]) == 2
    _, out, _ = await shell.run("list", "--session", "notes")

    assert [line.split()[-1] for line in out.splitlines()[1:]] == ["note"]


async def test_a_table_shows_what_is_pinned_and_nothing_that_moves_a_cursor(
    shell: Shell,
) -> None:
    [id_] = await remembered(shell, "red \x1b[31m\ttext\r\n\u202e of\x00 many " + "words " * 50)
    await shell.run("pin", id_)
    _, out, _ = await shell.run("list")
    _, row = out.splitlines()

    assert "2030-01-01 12:00  user  *  s1" in row
    assert row.endswith("red [31m text of many" + " words" * 50)
    assert out.isascii()


async def test_a_table_fits_a_terminal(shell: Shell) -> None:
    await remembered(shell, "many " + "words " * 50, "few")
    items = (await shell.json("list"))["items"]
    head, few, many = items_table(items, width=100).splitlines()

    assert (len(many), len(few) < 100, many[-1]) == (100, True, "…")
    assert head.index("TEXT") == few.index("few") == many.index("many")
    assert items_table(items, width=10).splitlines()[2].endswith("  many words words wo…")


async def test_items_are_forgotten_wholly(shell: Shell) -> None:
    ids = await remembered(shell, "tea", "coffee", "cocoa")
    code, out, err = await shell.run("forget", ids[0], ids[2])

    assert (code, err) == (0, "")
    assert out.splitlines() == [f"forgot {id_}, with 1 index entry" for id_ in (ids[0], ids[2])]
    assert await shell.texts() == ["coffee"]


@pytest.mark.parametrize("action", ["forget", "pin", "unpin"])
async def test_an_unknown_id_is_named_and_the_others_are_done(shell: Shell, action: str) -> None:
    ids = await remembered(shell, "tea")
    code, out, err = await shell.run(action, "no/such.0", ids[0], "e1.x")

    assert code == 1
    assert out.split()[1].rstrip(",") == ids[0]
    assert err.splitlines() == [
        "memory-proxy: no/such.0: no such item", "memory-proxy: e1.x: no such item",
    ]  # fmt: skip


async def test_a_memory_is_exported_and_imported_for_another_user(shell: Shell) -> None:
    said = an_exchange(user("tea"), assistant("noted"), scope=MINE, name="a" * 32)
    await shell.store.append(said)
    assert await shell.run("export", "backup.jsonl") == (0, "", "")
    code, out, err = await shell.run("import", "backup.jsonl", "--user", "ann")
    again = await shell.json("import", "backup.jsonl", "--user", "ann")

    assert (code, out, err) == (0, "imported 2, already there 0, refused 0\n", "")
    assert (again["imported"], again["unchanged"]) == (0, 2)
    assert await shell.texts(ANN) == ["tea", "noted"]
    backup = shell.folder / "backup.jsonl"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert len(backup.read_bytes().splitlines()) == 2


async def test_a_pipe_takes_an_export_into_an_import(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    await remembered(shell, "tea")
    _, out, _ = await shell.run("export")
    assert json.loads(out)["text"] == "tea"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(out.encode()), "utf-8"))
    await shell.run("import", "-", "--user", "ann")

    assert await shell.texts(ANN) == ["tea"]


async def test_a_broken_line_is_told_by_its_number_and_ends_with_1(shell: Shell) -> None:
    line = json.dumps({"session": "s", "role": "user", "text": "tea"})
    (shell.folder / "some.jsonl").write_text(f"{line}\n{{\n")
    code, out, err = await shell.run("import", "some.jsonl")

    assert (code, out) == (1, "imported 1, already there 0, refused 1\n")
    assert err.startswith("memory-proxy: line 2: Invalid JSON")
    assert await shell.texts() == ["tea"]


# What goes wrong


@pytest.mark.parametrize("arguments", ACTIONS, ids=lambda each: each[0])
async def test_a_proxy_that_does_not_run_is_said_to_be_with_the_cure(
    shell: Shell, arguments: list[str]
) -> None:
    (shell.folder / "some.jsonl").write_text("{}\n")
    shell.port = ports.free_port()
    code, out, err = await shell.run(*arguments)

    assert (code, out) == (3, "")
    assert f"no proxy answers at http://127.0.0.1:{shell.port}" in err
    assert "memory-proxy up" in err


@pytest.mark.parametrize("arguments", ACTIONS, ids=lambda each: each[0])
async def test_a_wrong_key_is_said_to_be_wrong_and_never_shown(
    shell: Shell, arguments: list[str]
) -> None:
    (shell.folder / "some.jsonl").write_text("{}\n")
    (shell.folder / "home" / "master.key").write_text("sk-another\n")
    code, out, err = await shell.run(*arguments)

    assert (code, out) == (2, "")
    assert "does not take this key" in err
    assert "sk-another" not in err
    assert await shell.texts() == []


async def test_without_a_key_it_says_where_keys_come_from(shell: Shell) -> None:
    (shell.folder / "home" / "master.key").unlink()
    code, _, err = await shell.run("list")

    assert code == 2
    assert f"{shell.folder}/home/master.key is not there" in err
    assert not (shell.folder / "home" / "master.key").exists()


async def test_a_configured_key_is_taken(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    (shell.folder / "home" / "master.key").unlink()
    monkeypatch.setenv("LITELLM_MASTER_KEY", KEY)

    assert (await shell.run("list"))[0] == 0


async def test_settings_that_concern_others_keep_nobody_from_his_memory(shell: Shell) -> None:
    (shell.folder / "config.yaml").write_text("model_list: []\n")

    assert (await shell.run("list"))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["list", "--limit", "0"], "limit"),
        (["search", "tea", "--limit", "1000"], "limit"),
        (["list", "--user", "two words"], "--user"),
        (["list", "--user", ""], "--user"),
        (["add", " "], "text"),
        (["import", "absent.jsonl"], "cannot read absent.jsonl"),
        (["import", "."], "cannot read ."),
        (["export", "absent/file.jsonl"], "cannot write absent/file.jsonl"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
async def test_a_wrong_argument_is_named_and_ends_with_2(
    shell: Shell, arguments: list[str], named: str
) -> None:
    code, out, err = await shell.run(*arguments)

    assert (code, out) == (2, "")
    assert named in err


async def test_a_wrong_port_is_named(shell: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert await asyncio.to_thread(main, ["memory", "list", "--port", "none"]) == 2
    assert "--port: 'none'" in capsys.readouterr().err


async def test_something_else_that_answers_is_no_proxy(shell: Shell) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 no\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        shell.port = other.sockets[0].getsockname()[1]
        code, _, err = await shell.run("list")

    assert code == 3
    assert "is it a memory proxy?" in err


async def test_an_export_that_breaks_off_leaves_the_old_file_as_it_is(shell: Shell) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n")
        await writer.drain()
        writer.close()

    backup = shell.folder / "backup.jsonl"
    backup.write_text("whole")
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as other:
        shell.port = other.sockets[0].getsockname()[1]
        code, _, err = await shell.run("export", "backup.jsonl")

    assert (code, backup.read_text()) == (3, "whole")
    assert "broke off" in err
    assert sorted(path.name for path in shell.folder.iterdir()) == ["backup.jsonl", "home"]


# Whose


async def test_one_users_commands_never_reach_anothers_items(shell: Shell) -> None:
    [id_] = await remembered(shell, "the canary")
    for action in ("forget", "pin", "unpin"):
        code, out, _ = await shell.run(action, id_, "--user", "bob")
        assert (code, "canary" in out) == (1, False)
    for arguments in (["list"], ["search", "canary"], ["export"]):
        _, out, _ = await shell.run(*arguments, "--user", "bob")
        assert out in ("nothing\n", "")

    assert await shell.texts() == ["the canary"]
    assert await shell.store.pinned(MINE, limit=9) == []


async def test_the_configured_header_and_default_user_are_used(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a pattern would take the command's own client for somebody else."""
    mappings = {
        "custom_header": "x-whose",
        "default_user_id": "owner",
        "header_patterns": [{"header": "user-agent", "pattern": ".", "user_id": "robot"}],
    }
    (folder / "config.yaml").write_text(json.dumps({"user_id_mappings": mappings}))
    store = InMemoryStore()
    router = MemoryRouter.from_config({"user_id_mappings": mappings})
    app = create_app(router, "http://127.0.0.1:1", store=store, access=Access(KeyRing(KEY)))
    options = ServerOptions(guarded_protocol(identity_headers=["x-whose"]), drain_s=5)
    async with served(app, options) as url:
        shell = Shell(folder, int(url.rpartition(":")[2]), store, capsys)
        await shell.run("add", "tea")
        await shell.run("add", "coffee", "--user", "ann")

    assert await shell.texts(Scope(ANN.tenant, "owner")) == ["tea"]  # type: ignore[arg-type]
    assert await shell.texts(ANN) == ["coffee"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
async def test_a_proxy_with_a_certificate_of_its_own_is_trusted_by_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("own", "other"):
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes",
             "-subj", "/CN=proxy.example", "-keyout", f"{name}.key", "-out", f"{name}.pem"],
            check=True, capture_output=True,
        )  # fmt: skip
    app = create_app(MemoryRouter(), "http://127.0.0.1:1", access=Access(KeyRing(KEY)))
    options = ServerOptions(
        GuardedHttpProtocol, drain_s=5, tls_cert=Path("own.pem"), tls_key=Path("own.key")
    )
    ended: list[tuple[int, str]] = []
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(served(app, options))
        shell = Shell(folder, int(url.rpartition(":")[2]), InMemoryStore(), capsys)
        for name in ("own", "other"):
            settings = {"memory_proxy": {"tls_cert": f"{name}.pem", "tls_key": f"{name}.key"}}
            (folder / "config.yaml").write_text(json.dumps(settings))
            code, _, err = await shell.run("list")
            ended.append((code, err))

    assert ended[0] == (0, "")
    assert ended[1][0] == 3
    assert "does not show the certificate" in ended[1][1]


# Help


@pytest.mark.parametrize("arguments", [[], *([name] for name, *_ in ACTIONS)], ids=str)
def test_help_shows_an_example(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["memory", *arguments, "--help"])
    out = capsys.readouterr().out

    assert ended.value.code == 0
    assert "memory-proxy memory" in out
    assert ("exit codes:" in out) == (not arguments)


@pytest.mark.parametrize("arguments", [[], ["rename"], ["forget"], ["add"], ["list", "--demo"]])
def test_an_argument_that_is_missing_or_unknown_ends_with_2(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["memory", *arguments])

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


async def test_dates_are_as_they_were_said(shell: Shell) -> None:
    await remembered(shell, "tea")
    [item] = (await shell.json("list"))["items"]

    assert item["at"] == NOON.isoformat().replace("+00:00", "Z")


async def test_who_reads_only_the_beginning_gets_no_traceback(shell: Shell) -> None:
    """As `memory-proxy memory export | head` does."""
    await remembered(shell, *(f"tea {number}" * 1_000 for number in range(30)))
    for action in ("export", "list"):
        reading, writing = os.pipe()
        os.close(reading)
        command = [sys.executable, "-m", "memory_proxy", "memory", action]
        process = await asyncio.create_subprocess_exec(
            *command, "--port", str(shell.port), "--home", "home",
            stdout=writing, stderr=subprocess.PIPE,
        )  # fmt: skip
        os.close(writing)
        _, err = await process.communicate()

        assert (process.returncode, err) == (0, b"")
