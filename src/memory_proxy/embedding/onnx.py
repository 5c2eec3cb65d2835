"""Sentence models that run here, on the processor, through onnxruntime."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final, Self, TypeVar

import numpy as np

from memory_proxy.core.errors import EmbeddingError
from memory_proxy.embedding.base import Embedder, Vectors, normalised
from memory_proxy.embedding.models import OnnxModel

if TYPE_CHECKING:
    from memory_proxy.embedding.loaded_model import LoadedModel

_TOKENS_AT_ONCE: Final = 256  # more in one run takes memory and gains no time
_THREADS: Final = 2  # so that a query need not wait for what is embedded in the background

T = TypeVar("T")


class OnnxEmbedder(Embedder):
    """Loading, too, is done in a thread, when it is entered."""

    def __init__(self, model: OnnxModel) -> None:
        self._model = model

    async def __aenter__(self) -> Self:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="onnx")
        try:
            self._loaded = await self._in_thread(_load, self._model)
        except BaseException:
            self._threads.shutdown(wait=False)
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await asyncio.to_thread(self._threads.shutdown)
        del self._loaded

    @property
    def id(self) -> str:
        return self._loaded.id

    @property
    def dimension(self) -> int:
        return self._loaded.dimension

    async def embed(self, texts: Sequence[str]) -> Vectors:
        tokens = await self._in_thread(self._loaded.tokens, texts)
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for group in _groups(tokens):
            rows[group] = await self._in_thread(self._loaded.vectors, [tokens[i] for i in group])
        if len(texts) > 1:
            await self._in_thread(self._loaded.tidy_up)
        return normalised(rows)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except EmbeddingError:
            raise
        except Exception as error:  # neither library has a class of its own for its errors
            raise EmbeddingError(f"{self._model.name}: {error}") from error


def _load(model: OnnxModel) -> "LoadedModel":
    from memory_proxy.embedding.loaded_model import load

    return load(model)


def _groups(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Indices of texts to run together: of like length, so that little of a run is padding."""
    group: list[int] = []
    for index in sorted(range(len(tokens)), key=lambda i: len(tokens[i])):
        if group and (len(group) + 1) * len(tokens[index]) > _TOKENS_AT_ONCE:
            yield group
            group = []
        group.append(index)
    if group:
        yield group
