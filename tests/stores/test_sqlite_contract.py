from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.opening import open_store
from tests.stores.contract import MemoryStoreContract
from tests.stores.items_contract import ItemsContract
from tests.stores.vectors_contract import VectorsContract


class TestSQLiteStore(MemoryStoreContract, VectorsContract, ItemsContract):
    @pytest.fixture
    async def store(self, tmp_path: Path) -> AsyncGenerator[MemoryStore]:
        async with open_store(f"sqlite:///{tmp_path}/memory.db") as opened:
            yield opened
