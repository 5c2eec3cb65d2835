"""From a setting to an embedder."""

from pathlib import Path
from urllib.parse import urlsplit

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.hashing import HashingEmbedder
from memory_proxy.embedding.http import HttpEmbedder
from memory_proxy.embedding.models import has_minilm, in_folder, minilm
from memory_proxy.embedding.onnx import OnnxEmbedder

_FORMS = (
    "auto, none, onnx, hashing, litellm:<model>, path:<folder>, https://host/v1/embeddings#model"
)


def open_embedder(
    setting: str, *, api_key: str = "", litellm_url: str = "", litellm_key: str = ""
) -> Embedder | None:
    """The embedder that `setting` names, not yet entered; None: recall goes by words alone.

    `auto` is `onnx` where its packages are installed, else `none`. A model named `litellm:...` is
    asked for at `litellm_url` with `litellm_key`; `api_key` is for any other URL. Raises
    ConfigurationError.
    """
    kind, _, rest = setting.partition(":")
    match kind:
        case "none" if not rest:
            return None
        case "auto" if not rest:
            return OnnxEmbedder(minilm()) if has_minilm() else None
        case "onnx" if not rest:
            return OnnxEmbedder(minilm())
        case "hashing" if not rest:
            return HashingEmbedder()
        case "path" if rest:
            return OnnxEmbedder(in_folder(Path(rest)))
        case "litellm" if rest:
            url = f"{litellm_url}/v1/embeddings"
            return HttpEmbedder(url, model=rest, name=setting, api_key=litellm_key)
        case "http" | "https":
            return _elsewhere(setting, api_key)
        case _:
            raise ConfigurationError(f"no embedder '{setting}'; have: {_FORMS}")


def _elsewhere(setting: str, api_key: str) -> Embedder:
    url = urlsplit(setting)
    if not url.hostname or not url.path.strip("/") or not url.fragment:
        raise ConfigurationError(
            "an embedder elsewhere is written with its whole address, '#' and the model:"
            " https://host/v1/embeddings#model"
        )
    if url.username is not None or url.query:
        raise ConfigurationError(
            "the address of an embedder has no user and no query; its key is embedding_api_key"
        )
    address, _, model = setting.partition("#")
    return HttpEmbedder(address, model=model, name=setting, api_key=api_key)
