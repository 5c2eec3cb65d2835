"""Where values come from: the command line, the environment with .env, config.yaml.

Each source gives raw values by the name of their setting; a later source in `Given` replaces an
earlier one. Nothing here knows what a good value is.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from dotenv import dotenv_values

from memory_proxy.config.models import DEMO_URL, as_mapping, references
from memory_proxy.config.table import PREFIX, TABLE
from memory_proxy.config.yaml_file import ConfigFile


@dataclass(frozen=True, slots=True)
class Given:
    """A value as somebody wrote it; relative paths in it begin at `base`."""

    value: object
    source: str
    base: Path


@dataclass(frozen=True, slots=True)
class Environment:
    """The process's variables before those of .env; an empty one counts as not set."""

    process: Mapping[str, str]
    dotenv: Mapping[str, str]

    @property
    def merged(self) -> dict[str, str]:
        return {**self.process, **self.dotenv, **_filled(self.process)}

    def source(self, name: str) -> str | None:
        if self.process.get(name):
            return f"environment {name}"
        return f".env {name}" if self.dotenv.get(name) else None


def read_environment(process: Mapping[str, str], cwd: Path) -> tuple[Environment, list[str]]:
    """The environment, and what is wrong with .env. A `$` in .env stands for itself."""
    path = cwd / ".env"
    try:
        found = dotenv_values(path, interpolate=False) if path.is_file() else {}
    except (OSError, UnicodeDecodeError) as error:
        return Environment(process, {}), [f"{path}: cannot be read: {error}"]
    return Environment(process, {name: value for name, value in found.items() if value}), []


def from_command_line(overrides: Mapping[str, object], cwd: Path) -> dict[str, Given]:
    return {
        name: Given(value, "command line", cwd)
        for name, value in overrides.items()
        if value is not None
    }


def from_environment(environment: Environment, cwd: Path) -> dict[str, Given]:
    """A process variable wins over .env, our own name for a setting over the general one."""
    values = environment.merged
    given: dict[str, Given] = {}
    for setting in TABLE.values():
        sources = [(name, environment.source(name)) for name in setting.variables]
        found = [(name, source) for name, source in sources if source]
        found.sort(key=lambda pair: pair[1].startswith(".env"))
        for name, source in found[:1]:
            given[setting.name] = Given(values[name], source, cwd)
    return given


def from_config_file(config: ConfigFile) -> dict[str, Given]:
    """What the section `memory_proxy` says, and LiteLLM's own place for the master key."""
    given: dict[str, Given] = {}
    for setting in TABLE.values():
        section, _, name = setting.key.partition(".")
        value = as_mapping(config.content.get(section)).get(name)
        if value is not None:
            source = f"{config.path.name}: {setting.key}"
            given[setting.name] = Given(value, source, config.path.parent)
    return given


def config_path(given: Mapping[str, Given], cwd: Path) -> Given:
    """The file that was named, else ./config.yaml, else the one that came with the package."""
    named = given.get("config_path")
    if named:
        return named
    here = cwd / "config.yaml"
    return Given(str(here if here.is_file() else packaged_config()), "default", cwd)


def packaged_config() -> Path:
    """In the wheel beside the code; in a checkout at the root, where LiteLLM users look for it."""
    installed = Path(str(files("memory_proxy"))) / "default_config.yaml"
    return installed if installed.is_file() else installed.parents[2] / "config.yaml"


def unknown_variables(environment: Environment, config: ConfigFile) -> Iterator[str]:
    """Warnings, not problems: environments are shared with programs that we do not know."""
    known = {DEMO_URL, *references(config.content)}
    known.update(name for setting in TABLE.values() for name in setting.variables)
    for name in sorted(environment.merged):
        if name.startswith(PREFIX) and name not in known:
            source = environment.source(name) or f"environment {name}"
            yield f"{source}: no such setting{nearest(name, known)}"


def unknown_keys(config: ConfigFile) -> Iterator[str]:
    """LiteLLM ignores sections that it does not know, so a misspelt one of ours goes unnoticed."""
    ours = ("memory_proxy", "user_id_mappings")
    for section in config.content:
        if section not in ours and get_close_matches(str(section), ours, n=1, cutoff=0.85):
            yield config.at(f"{section}: no such section{nearest(str(section), ours)}")
    if not isinstance(config.content.get("memory_proxy"), Mapping | None):
        yield config.at("memory_proxy: must be a mapping of settings, like `port: 8764`")
    keys = [setting.key for setting in TABLE.values() if setting.key]
    for name in as_mapping(config.content.get("memory_proxy")):
        key = f"memory_proxy.{name}"
        if key not in keys:
            yield config.at(f"{key}: no such setting{nearest(key, keys)}")


def nearest(name: str, known: Iterable[str]) -> str:
    found = get_close_matches(name, list(known), n=1)
    return f"; did you mean {found[0]}?" if found else ""


def _filled(variables: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if value}
