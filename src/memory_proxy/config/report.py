"""What `memory-proxy check` shows: every effective setting and where it came from.

No secret leaves through here: it is masked, and of a model only its name is shown, never its
parameters.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, cast

from memory_proxy.config.loading import Examination
from memory_proxy.config.models import DEMO_URL, Model, as_mapping
from memory_proxy.config.settings import Group, Settings
from memory_proxy.config.table import TABLE, Setting

_SHOWN_OF_A_SECRET = 4
_TELLING_LENGTH = 16  # of shorter secrets nothing is shown


def as_text(examination: Examination) -> str:
    settings = examination.settings
    lines = [f"Configuration file: {settings.config_path}"]
    for group in Group:
        rows = [setting for setting in TABLE.values() if setting.group == group]
        lines += ["", group, *_columns([_row(setting, settings) for setting in rows])]
    lines += ["", "Models", *_models(settings)]
    lines += ["", "Users", *_users(settings)]
    lines += _section("Warnings", settings.warnings)
    lines += _section("Problems", examination.problems)
    return "\n".join(lines)


def as_json(examination: Examination) -> dict[str, Any]:
    """The same, for machines."""
    settings = examination.settings
    return {
        "ok": not examination.problems,
        "problems": list(examination.problems),
        "warnings": list(settings.warnings),
        "settings": [
            {
                "name": setting.name,
                "value": _value(setting, settings),
                "source": settings.sources[setting.name],
            }
            for setting in TABLE.values()
        ],
        "models": [
            {
                "name": model.name,
                "model": model.target,
                "usable": settings.is_usable(model),
                "reason": _reason(model, settings),
            }
            for model in settings.models
        ],
        "needs_demo": settings.needs_demo,
        "user_id_mappings": dict(settings.user_id_mappings),
    }


def masked(secret: str) -> str:
    """Enough to recognise a key by, and not enough to use it: `sk-a…(32 characters)`."""
    if not secret:
        return ""
    shown = secret[:_SHOWN_OF_A_SECRET] if len(secret) >= _TELLING_LENGTH else ""
    return f"{shown}…({len(secret)} characters)"


def _value(setting: Setting, settings: Settings) -> Any:
    value: Any = getattr(settings, setting.name)
    if setting.is_secret:
        return masked(value)
    if isinstance(value, tuple):
        return list(cast("tuple[str, ...]", value))
    return str(value) if isinstance(value, Path) else value


def _row(setting: Setting, settings: Settings) -> tuple[str, str, str]:
    value = _value(setting, settings)
    return setting.name, _shown(value, setting), settings.sources[setting.name]


def _shown(value: Any, setting: Setting) -> str:
    if value is None or value in ("", []):
        return "-" if setting.default == "none" else f"({setting.default})"
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(cast("list[str]", value)) if isinstance(value, list) else str(value)


def _models(settings: Settings) -> list[str]:
    if not settings.launches_litellm:
        return [f"  those of the LiteLLM at {settings.litellm_base_url}"]
    rows = [
        (
            model.name,
            "usable" if settings.is_usable(model) else "not usable",
            _reason(model, settings),
        )
        for model in settings.models
    ]
    return _columns(rows) or ["  none"]


def _reason(model: Model, settings: Settings) -> str:
    if model.has_its_keys:
        return f"as {model.target}"
    if model.is_demo and set(model.missing) == {DEMO_URL}:
        return "the built-in demo, launched" if settings.needs_demo else "the demo is not launched"
    return f"not set: {', '.join(model.missing)}"


def _users(settings: Settings) -> Iterator[str]:
    mappings = settings.user_id_mappings
    yield f"  header {mappings.get('custom_header') or 'x-memory-user-id'}: the user it names"
    patterns: object = mappings.get("header_patterns")
    entries = cast("list[object]", patterns) if isinstance(patterns, list) else []
    for entry in map(as_mapping, entries):
        yield f"  header {entry.get('header')} with {entry.get('pattern')}: {entry.get('user_id')}"
    yield f"  otherwise: {mappings.get('default_user_id') or 'default'}"


def _section(title: str, entries: Iterable[str]) -> list[str]:
    lines = [f"  - {entry}" for entry in entries]
    return ["", title, *lines] if lines else []


def _columns(rows: Sequence[tuple[str, str, str]]) -> list[str]:
    names = max((len(name) for name, _, _ in rows), default=0)
    values = max((len(value) for _, value, _ in rows if len(value) <= 44), default=0)
    return [f"  {name:<{names}}  {value:<{values}}  {last}" for name, value, last in rows]
