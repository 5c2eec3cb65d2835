"""What every embedder must do. A new one passes by a class that inherits these tests."""

import numpy as np

from memory_proxy.embedding.base import Embedder

TEXTS = (
    "the blue bicycle stands in the cellar",
    "we painted the kitchen walls on Sunday",
    "where is the blue bicycle?",
)
ODD = ("", " \n", "🚲🚲", "\0", "\ud800", "!?" * 50, "日本語のテキスト", "word " * 200_000)


class EmbedderContract:
    """Needs a fixture `embedder`, entered."""

    async def test_each_text_gets_a_row_of_length_one(self, embedder: Embedder) -> None:
        vectors = await embedder.embed(TEXTS)

        assert vectors.shape == (len(TEXTS), embedder.dimension)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)

    async def test_rows_come_in_the_order_of_the_texts_whatever_their_lengths(
        self, embedder: Embedder
    ) -> None:
        texts = ["tea " * count for count in (200, 1, 50, 3)]
        alone = [(await embedder.embed([text]))[0] for text in texts]

        assert np.allclose(await embedder.embed(texts), alone, atol=1e-3)

    async def test_what_shares_words_is_more_alike(self, embedder: Embedder) -> None:
        answer, other, question = await embedder.embed(TEXTS)

        assert question @ answer > question @ other

    async def test_no_texts_give_no_rows(self, embedder: Embedder) -> None:
        assert (await embedder.embed([])).shape == (0, embedder.dimension)

    async def test_odd_texts_get_vectors_too(self, embedder: Embedder) -> None:
        lengths = np.linalg.norm(await embedder.embed(ODD), axis=1)

        assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))

    async def test_the_id_tells_the_dimension(self, embedder: Embedder) -> None:
        assert embedder.id.endswith(f":{embedder.dimension}")
