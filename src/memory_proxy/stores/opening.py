"""From a URL to a store."""

from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.stores.sqlite import SQLiteStore


def open_store(url: str) -> MemoryStore:
    """The store that `url` names, not yet entered. Raises ConfigurationError.

    `memory://`, `sqlite:///relative.db` and `sqlite:////absolute/path.db`; the path may be
    percent-encoded.
    """
    parts = urlsplit(url)
    match parts.scheme:
        case "memory":
            return InMemoryStore()
        case "sqlite":
            return SQLiteStore(_sqlite_path(parts))
        case scheme:
            raise ConfigurationError(f"no store for scheme '{scheme}'; have: memory, sqlite")


def _sqlite_path(url: SplitResult) -> Path:
    path = unquote(url.path.removeprefix("/"))
    if url.netloc or url.query or url.fragment or not path:
        raise ConfigurationError(
            "a SQLite store is written sqlite:///relative.db or sqlite:////absolute/path.db,"
            " with nothing after the path"
        )
    return Path(path)
