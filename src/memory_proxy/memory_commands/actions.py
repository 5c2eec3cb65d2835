"""What each `memory-proxy memory ...` does, and what it prints."""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import orjson

from memory_proxy.core.errors import ConfigurationError, NotFound
from memory_proxy.memory_commands.connection import Calls, Proxy
from memory_proxy.memory_commands.receipts import receipt_text
from memory_proxy.memory_commands.tables import counted, items_table

_CHUNK_BYTES = 65_536
_STANDARD = Path("-")


def run_action(options: argparse.Namespace, proxy: Proxy) -> int:
    """The exit code. Raises MemoryProxyError."""
    try:
        return asyncio.run(_run(options, proxy))
    except BrokenPipeError:  # who reads the output has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def _run(options: argparse.Namespace, proxy: Proxy) -> int:
    async with proxy.calls() as calls:
        match options.action:
            case "search":
                return await _search(options, calls)
            case "list":
                return await _list(options, calls)
            case "add":
                return await _add(options, calls)
            case "why":
                return await _why(options, calls)
            case "export":
                return await _export(options, calls)
            case "import":
                return await _import(options, calls)
            case _:
                return await _change(options, calls)


async def _search(options: argparse.Namespace, calls: Calls) -> int:
    asked = {"query": options.query, "limit": options.limit}
    found = await calls.ask("POST", "/memory/search", json=asked)
    _print(options, found, items_table(found["results"], width=_terminal_width()))
    return 0


async def _list(options: argparse.Namespace, calls: Calls) -> int:
    query = {"limit": str(options.limit)}
    if options.session is not None:
        query["session"] = options.session
    found = await calls.ask("GET", "/memory/items", params=query)
    _print(options, found, items_table(found["items"], width=_terminal_width()))
    return 0


async def _why(options: argparse.Namespace, calls: Calls) -> int:
    if options.trace is not None:
        receipt = await calls.ask("GET", f"/memory/traces/{quote(options.trace, safe='')}")
    else:
        newest = await calls.ask("GET", "/memory/traces", params={"limit": "1"})
        if not newest["traces"]:
            raise NotFound("no receipts: nothing was asked since the proxy started")
        (receipt,) = newest["traces"]
    _print(options, receipt, receipt_text(receipt))
    return 0


async def _add(options: argparse.Namespace, calls: Calls) -> int:
    text = sys.stdin.read() if options.text == "-" else options.text
    item = await calls.ask("POST", "/memory/items", json={"text": text, "pinned": options.pin})
    _print(options, item, f"added {item['id']}\n")
    return 0


async def _change(options: argparse.Namespace, calls: Calls) -> int:
    """Forget, pin or unpin each of some items; one that is not there keeps none of the others."""
    answers: list[Any] = []
    for id_ in options.ids:
        try:
            answers.append(await _change_one(options.action, id_, calls))
        except NotFound:
            sys.stderr.write(f"memory-proxy: {id_}: no such item\n")
    shown = (f"{_PAST[options.action]} {_what_happened(answer)}\n" for answer in answers)
    _print(options, answers, "".join(shown))
    return 0 if len(answers) == len(options.ids) else 1


_PAST = {"forget": "forgot", "pin": "pinned", "unpin": "unpinned"}


async def _change_one(action: str, id_: str, calls: Calls) -> Any:
    path = f"/memory/items/{quote(id_, safe='')}"
    if action == "forget":
        return await calls.ask("DELETE", path)
    return await calls.ask("PATCH", path, json={"pinned": action == "pin"})


def _what_happened(answer: dict[str, Any]) -> str:
    kinds = {"index_entries": "index entry", "ledger_entries": "note", "vectors": "vector"}
    gone = [counted(answer[key], word) for key, word in kinds.items() if answer.get(key)]
    return f"{answer['id']}, with {' and '.join(gone)}" if gone else str(answer["id"])


async def _export(options: argparse.Namespace, calls: Calls) -> int:
    with _written(options.file) as file:
        async with calls.export() as chunks:
            async for chunk in chunks:
                file.write(chunk)
    return 0


async def _import(options: argparse.Namespace, calls: Calls) -> int:
    with _read(options.file) as file:
        done = await calls.import_lines(_chunks(file))
    for refused in done["refused_lines"]:
        sys.stderr.write(f"memory-proxy: line {refused['line']}: {refused['reason']}\n")
    kinds = {"imported": "imported", "unchanged": "already there", "refused": "refused"}
    text = ", ".join(f"{word} {done[kind]}" for kind, word in kinds.items())
    _print(options, done, f"{text}\n")
    return 1 if done["refused"] else 0


def _terminal_width() -> int | None:
    """None: no person looks at it, and a program wants it whole."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _print(options: argparse.Namespace, answer: Any, text: str) -> None:
    if options.json:
        text = orjson.dumps(answer, option=orjson.OPT_INDENT_2).decode() + "\n"
    sys.stdout.write(text)
    sys.stdout.flush()


@contextmanager
def _written(path: Path) -> Generator[BinaryIO]:
    """A file that is there when all of it is, for its owner only."""
    if path == _STANDARD:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f"{path.name}.part")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "wb") as file:
            yield file
        draft.replace(path)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}") from error
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _read(path: Path) -> Generator[BinaryIO]:
    if path == _STANDARD:
        yield sys.stdin.buffer
        return
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    with file:
        yield file


async def _chunks(file: BinaryIO) -> AsyncGenerator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
