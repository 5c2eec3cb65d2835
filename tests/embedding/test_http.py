from collections.abc import AsyncGenerator

import numpy as np
import pytest

from memory_proxy.core.errors import EmbeddingError, TextsRefused
from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.hashing import HashingEmbedder
from memory_proxy.embedding.http import HttpEmbedder
from memory_proxy.embedding.opening import open_embedder
from tests.embedding.contract import EmbedderContract
from tests.embedding.server import EmbeddingsServer, embeddings_server


@pytest.fixture
async def server() -> AsyncGenerator[EmbeddingsServer]:
    async with embeddings_server() as running:
        yield running


def an_embedder(server: EmbeddingsServer, *, api_key: str = "") -> Embedder:
    embedder = open_embedder(f"{server.url}#tiny", api_key=api_key)
    assert embedder is not None
    return embedder


class TestElsewhere(EmbedderContract):
    @pytest.fixture
    async def embedder(self, server: EmbeddingsServer) -> AsyncGenerator[Embedder]:
        async with an_embedder(server) as opened:
            yield opened


class TestBase64(EmbedderContract):
    @pytest.fixture
    async def embedder(self, server: EmbeddingsServer) -> AsyncGenerator[Embedder]:
        server.as_base64 = True
        async with an_embedder(server) as opened:
            yield opened


async def test_the_request_is_what_the_api_expects(server: EmbeddingsServer) -> None:
    async with an_embedder(server, api_key="sk-secret") as embedder:
        await embedder.embed(["tea", ""])

    assert server.calls[-1] == {"model": "tiny", "input": ["tea", " "], "encoding_format": "float"}
    assert server.headers[-1] == "Bearer sk-secret"


async def test_our_litellm_is_asked_with_its_master_key(server: EmbeddingsServer) -> None:
    base = server.url.removesuffix("/v1/embeddings")
    embedder = open_embedder("litellm:tiny", litellm_url=base, litellm_key="sk-master")
    assert embedder is not None

    async with embedder:
        assert embedder.id == "litellm:tiny:256"
    assert server.calls[-1]["model"] == "tiny"
    assert server.headers[-1] == "Bearer sk-master"


async def test_without_a_key_none_is_sent(server: EmbeddingsServer) -> None:
    async with an_embedder(server):
        assert server.headers == [None]


async def test_the_vectors_are_the_servers(server: EmbeddingsServer) -> None:
    async with an_embedder(server) as embedder:
        found = await embedder.embed(["tea", "milk"])

    assert np.allclose(found, await HashingEmbedder().embed(["tea", "milk"]), atol=1e-5)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "status 401; check the setting embedding_api_key"),
        (404, "status 404; check the address and the model"),
        (307, "status 307"),
        (429, "status 429"),
        (500, "status 500"),
    ],
)
async def test_a_refusal_is_an_error_of_ours(
    server: EmbeddingsServer, status: int, message: str
) -> None:
    async with an_embedder(server) as embedder:
        server.status = status
        with pytest.raises(EmbeddingError, match=message):
            await embedder.embed(["tea"])


async def test_texts_that_are_refused_are_told_from_a_server_that_fails(
    server: EmbeddingsServer,
) -> None:
    async with an_embedder(server) as embedder:
        server.refuses = "tea"
        with pytest.raises(TextsRefused, match="status 400"):
            await embedder.embed(["milk", "tea"])
        assert (await embedder.embed(["milk"])).shape == (1, 256)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"{}",
        b'{"data": []}',
        b'{"data": [{"index": 1, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}]}',
        b'{"data": [{"index": 0, "embedding": []}]}',
        b'{"data": [{"index": 0, "embedding": "%%%"}]}',
        b'{"data": [{"index": 0, "embedding": "AAA="}]}',
        b'{"data": [{"index": 0, "embedding": [null]}]}',
        b'{"data": [{"index": 0, "embedding": "AADAfw=="}]}',
        b'{"data": [{"index": 0, "embedding": [1e39]}]}',
    ],
    ids=lambda body: body.decode()[:60],
)
async def test_an_answer_without_good_vectors_is_an_error_of_ours(
    server: EmbeddingsServer, body: bytes
) -> None:
    server.body = body
    with pytest.raises(EmbeddingError):
        await an_embedder(server).__aenter__()


async def test_another_dimension_than_before_is_refused(server: EmbeddingsServer) -> None:
    async with an_embedder(server) as embedder:
        server.dimension = 128
        with pytest.raises(EmbeddingError, match="128 numbers a vector and with 256 before"):
            await embedder.embed(["tea"])


async def test_nobody_there_is_an_error_of_ours() -> None:
    async with embeddings_server() as gone:
        embedder = an_embedder(gone)

    with pytest.raises(EmbeddingError, match="cannot be reached"):
        await embedder.__aenter__()


async def test_a_server_that_does_not_answer_is_left(server: EmbeddingsServer) -> None:
    server.go.clear()

    with pytest.raises(EmbeddingError, match="cannot be reached: "):
        await HttpEmbedder(server.url, model="tiny", name="slow", timeout_s=0.05).__aenter__()
