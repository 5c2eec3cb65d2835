import pytest

from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.hashing import HashingEmbedder
from tests.embedding.contract import EmbedderContract


class TestHashing(EmbedderContract):
    @pytest.fixture
    async def embedder(self) -> Embedder:
        return HashingEmbedder()

    async def test_its_vectors_are_the_same_on_every_machine(self, embedder: Embedder) -> None:
        [vector] = await embedder.embed(["tea with milk"])

        numbers = {int(place): round(float(vector[place]), 3) for place in vector.nonzero()[0]}
        assert numbers == {180: 0.577, 195: -0.577, 241: 0.577}
