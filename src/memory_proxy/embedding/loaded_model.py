"""A sentence model in memory. The only module that imports onnxruntime and tokenizers, which are
an extra and take a third of a second."""

import ctypes
import sys
from collections.abc import Sequence
from hashlib import file_digest
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from memory_proxy.core.errors import EmbeddingError
from memory_proxy.embedding.base import Vectors, head
from memory_proxy.embedding.models import ModelFile, OnnxModel

_MAX_TOKENS: Final = 256


class LoadedModel:
    """Every method blocks; several threads may call them at once."""

    def __init__(
        self, name: str, session: onnxruntime.InferenceSession, tokenizer: Tokenizer
    ) -> None:
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {node.name for node in session.get_inputs()}
        outputs = [node.name for node in session.get_outputs()]
        own = "sentence_embedding"
        self._output = own if own in outputs else outputs[0]
        self.dimension = int(self.vectors([[0]]).shape[1])
        self.id = f"{name}:{_MAX_TOKENS}:{self.dimension}"

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        # Not `encode`: it holds the interpreter lock, a millisecond for each long text.
        found = self._tokenizer.encode_batch_fast([head(text) for text in texts])
        return [each.ids for each in found]

    def vectors(self, tokens: Sequence[Sequence[int]]) -> Vectors:
        """What the model itself calls `sentence_embedding`, or the means of its token vectors."""
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

    def tidy_up(self) -> None:
        """For after a batch; takes up to 3 ms."""
        _return_unused_memory()


def load(model: OnnxModel) -> LoadedModel:
    """Raises EmbeddingError where a file is not the one that it should be."""
    digests = [_verified(file, model.cure) for file in (model.weights, model.words)]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False  # it would keep the most that any run ever took
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(model.weights.path), options, providers=["CPUExecutionProvider"]
    )
    tokenizer = _tokenizer(model.words.path)
    tokenizer.enable_truncation(_MAX_TOKENS)  # pyright: ignore[reportUnknownMemberType]
    tokenizer.no_padding()
    _return_unused_memory()
    return LoadedModel(":".join([model.name, *(d[:12] for d in digests)]), session, tokenizer)


def _verified(file: ModelFile, cure: str) -> str:
    """The SHA-256 of a file that has the one it must have."""
    try:
        with file.path.open("rb") as content:
            found = file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise EmbeddingError(f"{file.path} cannot be read: {error.strerror}; {cure}") from error
    if file.sha256 is not None and found != file.sha256:
        raise EmbeddingError(
            f"{file.path} is not the file that it should be (its SHA-256 begins with {found[:12]},"
            f" not {file.sha256[:12]}) and was not loaded; {cure}"
        )
    return found


def _tokenizer(words: Path) -> Tokenizer:
    return _wordpiece(words) if words.suffix == ".txt" else Tokenizer.from_file(str(words))


def _wordpiece(vocabulary: Path) -> Tokenizer:
    """As BERT uncased splits: in lower case, without accents, at punctuation, then into pieces."""
    words = vocabulary.read_text("utf-8").rstrip("\n").split("\n")
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(numbers, unk_token="[UNK]"))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(mark, numbers[mark]) for mark in ("[CLS]", "[SEP]")],
    )
    return tokenizer


def _return_unused_memory() -> None:
    """glibc keeps it until it is asked: 60 MB after loading, up to 120 MB after long texts."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
