"""Wire formats. To add one: write its module, list it here, give it a folder of recorded bodies."""

import re

from memory_proxy.wire.anthropic_messages import AnthropicMessages
from memory_proxy.wire.base import WireFormat
from memory_proxy.wire.errors import ANTHROPIC, GEMINI, OPENAI, Dialect
from memory_proxy.wire.openai_chat import OpenAIChat

__all__ = ["WIRE_FORMATS", "Dialect", "WireFormat", "dialect_of", "select_format"]

WIRE_FORMATS: tuple[WireFormat, ...] = (OpenAIChat(), AnthropicMessages())

_ANTHROPIC_PATH = re.compile(r"/v1/messages(/.*)?")
_GEMINI_PATH = re.compile(r"/v1(alpha|beta)/.*|(/v1)?/models/.+:[a-z]\w*(Content|Contents|Tokens)")


def select_format(method: str, path: str) -> WireFormat | None:
    """The format that speaks `path`, or None for a request that is only passed through."""
    return next((fmt for fmt in WIRE_FORMATS if fmt.matches(method, path)), None)


def dialect_of(path: str) -> Dialect:
    """How errors are said to a client of `path`, whether or not a format reads its requests."""
    if _ANTHROPIC_PATH.fullmatch(path):
        return ANTHROPIC
    return GEMINI if _GEMINI_PATH.fullmatch(path) else OPENAI
