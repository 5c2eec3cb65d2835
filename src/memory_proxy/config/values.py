"""How single values are read: each function returns the value or raises ValueError with the reason.

The reason continues a sentence that begins with the value: "'a b' is no host name".
"""

import re
from ipaddress import ip_address
from pathlib import Path
from typing import cast
from urllib.parse import SplitResult, quote, unquote, urlsplit

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.embedding.opening import open_embedder
from memory_proxy.stores.opening import open_store

_SQLITE = "sqlite:///"
_FOLDER = "path:"
_NO_FILE = ("", ":memory:")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)


def no_bool(value: object) -> object:
    """YAML's `yes` must not become the number 1."""
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


def lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def split_at_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(cast("list[object]", value)) if isinstance(value, list) else value


def host_name(value: str) -> str:
    """An IP address (IPv6 with or without brackets) or a host name, without a port."""
    bare = value[1:-1] if value.startswith("[") and value.endswith("]") else value
    try:
        return str(ip_address(bare))
    except ValueError:
        if _HOST_NAME.fullmatch(value) and len(value) <= 253:
            return value
    raise ValueError("is no host name or IP address; write it without scheme and port")


def http_url(value: str) -> str:
    """An absolute HTTP URL without a slash at its end."""
    url = _split(value)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise ValueError("is no HTTP URL; write it like http://127.0.0.1:8765")
    if url.query or url.fragment or url.username is not None:
        raise ValueError("must have no user, query or fragment; write it like http://host:8765")
    bare = value.rstrip("/")
    if bare.endswith("/v1"):
        raise ValueError("must end before /v1: the paths that clients send already have it")
    return bare


def origin(value: str) -> str:
    """What a browser sends in its Origin header; `*` is not accepted: every page could call us."""
    url = _split(value)
    bare = value.rstrip("/")
    if url.hostname is None or bare != f"{url.scheme}://{url.netloc}" or url.username is not None:
        raise ValueError("is no origin; write it like https://app.example.com")
    return bare.lower()


def store_url(value: str) -> str:
    if value == f"{_SQLITE}:memory:":
        raise ValueError("is written memory://")
    try:
        open_store(value)  # only made, not entered: nothing is opened
    except ConfigurationError as error:
        raise ValueError(f"names no store: {error}") from error
    return value


def absolute_store_url(value: str, base: Path) -> str:
    """`sqlite:///path` with its path made absolute, and percent-encoded as URLs are."""
    url = urlsplit(value)
    path = unquote(url.path.removeprefix("/"))
    if url.scheme != "sqlite" or url.netloc or url.query or url.fragment or path in _NO_FILE:
        return value
    return sqlite_url(absolute_path(path, base))


def embedder_setting(value: str) -> str:
    try:
        open_embedder(value)  # only made, not entered: nothing is loaded or called
    except ConfigurationError as error:
        raise ValueError(f"names no embedder: {error}") from error
    return value


def absolute_embedder(value: str, base: Path) -> str:
    """`path:<folder>` with its path made absolute."""
    folder = value.removeprefix(_FOLDER)
    return f"{_FOLDER}{absolute_path(folder, base)}" if value.startswith(_FOLDER) else value


def sqlite_url(path: Path) -> str:
    return _SQLITE + quote(str(path))


def absolute_path(value: str, base: Path) -> Path:
    return base / Path(value).expanduser()


def _split(value: str) -> SplitResult:
    url = urlsplit(value)
    if url.port == 0 or re.search(r"\s", value):  # reading .port raises when out of range
        raise ValueError("is no URL that can be called")
    return url


def mode_word(value: object) -> object:
    """YAML reads a bare on or off as a truth value."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return value.strip().lower() if isinstance(value, str) else value
