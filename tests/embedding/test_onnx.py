"""With the real model: it comes as a package, and nothing is fetched."""

import shutil
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from memory_proxy.core.errors import ConfigurationError, EmbeddingError
from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.models import ModelFile, minilm
from memory_proxy.embedding.onnx import OnnxEmbedder
from memory_proxy.embedding.opening import open_embedder
from memory_proxy.embedding.quantising import lengths, quantised
from tests.embedding.contract import EmbedderContract


class TestMiniLM(EmbedderContract):
    @pytest.fixture(scope="class")
    async def embedder(self) -> AsyncGenerator[Embedder]:
        async with OnnxEmbedder(minilm()) as opened:
            yield opened

    async def test_meaning_counts_where_no_word_is_shared(self, embedder: Embedder) -> None:
        cat, kitten, shares = await embedder.embed(
            ["A cat sleeps on the sofa", "the kitten naps upon our couch", "Stock prices fell"]
        )

        assert cat @ kitten > 0.5
        assert cat @ shares < 0.2

    async def test_a_known_text_has_its_known_vector(self, embedder: Embedder) -> None:
        """As the model gives it with its weights in 32 bits."""
        [vector] = await embedder.embed(["This is an example sentence"])

        assert np.allclose(vector[:4], [0.0677, 0.0635, 0.0487, 0.0793], atol=0.005)

    async def test_one_byte_a_number_keeps_the_cosines(self, embedder: Embedder) -> None:
        vectors = await embedder.embed([f"note number {n} about topic {n % 7}" for n in range(40)])
        rows = quantised(vectors)

        cosines = rows @ vectors[0] / lengths(rows)

        assert rows.nbytes == vectors.nbytes / 4
        assert np.allclose(cosines, vectors @ vectors[0], atol=0.01)


async def test_a_changed_model_file_is_refused_with_the_cure(tmp_path: Path) -> None:
    model = minilm()
    changed = tmp_path / "model.onnx"
    changed.write_bytes(model.weights.path.read_bytes()[:-1] + b"!")
    wrong = replace(model, weights=ModelFile(changed, model.weights.sha256))

    with pytest.raises(EmbeddingError, match=r"was not loaded; install it anew: pip install"):
        await OnnxEmbedder(wrong).__aenter__()


async def test_a_changed_vocabulary_is_refused(tmp_path: Path) -> None:
    model = minilm()
    changed = tmp_path / "vocab.txt"
    changed.write_text(model.words.path.read_text("utf-8") + "extra\n", "utf-8")
    wrong = replace(model, words=ModelFile(changed, model.words.sha256))

    with pytest.raises(EmbeddingError, match=r"vocab\.txt is not the file that it should be"):
        await OnnxEmbedder(wrong).__aenter__()


async def test_a_model_in_a_folder_is_known_by_what_it_holds(tmp_path: Path) -> None:
    folder = _model_folder(tmp_path / "one")
    moved = shutil.copytree(folder, tmp_path / "two")

    first, second = open_embedder(f"path:{folder}"), open_embedder(f"path:{moved}")
    assert first is not None
    assert second is not None
    async with first, second:
        assert first.id == second.id
        assert first.dimension == 384
        assert (await second.embed(["tea"])).shape == (1, 384)


async def test_a_file_that_is_no_model_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    (tmp_path / "tokenizer.json").write_text("{}")
    embedder = open_embedder(f"path:{tmp_path}")
    assert embedder is not None

    with pytest.raises(EmbeddingError, match=r"^path: "):
        await embedder.__aenter__()


def test_a_folder_without_a_model_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"model\.onnx is missing"):
        open_embedder(f"path:{tmp_path}")


def _model_folder(folder: Path) -> Path:
    """The real weights beside a tokenizer as small as can be."""
    folder.mkdir()
    shutil.copy(minilm().weights.path, folder / "model.onnx")
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 100, "tea": 5572}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder
