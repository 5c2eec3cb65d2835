"""Sentence models that run here, on the processor, through onnxruntime."""

import asyncio
import ctypes
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import file_digest
from pathlib import Path
from typing import Final, Self, TypeVar

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from memory_proxy.core.errors import EmbeddingError
from memory_proxy.embedding.base import HEAD_CHARACTERS, Embedder, Vectors, normalised

_MAX_TOKENS: Final = 256
_TOKENS_AT_ONCE: Final = 256  # more in one run takes memory and gains no time
_THREADS: Final = 2  # so that a query need not wait for what is embedded in the background

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ModelFile:
    """`sha256` None: any content will do."""

    path: Path
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """`load_tokenizer` reads the file `words`. `cure` ends the message about a wrong file."""

    name: str
    weights: ModelFile
    words: ModelFile
    load_tokenizer: Callable[[Path], Tokenizer]
    cure: str


class OnnxEmbedder(Embedder):
    """The mean of a text's token vectors, or what the model itself calls `sentence_embedding`."""

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
            rows[group] = await self._in_thread(self._loaded.run, [tokens[i] for i in group])
        return normalised(rows)

    async def _in_thread(self, function: Callable[..., T], *arguments: object) -> T:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, function, *arguments)
        except EmbeddingError:
            raise
        except Exception as error:  # neither library has a class for its errors
            raise EmbeddingError(f"{self._model.name}: {error}") from error


class _LoadedModel:
    """Every method runs in a thread; several may run at once."""

    def __init__(self, name: str, session: onnxruntime.InferenceSession, tokenizer: Tokenizer):
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {node.name for node in session.get_inputs()}
        outputs = [node.name for node in session.get_outputs()]
        own = "sentence_embedding"
        self._output = own if own in outputs else outputs[0]
        self.dimension = int(self.run([[0]]).shape[1])
        self.id = f"{name}:{_MAX_TOKENS}:{self.dimension}"

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        return [self._tokenizer.encode(text[:HEAD_CHARACTERS]).ids for text in texts]

    def run(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        ids = np.zeros((len(tokens), max(map(len, tokens))), np.int64)
        mask = np.zeros_like(ids)
        for row, some in enumerate(tokens):
            ids[row, : len(some)] = some
            mask[row, : len(some)] = 1
        known = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        given = {name: known[name] for name in self._inputs}
        [found] = self._session.run([self._output], given)
        if found.ndim == 2:
            return found
        weights = mask[:, :, np.newaxis].astype(np.float32)
        means: Vectors = (found * weights).sum(axis=1) / weights.sum(axis=1)
        return means


def _load(model: OnnxModel) -> _LoadedModel:
    digests = [_verified(file, model) for file in (model.weights, model.words)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the most that any run ever took
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(model.weights.path), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = model.load_tokenizer(model.words.path)
    tokenizer.enable_truncation(_MAX_TOKENS)  # pyright: ignore[reportUnknownMemberType]
    tokenizer.no_padding()
    _return_unused_memory()
    return _LoadedModel(":".join([model.name, *(d[:12] for d in digests)]), session, tokenizer)


def _verified(file: ModelFile, model: OnnxModel) -> str:
    """The SHA-256 of a file, which is the one that it must have."""
    try:
        with file.path.open("rb") as content:
            found = file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(
            f"{file.path} cannot be read: {error.strerror}; {model.cure}"
        ) from error
    if file.sha256 not in (None, found):
        raise EmbeddingError(
            f"{file.path} is not the file that it should be (its SHA-256 begins with {found[:12]},"
            f" not {file.sha256[:12]}) and was not loaded; {model.cure}"
        )
    return found


def _return_unused_memory() -> None:
    """What only loading needed, a third of it all: glibc keeps it until it is asked."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


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
