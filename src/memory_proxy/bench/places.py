"""Where a measurement keeps its conversations: a store of one's own, or one that is thrown away."""

import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.opening import open_store


@dataclass(frozen=True, slots=True)
class StorePlace:
    """`folder` holds nothing but the store, and goes with it; None: the store is another's."""

    url: str
    folder: Path | None = None

    @property
    def name(self) -> str:
        """Its kind: a URL may hold a password."""
        return self.url.partition(":")[0]

    @property
    def is_temporary(self) -> bool:
        return self.folder is not None

    def open(self) -> MemoryStore:
        """Not yet entered. Raises ConfigurationError."""
        return open_store(self.url)

    def size_bytes(self) -> int | None:
        """On disk, once the store is closed; None where that is not known."""
        if self.folder is None:
            return None
        return sum(file.stat().st_size for file in self.folder.iterdir())


@contextmanager
def store_place(url: str | None) -> Generator[StorePlace]:
    """The store at `url`; without one, a new SQLite file that is gone afterwards."""
    if url is not None:
        yield StorePlace(url)
        return
    with tempfile.TemporaryDirectory(prefix="memory-proxy-bench-") as folder:
        yield StorePlace(f"sqlite:///{folder}/bench.db", Path(folder))
