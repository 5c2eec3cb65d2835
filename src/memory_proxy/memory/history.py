"""The stored turns of a session that go before a request which brings only its newest message."""

from collections.abc import Iterable, Sequence

from memory_proxy.core.types import Exchange, Message, Role, Turn
from memory_proxy.memory.tokens import estimate_tokens


def merged(stored: Sequence[Turn], unsaved: Iterable[Exchange]) -> list[Turn]:
    """Stored turns, then those of exchanges on their way to the store, none of them twice."""
    known = {turn.exchange for turn in stored}
    waiting = [turn for exchange in unsaved if exchange.id not in known for turn in exchange.turns]
    return [*stored, *waiting]


def window(
    turns: Sequence[Turn], *, limit_messages: int, budget_tokens: int
) -> tuple[Message, ...]:
    """The newest messages that fit, beginning with something that the user said."""
    kept: list[Message] = []
    left = budget_tokens
    for turn in reversed(turns[-limit_messages:]):
        left -= _cost(turn.message)
        if left < 0:
            break
        kept.append(turn.message)
    kept.reverse()
    first = next((i for i, message in enumerate(kept) if message.role is Role.USER), len(kept))
    return tuple(kept[first:])


def _cost(message: Message) -> int:
    calls = sum(estimate_tokens(call.name + call.arguments) for call in message.tool_calls)
    return estimate_tokens(message.text) + calls + 4  # what a message costs besides its words
