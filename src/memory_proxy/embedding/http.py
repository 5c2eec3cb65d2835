"""Embedders behind an OpenAI-compatible `POST /v1/embeddings`: our LiteLLM's, or any other."""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from typing import Final, Self

import msgspec
import numpy as np
from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar
from numpy.typing import NDArray

from memory_proxy.core.errors import EmbeddingError, TextsRefused
from memory_proxy.embedding.base import Embedder, Vectors, head, normalised

_TIMEOUT_S: Final = 30.0
_REFUSED: Final = (400, 413, 422)  # a text too long, too many of them, or not allowed
_CURES: Final = {
    401: "; check the setting embedding_api_key",
    403: "; check the setting embedding_api_key",
    404: "; check the address and the model in the setting embedder",
}


class _Item(msgspec.Struct):
    embedding: list[float] | str  # base64 of little-endian floats, from servers that insist
    index: int


class _Answer(msgspec.Struct):
    data: list[_Item]


class HttpEmbedder(Embedder):
    """Entering asks once, to learn the dimension. `name` stands in the id in place of `url`, which
    may change without changing the vectors."""

    def __init__(
        self, url: str, *, model: str, name: str, api_key: str = "", timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._url = url
        self._model = model
        self._name = name
        self._headers = {"content-type": "application/json"}
        if api_key:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._timeout = ClientTimeout(total=timeout_s)
        self._dimension = 0

    async def __aenter__(self) -> Self:
        self._session = ClientSession(
            headers=self._headers, timeout=self._timeout, cookie_jar=DummyCookieJar()
        )
        try:
            self._dimension = (await self._asked(["dimension"])).shape[1]
        except BaseException:
            await self._session.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._session.close()

    @property
    def id(self) -> str:
        return f"{self._name}:{self._dimension}"

    @property
    def dimension(self) -> int:
        return self._dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self._dimension), np.float32)
        rows = await self._asked(texts)
        if rows.shape[1] != self._dimension:
            raise EmbeddingError(
                f"{self._name} answered with {rows.shape[1]} numbers a vector and with"
                f" {self._dimension} before: another model? A restart embeds everything anew"
            )
        return rows

    async def _asked(self, texts: Sequence[str]) -> Vectors:
        # A server refuses an empty text, and with it all the others.
        heads = [head(text) or " " for text in texts]
        asked = {"model": self._model, "input": heads, "encoding_format": "float"}
        body = msgspec.json.encode(asked)
        try:
            async with self._session.post(self._url, data=body, allow_redirects=False) as answer:
                content = await answer.read()
        except (ClientError, TimeoutError, OSError) as error:
            reason = str(error) or type(error).__name__
            raise EmbeddingError(f"{self._name} cannot be reached: {reason}") from error
        if answer.status in _REFUSED:
            raise TextsRefused(f"{self._name} answered with status {answer.status}")
        if answer.status != 200:
            cure = _CURES.get(answer.status, "")
            raise EmbeddingError(f"{self._name} answered with status {answer.status}{cure}")
        return await asyncio.to_thread(self._vectors, content, len(texts))

    def _vectors(self, content: bytes, count: int) -> Vectors:
        """The rows in the order of the texts, whatever the order of the answer."""
        try:
            found = msgspec.json.decode(content, type=_Answer).data
            items = sorted(found, key=lambda item: item.index)
            rows = np.array([_numbers(item) for item in items])
        except (msgspec.DecodeError, binascii.Error, ValueError) as error:
            raise EmbeddingError(f"{self._name} answered with no embeddings: {error}") from error
        if [item.index for item in items] != [*range(count)] or not rows.size:
            raise EmbeddingError(f"{self._name} answered with {len(items)} vectors, not {count}")
        return normalised(rows)


def _numbers(item: _Item) -> NDArray[np.float32]:
    if isinstance(item.embedding, str):
        return np.frombuffer(base64.b64decode(item.embedding, validate=True), "<f4")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused later
        return np.array(item.embedding, np.float32)
