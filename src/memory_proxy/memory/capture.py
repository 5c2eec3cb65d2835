"""What of a request and its reply is new, and therefore stored."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import blake2b

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Role,
    Scope,
    SessionId,
    Turn,
)
from memory_proxy.memory.notes import without_notes
from memory_proxy.memory.wrappers import without_wrappers
from memory_proxy.retrieval.entries import entry_of


@dataclass(frozen=True, slots=True)
class Conversation:
    """What led to a reply: `messages` of the request, in order, and what we put before them.

    `follows` is the newest stored exchange of the session, for a client that sends its newest
    message only. `is_known`: the session already holds what went before the newest messages.
    """

    scope: Scope
    session: SessionId
    messages: tuple[Message, ...]
    follows: ExchangeId | None = None
    is_known: bool = True


def exchange_of(
    conversation: Conversation, reply: Message | None, *, at: datetime, is_complete: bool
) -> Exchange:
    """The exchange to store. The same conversation on the same day has the same id: a client that
    tries again is stored once."""
    said = [message for message in conversation.messages if message.role is not Role.SYSTEM]
    new = _newest(said) if conversation.is_known else said
    exchange_id = _digest(conversation, said, at)
    kept = [_own_words(message) for message in (*new, reply) if message is not None]
    turns = tuple(
        turn_of(message, conversation.session, exchange_id, position, at)
        for position, message in enumerate(filter(_has_content, kept))
    )
    return Exchange(
        exchange_id, conversation.scope, conversation.session, turns, at, not is_complete
    )


def turn_of(
    message: Message, session: SessionId, exchange: ExchangeId, position: int, at: datetime
) -> Turn:
    """`message` as it is stored."""
    return Turn(session, exchange, position, message, at, entry_of(message, session, at))


def _newest(said: Sequence[Message]) -> Sequence[Message]:
    """The messages after the last that the assistant wrote."""
    for index in range(len(said) - 1, -1, -1):
        if said[index].role is Role.ASSISTANT:
            return said[index + 1 :]
    return said


def _own_words(message: Message) -> Message:
    """Without what we, or the client, put around what was said."""
    text = without_notes(message.text)
    text = without_wrappers(text) if message.role is Role.USER else text
    return message if text is message.text else replace(message, text=text)


def _has_content(message: Message) -> bool:
    return bool(message.text.strip() or message.tool_calls or message.tool_call_id)


def _digest(conversation: Conversation, said: Sequence[Message], at: datetime) -> ExchangeId:
    """Every part is preceded by its length, so that no two conversations join to the same bytes."""
    digest = blake2b(digest_size=16)
    parts = [conversation.session, conversation.follows or "", at.date().isoformat()]
    for message in said:
        parts += [message.role, message.text, message.tool_call_id or ""]
        parts += [call.id + call.name + call.arguments for call in message.tool_calls]
    for part in parts:
        encoded = part.encode(errors="surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return ExchangeId(digest.hexdigest())
