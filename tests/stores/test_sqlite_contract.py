from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.opening import open_store
from tests.stores.contract import MemoryStoreContract


class TestSQLiteStore(MemoryStoreContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncGenerator[MemoryStore]:
        async with open_store(f"sqlite:///{tmp_path}/memory.db") as opened:
            yield opened
