import pytest

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.embedding.hashing import HashingEmbedder
from memory_proxy.embedding.http import HttpEmbedder
from memory_proxy.embedding.onnx import OnnxEmbedder
from memory_proxy.embedding.opening import open_embedder


@pytest.mark.parametrize(
    ("setting", "kind"),
    [
        ("onnx", OnnxEmbedder),
        ("auto", OnnxEmbedder),
        ("hashing", HashingEmbedder),
        ("litellm:text-embedding-3-small", HttpEmbedder),
        ("http://127.0.0.1:8080/v1/embeddings#org/model:1", HttpEmbedder),
        ("https://embed.example.com/v1/embeddings#model", HttpEmbedder),
    ],
)
def test_a_setting_names_an_embedder(setting: str, kind: type) -> None:
    assert isinstance(open_embedder(setting, litellm_url="http://127.0.0.1:8765"), kind)


def test_none_is_none() -> None:
    assert open_embedder("none") is None


@pytest.mark.parametrize(
    ("setting", "cure"),
    [
        ("", "have: auto, none, onnx"),
        ("minilm", "no embedder 'minilm'; have: auto, none, onnx"),
        ("onnx:large", "no embedder 'onnx:large'"),
        ("litellm:", "no embedder 'litellm:'"),
        ("path:", "no embedder 'path:'"),
        ("path:/nowhere", "/nowhere/model.onnx is missing"),
        ("https://embed.example.com/v1/embeddings", "'#' and the model"),
        ("https://embed.example.com#model", "'#' and the model"),
        ("https:///v1/embeddings#model", "'#' and the model"),
        ("https://me:secret@host/v1/embeddings#model", "its key is embedding_api_key"),
        ("https://host/v1/embeddings?key=secret#model", "its key is embedding_api_key"),
    ],
)
def test_a_wrong_setting_is_told_with_the_cure(setting: str, cure: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_embedder(setting)

    assert cure in str(caught.value)
    assert "secret" not in str(caught.value)
