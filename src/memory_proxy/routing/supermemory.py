"""How a request header gets through LiteLLM to Supermemory: in the body's `extra_headers`.

That is the one way that reaches the provider on every route which takes a JSON body. It replaces
the headers that the model's configuration sends, so those go along.
"""

import re
from collections.abc import Mapping

import msgspec
import orjson

_MODEL_IN_PATH = re.compile(r"/models/([^/]+(?:/[^/]+)*):[A-Za-z]+$")


class _Named(msgspec.Struct):
    model: str | None = None


def model_of(path: str, body: bytes) -> str | None:
    """The model that a path (Gemini's way) or a JSON body names; None for any other request."""
    try:
        in_body = msgspec.json.decode(body, type=_Named).model
    except msgspec.DecodeError:
        return None
    in_path = _MODEL_IN_PATH.search(path)
    return in_path[1] if in_path else in_body


def with_extra_headers(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The JSON object `body` with one more member; every other byte as it was."""
    trimmed = body.rstrip()
    separator = b"" if trimmed[:-1].rstrip().endswith(b"{") else b","
    return b"".join((trimmed[:-1], separator, b'"extra_headers":', orjson.dumps(headers), b"}"))
