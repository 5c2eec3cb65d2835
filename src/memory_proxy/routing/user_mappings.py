"""The `user_id_mappings` section of config.yaml: which requests belong to which user."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, cast

import re2

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.core.types import UserId
from memory_proxy.routing.identifiers import is_user_id

DEFAULT_USER = UserId("default")
_TOKEN = re.compile(
    r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", re.ASCII
)  # a header name (RFC 9110 section 5.6.2)


class Pattern:
    """A search in linear time: a hostile header cannot stall it (RE2, not backtracking)."""

    def __init__(self, source: str) -> None:
        """Raises ValueError when `source` is no RE2 pattern."""
        try:
            self._compiled = re2.compile(source, _options())
        except re2.error as error:  # its argument is bytes
            raise ValueError(bytes(error.args[0]).decode(errors="replace")) from error
        self.source = source

    def found_in(self, text: str) -> bool:
        return self._compiled.search(text) is not None


@dataclass(frozen=True, slots=True)
class HeaderPattern:
    """Requests whose `header` (lower case) holds a match of `pattern` belong to `user_id`."""

    header: str
    pattern: Pattern
    user_id: UserId


@dataclass(frozen=True, slots=True)
class UserIdMappings:
    custom_header: str = "x-memory-user-id"
    header_patterns: tuple[HeaderPattern, ...] = ()
    default_user_id: UserId = DEFAULT_USER


def parse_user_id_mappings(raw: object) -> UserIdMappings:
    """Raises ConfigurationError naming every problem at once; None is an empty section."""
    if raw is None:
        return UserIdMappings()
    if not isinstance(raw, Mapping):
        raise ConfigurationError("user_id_mappings: must be a mapping of settings")
    section = cast("Mapping[str, Any]", raw)
    problems = list(_problems(section))
    if problems:
        raise ConfigurationError("\n".join(problems))
    entries: Sequence[Mapping[str, str]] = section.get("header_patterns") or ()
    return UserIdMappings(
        custom_header=str(section.get("custom_header") or "x-memory-user-id").lower(),
        header_patterns=tuple(
            HeaderPattern(
                entry["header"].lower(), Pattern(entry["pattern"]), UserId(entry["user_id"])
            )
            for entry in entries
        ),
        default_user_id=UserId(str(section.get("default_user_id") or DEFAULT_USER)),
    )


def _problems(section: Mapping[str, Any]) -> Iterator[str]:
    known = ("custom_header", "header_patterns", "default_user_id")
    yield from _unknown_keys("user_id_mappings", section, known)
    header: object = section.get("custom_header")
    if header is not None and not (isinstance(header, str) and _TOKEN.fullmatch(header)):
        yield f"user_id_mappings.custom_header: {header!r} is no header name"
    default: object = section.get("default_user_id")
    if default is not None and not (isinstance(default, str) and is_user_id(default)):
        yield f"user_id_mappings.default_user_id: {default!r} {_NO_USER_ID}"
    entries: object = section.get("header_patterns") or []
    if not isinstance(entries, list):
        yield "user_id_mappings.header_patterns: must be a list"
        return
    for index, entry in enumerate(cast("list[object]", entries)):
        yield from _pattern_problems(f"user_id_mappings.header_patterns[{index}]", entry)


def _pattern_problems(where: str, entry: object) -> Iterator[str]:
    if not isinstance(entry, Mapping):
        yield f"{where}: must be a mapping with header, pattern and user_id"
        return
    fields = cast("Mapping[str, object]", entry)
    yield from _unknown_keys(where, fields, ("header", "pattern", "user_id"))
    for name in ("header", "pattern", "user_id"):
        if not isinstance(fields.get(name), str) or not fields[name]:
            yield f"{where}.{name}: missing; write it as text"
            return
    if not _TOKEN.fullmatch(str(fields["header"])):
        yield f"{where}.header: {fields['header']!r} is no header name"
    if not is_user_id(str(fields["user_id"])):
        yield f"{where}.user_id: {fields['user_id']!r} {_NO_USER_ID}"
    try:
        Pattern(str(fields["pattern"]))
    except ValueError as error:
        yield f"{where}.pattern: {fields['pattern']!r} is no RE2 pattern: {error}"


_NO_USER_ID = "is no user id: 1 to 128 letters, digits or any of . _ @ : + - are allowed"


def _unknown_keys(where: str, fields: Mapping[str, object], known: Sequence[str]) -> Iterator[str]:
    for key in fields:
        if key not in known:
            nearest = get_close_matches(str(key), known, n=1)
            hint = f"; did you mean {nearest[0]!r}?" if nearest else f"; known: {', '.join(known)}"
            yield f"{where}.{key}: unknown key{hint}"


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 8 << 20
    return options
