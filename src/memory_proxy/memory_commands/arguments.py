"""The arguments of `memory-proxy memory ...`."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from memory_proxy.core.errors import MemoryProxyError

# What talks to the proxy is imported when a command runs: `--help` needs none of it.
if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]  # pyright: ignore[reportPrivateUsage]

_EXAMPLES = """\
examples:
  memory-proxy memory search "where does my sister live"
  memory-proxy memory list --limit 50 --session my-session
  memory-proxy memory add --pin "I am allergic to walnuts"
  memory-proxy memory forget 8c1f0b6e2d5a47f39b0e6c7d1a2f3b4c.0
  memory-proxy memory export backup.jsonl
  memory-proxy memory import --user ann backup.jsonl

The proxy must run. Its address and its key come from the same settings as its own: a proxy that
was started with --home, --port or --config is found by giving the same.

exit codes:
  0  all went well
  1  an id is unknown, or a line of an import was refused; all others were done
  2  an argument, a setting or the key is wrong
  3  the proxy does not run, or could not do it
"""

_IDS = "as `list` and `search` show them"


def add_memory(
    commands: "Commands", add_settings: Callable[[argparse.ArgumentParser], None]
) -> None:
    """`add_settings` gives a command the options that say where the proxy is."""
    memory = commands.add_parser(
        "memory",
        help="search, list, add, forget, pin, export and import what is remembered",
        description="What is remembered of one user.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    actions = memory.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        added = actions.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=_example_of(name),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        added.add_argument("--user", metavar="USER", help="whose memory. Default: the default user")
        if name != "export":
            added.add_argument("--json", action="store_true", help="the answer as JSON")
        add_settings(added)
        return added

    search = action("search", "find what was said about something")
    search.add_argument("query", metavar="QUERY")
    search.add_argument("--limit", type=int, default=10, metavar="COUNT", help="default: 10")
    listing = action("list", "show the newest items")
    listing.add_argument("--limit", type=int, default=20, metavar="COUNT", help="default: 20")
    listing.add_argument("--session", metavar="SESSION", help="only those of one session")
    add = action("add", "write a note")
    add.add_argument("text", metavar="TEXT", help="`-` reads it from standard input")
    add.add_argument("--pin", action="store_true", help="to be recalled always")
    for name, summary in (
        ("forget", "delete items wholly: also where they are indexed, embedded and quoted"),
        ("pin", "have items recalled always"),
        ("unpin", "have items recalled only where they matter"),
    ):
        action(name, summary).add_argument("ids", nargs="+", metavar="ID", help=_IDS)
    export = action("export", "write all items, an item a line (JSONL)")
    export.add_argument(
        "file", nargs="?", default=Path("-"), type=Path, metavar="FILE",
        help="default: standard output",
    )  # fmt: skip
    bring = action("import", "read items, an item a line (JSONL), each only once")
    bring.add_argument("file", type=Path, metavar="FILE", help="`-` is standard input")


def add_why(commands: "Commands", add_settings: Callable[[argparse.ArgumentParser], None]) -> None:
    why = commands.add_parser(
        "why",
        help="show what was recalled for a request, and why",
        description="Shows the receipt of a request: what was recalled, why, and what was left out."
        " An answer carries its id as x-memory-trace; without one the newest is shown.",
        epilog="example:\n  memory-proxy why 5f2c8a1b9d3e4f60",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    why.set_defaults(action="why")
    why.add_argument("trace", nargs="?", metavar="TRACE", help="the id of the receipt")
    why.add_argument("--user", metavar="USER", help="whose memory. Default: the default user")
    why.add_argument("--json", action="store_true", help="the answer as JSON")
    add_settings(why)


def run_memory(options: argparse.Namespace, overrides: dict[str, object]) -> int:
    """The exit code. Raises MemoryProxyError."""
    from memory_proxy.memory_commands.actions import run_action
    from memory_proxy.memory_commands.connection import find_proxy

    return run_action(options, find_proxy(overrides, user=options.user))


def exit_code(error: MemoryProxyError) -> int:
    from memory_proxy.core.errors import NotFound, ProcessError

    if isinstance(error, NotFound):
        return 1
    return 3 if isinstance(error, ProcessError) else 2


def _example_of(name: str) -> str:
    shown = [line for line in _EXAMPLES.splitlines() if f" memory {name} " in line]
    return "\n".join(["example:", *shown]) if shown else ""
