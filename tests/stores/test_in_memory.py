from collections.abc import AsyncGenerator

import pytest

from memory_proxy.stores.base import MemoryStore
from memory_proxy.stores.opening import open_store
from tests.stores.contract import MemoryStoreContract
from tests.stores.items_contract import ItemsContract
from tests.stores.vectors_contract import VectorsContract


class TestInMemoryStore(MemoryStoreContract, VectorsContract, ItemsContract):
    @pytest.fixture
    async def store(self) -> AsyncGenerator[MemoryStore]:
        async with open_store("memory://") as opened:
            yield opened
