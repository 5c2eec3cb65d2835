"""Reading config.yaml, and remembering on which line each setting stands."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """`lines` counts from 1; its keys are like `user_id_mappings.header_patterns[0].pattern`."""

    path: Path
    content: Mapping[str, Any]
    lines: Mapping[str, int]
    problems: tuple[str, ...] = ()

    def at(self, text: str) -> str:
        """`text`, which begins with a key and a colon, with the file and the line before it.

        What stands nowhere has the line of what it should stand in.
        """
        key = text.partition(": ")[0]
        while key and key not in self.lines:
            key = key[: max(key.rfind("."), key.rfind("["), 0)]
        return f"{self.path}, line {self.lines[key]}: {text}" if key else f"{self.path}: {text}"


def read_config_file(path: Path) -> ConfigFile:
    """A file that cannot be used comes back empty, with its problem."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        places = tuple(_places(yaml.compose(text, Loader=yaml.SafeLoader), "", {}))
        content: object = yaml.safe_load(text) or {}
    except FileNotFoundError:
        return _unusable(path, "no such file; name another with --config or LITELLM_CONFIG")
    except UnicodeDecodeError:
        return _unusable(path, "is not UTF-8 text")
    except OSError as error:
        return _unusable(path, f"cannot be read: {error.strerror}")
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return _unusable(path, f"is no valid YAML: {_reason(error)}")
    if not isinstance(content, dict):
        return _unusable(path, "must be a mapping of sections, like `model_list:`")
    lines = {place.name: place.line for place in places}
    twice = tuple(
        f"{path}, line {place.line}, column {place.column}: {place.name}: stands here a second"
        " time; keep one of the two"
        for place in places
        if place.is_second
    )
    return ConfigFile(path, cast("dict[str, Any]", content), lines, twice)


def _unusable(path: Path, reason: str) -> ConfigFile:
    return ConfigFile(path, {}, {}, (f"{path}: {reason}",))


def _reason(error: yaml.YAMLError | ValueError | RecursionError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return (
        "nested too deeply" if isinstance(error, RecursionError) else " ".join(str(error).split())
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a key or a list item stands; `is_second`: its mapping had the same key before."""

    name: str
    line: int
    column: int
    is_second: bool = False


def _places(node: yaml.Node | None, where: str, seen: dict[int, bool]) -> Iterator[_Place]:
    """Each node once, however many aliases point at it; `seen` grows, True while inside a node."""
    if node is None or id(node) in seen:
        if seen.get(id(node)):
            raise ValueError(f"{where} contains itself")
        return
    seen[id(node)] = True
    if isinstance(node, yaml.MappingNode):
        yield from _places_of_mapping(node, where, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            yield _place(f"{where}[{index}]", item)
            yield from _places(item, f"{where}[{index}]", seen)
    seen[id(node)] = False


def _places_of_mapping(
    node: yaml.MappingNode, where: str, seen: dict[int, bool]
) -> Iterator[_Place]:
    keys: set[str] = set()
    for key, value in node.value:
        name = f"{where}.{key.value}" if where else str(key.value)
        yield _place(name, key, is_second=name in keys)
        keys.add(name)
        yield from _places(value, name, seen)


def _place(name: str, node: yaml.Node, *, is_second: bool = False) -> _Place:
    mark = node.start_mark
    return _Place(name, mark.line + 1, mark.column + 1, is_second)
