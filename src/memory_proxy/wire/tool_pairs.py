"""Keeping tool calls and their answers together: providers refuse one without the other."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import takewhile

from memory_proxy.core.types import Message, Role


def whole_tool_calls(history: Sequence[Message], newest: Sequence[Message]) -> tuple[Message, ...]:
    """`history` as it may stand before `newest`, the messages that the request brings itself.

    An answer counts only directly after its call, as providers ask for it. Calls that nobody
    answers and answers that nobody asked for are left out, as is everything before the first words
    of a person; system messages belong to a request, never to its history.
    """
    past = [message for message in history if message.role is not Role.SYSTEM]
    coming = [message for message in newest if message.role is not Role.SYSTEM]
    kept: list[Message] = []
    for position, message in enumerate(past):
        if message.role is Role.TOOL:
            continue  # it comes with its call
        if message.tool_calls:
            kept += _with_answers(message, past[position + 1 :], coming)
        else:
            kept.append(message)
    return _from_first_person(kept, coming)


def _with_answers(
    caller: Message, past: Sequence[Message], coming: Sequence[Message]
) -> list[Message]:
    """`caller` with the calls that were answered, then the answers that `past` holds."""
    asked = {call.id for call in caller.tool_calls if call.id}
    stored = {m.tool_call_id: m for m in _leading_answers(past) if m.tool_call_id in asked}
    answers = list(stored.values())
    if all(message.role is Role.TOOL for message in past):
        answers += _leading_answers(coming)
    answered = {message.tool_call_id for message in answers}
    calls = tuple(call for call in caller.tool_calls if call.id in asked & answered)
    if not calls and not caller.text:
        return []
    return [replace(caller, tool_calls=calls), *stored.values()]


def _leading_answers(messages: Sequence[Message]) -> list[Message]:
    return list(takewhile(lambda message: message.role is Role.TOOL, messages))


def _from_first_person(kept: Sequence[Message], coming: Sequence[Message]) -> tuple[Message, ...]:
    """A conversation begins with a person, except where the request answers an earlier call."""
    for position, message in enumerate(kept):
        if message.role is Role.USER:
            return tuple(kept[position:])
    return tuple(kept) if _leading_answers(coming) else ()
