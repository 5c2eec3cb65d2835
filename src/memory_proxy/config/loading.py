"""From the sources to Settings: gather, validate each value, then check how they agree."""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from memory_proxy.config import sources
from memory_proxy.config.checks import agreement_problems, is_ours, model_warnings
from memory_proxy.config.models import DEMO_URL, as_mapping, read_models, references, resolved
from memory_proxy.config.settings import Settings
from memory_proxy.config.sources import Environment, Given
from memory_proxy.config.table import TABLE
from memory_proxy.config.values import absolute_embedder, absolute_path, absolute_store_url
from memory_proxy.config.yaml_file import ConfigFile, read_config_file
from memory_proxy.core.errors import ConfigurationError
from memory_proxy.routing.user_mappings import parse_user_id_mappings


@dataclass(frozen=True, slots=True)
class Examination:
    """Settings, and all that is wrong with them; a wrong value is shown as its default."""

    settings: Settings
    problems: tuple[str, ...]


def load_settings(
    overrides: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    launch_litellm: bool | None = None,
) -> Settings:
    """Settings from the command line's `overrides`, else the environment, else config.yaml.

    Keys of `overrides` are names of settings; None means not given. `launch_litellm`: whether we
    are to launch LiteLLM ourselves; None decides by its URL. Raises ConfigurationError whose
    message names every problem.
    """
    examination = examine_settings(
        overrides, environ=environ, cwd=cwd, launch_litellm=launch_litellm
    )
    if examination.problems:
        raise ConfigurationError(_message(examination.problems))
    return examination.settings


def examine_settings(
    overrides: Mapping[str, object],
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    launch_litellm: bool | None = None,
) -> Examination:
    """Like `load_settings`, but hands the problems back beside what could be read."""
    cwd = cwd or Path.cwd()
    process = dict(os.environ if environ is None else environ)
    environment, problems = sources.read_environment(process, cwd)
    given = {
        **sources.from_environment(environment, cwd),
        **sources.from_command_line(overrides, cwd),
    }
    path = sources.config_path(given, cwd)
    config = read_config_file(absolute_path(str(path.value), path.base))
    in_file, unset = _references_replaced(sources.from_config_file(config), environment)
    given = {**in_file, **given, "config_path": path}
    settings, wrong = _validated(given, config)
    settings, unreadable = _completed(settings, config, environment, launch_litellm)
    invalid = {*unset, *wrong, *(("model_list",) if unreadable or config.problems else ())}
    problems += [
        *config.problems,
        *sources.unknown_keys(config),
        *map(config.at, unset.values()),
        *wrong.values(),
        *map(config.at, [*unreadable, *_mapping_problems(config)]),
        *_two_master_keys(settings, in_file, given),
        *agreement_problems(settings, invalid=invalid),
    ]
    return Examination(settings, tuple(problems))


def _message(problems: Sequence[str]) -> str:
    if len(problems) == 1:
        return problems[0]
    return "\n".join([f"{len(problems)} problems:", *(f"  - {text}" for text in problems)])


def _references_replaced(
    given: Mapping[str, Given], environment: Environment
) -> tuple[dict[str, Given], dict[str, str]]:
    """The values of config.yaml without `os.environ/NAME`, and a problem where NAME is not set.

    A setting that names its own variable is simply not given when that is not set.
    """
    replaced: dict[str, Given] = {}
    problems: dict[str, str] = {}
    for name, value in given.items():
        setting, variables = TABLE[name], environment.merged
        unset = [key for key in references(value.value) if not variables.get(key)]
        if not unset:
            replaced[name] = replace(value, value=resolved(value.value, variables))
        elif unset[0] not in setting.variables:
            problems[name] = f"{setting.key}: names {unset[0]}, which is not set"
    return replaced, problems


def _validated(given: Mapping[str, Given], config: ConfigFile) -> tuple[Settings, dict[str, str]]:
    """Settings from all values that are right, and by name what is wrong with the others."""
    values = {name: _absolute(name, value) for name, value in given.items()}
    described = {"sources": {name: _source(given, name) for name in TABLE}}
    try:
        return Settings.model_validate(values | described), {}
    except ValidationError as error:
        wrong = {
            name: _explained(details, given[name], config)
            for details in error.errors(include_url=False)
            if (name := str(details["loc"][0])) in given
        }
    right = {name: value for name, value in values.items() if name not in wrong}
    return Settings.model_validate(right | described), wrong


def _absolute(name: str, given: Given) -> object:
    """The value, with a relative path in it made absolute."""
    if not isinstance(given.value, str | Path):
        return given.value
    if name in TABLE and TABLE[name].is_path:
        return absolute_path(str(given.value), given.base)
    if name in _WITH_PATHS:
        return _WITH_PATHS[name](str(given.value), given.base)
    return given.value


_WITH_PATHS = {"store": absolute_store_url, "embedder": absolute_embedder}


def _source(given: Mapping[str, Given], name: str) -> str:
    return given[name].source if name in given else "default"


def _explained(details: ErrorDetails, given: Given, config: ConfigFile) -> str:
    """One line: where it stands, the value (never a secret one), and what is wrong with it."""
    name = str(details["loc"][0])
    if name not in TABLE:
        return f"{given.source}: {name}: no such setting{sources.nearest(name, TABLE)}"
    setting = TABLE[name]
    reason = re.sub("^(Input|String) should", "must", details["msg"].removeprefix("Value error, "))
    shown = "its value" if setting.is_secret else repr(details["input"])
    text = f"{shown} {reason}"
    if given.source == "command line":
        return f"{setting.flag or name}: {text}"
    if setting.key and given.source.endswith(f": {setting.key}"):
        return config.at(f"{setting.key}: {text}")
    return f"{given.source}: {text}"


def _completed(
    settings: Settings, config: ConfigFile, environment: Environment, launch_litellm: bool | None
) -> tuple[Settings, list[str]]:
    """Settings with what config.yaml says of models and users, and what is wrong with models."""
    general = as_mapping(config.content.get("general_settings"))
    listed = config.content.get("model_list")
    variables = _variables_of_litellm(config, environment)
    launches = is_ours(settings) if launch_litellm is None else launch_litellm
    models, problems = read_models(
        listed, variables, secrets_elsewhere=bool(general.get("key_management_system"))
    )
    update: dict[str, Any] = {
        "launches_litellm": launches,
        "models": models if launches else (),
        "has_models_elsewhere": bool(
            config.content.get("include") or general.get("store_model_in_db")
        ),
        "model_list": () if problems else tuple(resolved(listed or [], variables)),
        "user_id_mappings": as_mapping(config.content.get("user_id_mappings")),
        "environment": environment.merged,
    }
    settings = settings.model_copy(update=update)
    warnings = (*sources.unknown_variables(environment, config), *model_warnings(settings))
    return settings.model_copy(update={"warnings": warnings}), problems


def _variables_of_litellm(config: ConfigFile, environment: Environment) -> dict[str, str]:
    """The environment, and what LiteLLM sets for itself; the demo's address is the launcher's."""
    section = as_mapping(config.content.get("environment_variables"))
    own = {name: str(value) for name, value in section.items() if value not in (None, "")}
    variables = {**environment.merged, **own}
    return {name: value for name, value in variables.items() if name != DEMO_URL}


def _mapping_problems(config: ConfigFile) -> list[str]:
    try:
        parse_user_id_mappings(config.content.get("user_id_mappings"))
    except ConfigurationError as error:
        return str(error).splitlines()
    return []


def _two_master_keys(
    settings: Settings, in_file: Mapping[str, Given], given: Mapping[str, Given]
) -> Iterator[str]:
    """LiteLLM prefers the one in config.yaml, so ours would not be its own."""
    name = "master_key"
    if settings.launches_litellm and name in in_file and in_file[name].value != given[name].value:
        yield (
            f"{given[name].source} and {in_file[name].source} hold different keys: remove one, or"
            " write `master_key: os.environ/LITELLM_MASTER_KEY`"
        )
