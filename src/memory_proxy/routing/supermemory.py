"""How a request header gets through LiteLLM to Supermemory: in the body's `extra_headers`.

That is the one way that reaches the provider on every route which takes a JSON body. It replaces
the headers that the model's configuration sends, so those go along.
"""

from collections.abc import Mapping

import msgspec
import orjson


class _Named(msgspec.Struct):
    model: str


def model_of(body: bytes) -> str | None:
    """The model that a JSON body names; None for any other body."""
    try:
        return msgspec.json.decode(body, type=_Named).model
    except msgspec.DecodeError:
        return None


def with_extra_headers(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The JSON object `body` with one more member; every other byte as it was."""
    trimmed = body.rstrip()
    separator = b"" if trimmed[:-1].rstrip().endswith(b"{") else b","
    return b"".join((trimmed[:-1], separator, b'"extra_headers":', orjson.dumps(headers), b"}"))
