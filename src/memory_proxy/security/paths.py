"""Which paths may go to LiteLLM: in one spelling only, and only those of its LLM API."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from types import MappingProxyType
from urllib.parse import unquote_to_bytes

from memory_proxy.core.errors import NotFound
from memory_proxy.security.llm_routes import ROUTES_AS_THEY_ARE, ROUTES_WITH_AND_WITHOUT_V1

_PLAIN = re.compile(rb"(?:/[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9_.~!$&'()*+,=:@-]*)+/?|/")
_FORBIDDEN_ESCAPE = re.compile(
    rb"%(?:2[35f]|3[bf]|5c|[01][0-9a-f]|7f|(?![0-9a-f]{2}))", re.IGNORECASE
)
_FORBIDDEN = re.compile(r"//|[\x00-\x1f\x7f-\x9f\\;?#]|(?:^|/)[. ]+(?:/|$)")

_RESERVED_IDS = ("authorize", "token", "register", "mcp")
"""Last segments that LiteLLM understands as a route of an MCP server, whatever stands before."""


def check_path(raw_path: bytes) -> str:
    """A request's path, decoded, if nobody could read it in another way than we do.

    Raises NotFound for empty and dotted segments, backslashes, parameters after a semicolon, bytes
    that are no UTF-8, control characters, characters that Unicode takes for others (NFKC), and for
    escapes that would be decoded a second time or become a separator.
    """
    if _PLAIN.fullmatch(raw_path):
        return raw_path.decode("ascii")
    if _FORBIDDEN_ESCAPE.search(raw_path):
        raise _not_found()
    try:
        path = unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError as error:
        raise _not_found() from error
    if not path.startswith("/") or _FORBIDDEN.search(path) or not _is_stable(path):
        raise _not_found()
    return path


def is_llm_route(method: str, path: str) -> bool:
    """Whether a checked path belongs to LiteLLM's LLM API."""
    if path in _FIXED.get(method, ()):
        return True
    pattern = _TEMPLATES.get(method)
    return pattern is not None and pattern.fullmatch(path) is not None


def _not_found() -> NotFound:
    return NotFound("there is nothing under this path")


def _is_stable(path: str) -> bool:
    return path.isascii() or unicodedata.is_normalized("NFKC", path)


def _routes() -> Iterator[tuple[str, str]]:
    """Each method and template of the allow list."""
    with_v1 = ROUTES_WITH_AND_WITHOUT_V1.replace(" /", " /v1/")
    listed = ROUTES_WITH_AND_WITHOUT_V1 + with_v1 + ROUTES_AS_THEY_ARE
    for methods, template in map(str.split, filter(None, listed.splitlines())):
        for method in methods.split(","):
            yield method, template


def _by_method(routes: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for method, template in routes:
        grouped.setdefault(method, []).append(template)
    return grouped


def _pattern_of(template: str) -> str:
    one = rf"(?!(?:{'|'.join(_RESERVED_IDS)})(?:/|$))[^/]+"
    many = r"[^/]+(?:/[^/]+){0,5}"
    return re.escape(template).replace(r"\*\*", many).replace(r"\*", one)


_FIXED = MappingProxyType(
    {
        method: frozenset(paths)
        for method, paths in _by_method(route for route in _routes() if "*" not in route[1]).items()
    }
)
_TEMPLATES = MappingProxyType(
    {
        method: re.compile("|".join(map(_pattern_of, templates)))
        for method, templates in _by_method(route for route in _routes() if "*" in route[1]).items()
    }
)
