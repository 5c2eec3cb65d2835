"""The table of settings, drawn up from the fields of Settings: names, places, meaning."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, get_args

from pydantic.fields import FieldInfo

from memory_proxy.config.settings import About, Group, Settings

PREFIX = "MEMORY_PROXY_"


@dataclass(frozen=True, slots=True)
class Setting:
    """One row. `variables`: its names in the environment, the strongest first.

    `key`: its place in config.yaml, or "". `flag`: its option on the command line, or "": a secret
    has none, because every user of a machine can read arguments.
    """

    name: str
    group: Group
    variables: tuple[str, ...]
    key: str
    flag: str
    default: str
    description: str
    is_secret: bool
    is_switch: bool
    is_path: bool
    choices: tuple[str, ...]


def _setting(name: str, field: FieldInfo, about: About) -> Setting:
    own = PREFIX + name.upper()
    types = (field.annotation, *get_args(field.annotation))
    kept = (about.variable,) if about.variable and about.variable != own else ()
    return Setting(
        name=name,
        group=about.group,
        variables=kept if about.secret and kept else (own, *kept),
        key=f"memory_proxy.{name}" if about.key is None else about.key,
        flag="" if about.secret else about.flag or "--" + name.replace("_", "-"),
        default=about.default_text or _default(field.default),
        description=field.description or "",
        is_secret=about.secret,
        is_switch=bool in types,
        is_path=Path in types,
        choices=get_args(field.annotation) if _is_choice(field.annotation) else (),
    )


def _default(value: object) -> str:
    if value is None or value in ("", ()):
        return "none"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_choice(annotation: object) -> bool:
    return getattr(annotation, "__origin__", None) is Literal


def _rows() -> dict[str, Setting]:
    return {
        name: _setting(name, field, about)
        for name, field in Settings.model_fields.items()
        for about in field.metadata
        if isinstance(about, About)
    }


TABLE: Mapping[str, Setting] = MappingProxyType(_rows())
