"""What of a stored history can be said again, in any format and to any provider."""

import msgspec

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.core.types import Message, Role
from memory_proxy.wire.splice import members_of


def is_sayable(message: Message) -> bool:
    """Providers refuse messages with nothing in them; instructions belong to each request."""
    if message.role is Role.TOOL:
        return True
    return message.role is not Role.SYSTEM and bool(message.text.strip() or message.tool_calls)


def object_arguments(arguments: str) -> str:
    """The JSON object that providers ask for, whatever text a model once wrote as arguments."""
    if not arguments.strip():
        return "{}"
    try:
        members_of(arguments.encode())
    except InvalidRequest:
        return msgspec.json.encode({"arguments": arguments}).decode()
    return arguments
