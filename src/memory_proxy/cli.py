"""The command line: arguments -> Settings -> what was asked for -> an exit code."""

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from memory_proxy import __version__
from memory_proxy.bench.command import add_bench, run_bench
from memory_proxy.config import examine_settings, load_settings
from memory_proxy.config.report import as_json, as_text
from memory_proxy.config.settings import Group
from memory_proxy.config.table import TABLE, Setting
from memory_proxy.core.errors import MemoryProxyError
from memory_proxy.memory_commands.arguments import add_memory, add_why, exit_code, run_memory

_EXAMPLES = """\
examples:
  memory-proxy up                       LiteLLM and the proxy; clients go to http://127.0.0.1:8764
  memory-proxy up --demo                the same, with a demo model that needs no key
  memory-proxy up --config my.yaml --port 9000
  LITELLM_MASTER_KEY=sk-... memory-proxy serve --litellm-url http://litellm.example.com:4000
  memory-proxy check                    every setting, where it came from, and what is wrong
  memory-proxy memory search "my flat"  what is remembered about something

Settings come from the command line, else the environment and .env, else config.yaml. Keys of
providers go into the environment or .env: OPENAI_API_KEY, ANTHROPIC_API_KEY, GEMINI_API_KEY.

exit codes:
  0    all went well (also when stopped by Ctrl-C)
  1    of several things some could not be done (memory)
  2    a setting or an argument is wrong; every problem is named
  3    a process could not be started or kept, or does not run
  130  stopped by Ctrl-C before it could end cleanly
"""

# Each command, what it does, and the settings that mean nothing to it.
_COMMANDS = (
    ("up", "launch LiteLLM, and the memory proxy in front of it", {"litellm_base_url"}),
    (
        "serve",
        "the memory proxy alone, in front of a LiteLLM that already runs",
        {"litellm_port", "litellm_command", "litellm_workers", "demo"},
    ),
    ("check", "show every setting, where it came from, and what is wrong", frozenset[str]()),
)

_WHERE_IT_IS = {"host", "port", "home", "config_path"}
"""What tells a command where the proxy is that runs."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code."""
    options = _parser().parse_args(arguments)
    overrides = {name: value for name, value in vars(options).items() if name in TABLE}
    try:
        return _run(options, overrides)
    except MemoryProxyError as error:
        print(f"memory-proxy: {error}", file=sys.stderr)
        return exit_code(error)
    except KeyboardInterrupt:
        return 130


def _run(options: argparse.Namespace, overrides: dict[str, object]) -> int:
    if options.command == "check":
        return _check(overrides, as_machine=options.json)
    if options.command == "bench":
        print(run_bench(options))
        return 0
    if options.command in ("memory", "why"):
        return run_memory(options, overrides)
    launches = options.command == "up"
    settings = load_settings(overrides, launch_litellm=launches)
    for warning in settings.warnings:
        print(f"memory-proxy: warning: {warning}", file=sys.stderr)
    # Imported here: `check` and `--help` need no web server, and start three times faster without.
    from memory_proxy.start_proxies import run_both, run_memory_proxy

    return run_both(settings) if launches else run_memory_proxy(settings)


def _check(overrides: dict[str, object], *, as_machine: bool) -> int:
    examination = examine_settings(overrides)
    if as_machine:
        print(json.dumps(as_json(examination), indent=2))
    else:
        print(as_text(examination))
    return 2 if examination.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="memory-proxy",
        description="Any LLM client gets a memory by changing one URL.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"memory-proxy {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, summary, without in _COMMANDS:
        command = commands.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog="Each option is a setting; docs/reference/CONFIGURATION.md has its other names.",
            allow_abbrev=False,
        )
        if name == "check":
            command.add_argument("--json", action="store_true", help="the same as JSON")
        _add_options(command, without=without)
    add_bench(commands)
    where_it_is = partial(_add_options, without=TABLE.keys() - _WHERE_IT_IS)
    add_memory(commands, where_it_is)
    add_why(commands, where_it_is)
    return parser


def _add_options(command: argparse.ArgumentParser, *, without: Collection[str]) -> None:
    for group in Group:
        options = command.add_argument_group(group)
        for setting in TABLE.values():
            if setting.group == group and setting.flag and setting.name not in without:
                options.add_argument(setting.flag, dest=setting.name, **_option(setting))


def _option(setting: Setting) -> dict[str, Any]:
    """Values stay text: the settings check them, and name all problems at once."""
    meaning = f"{setting.description} Default: {setting.default}.".replace("%", "%%")
    if setting.is_switch:
        return {"help": meaning, "action": argparse.BooleanOptionalAction, "default": None}
    placeholder = "|".join(setting.choices) or setting.name.rpartition("_")[2].upper()
    return {"help": meaning, "metavar": placeholder}
