"""A stored turn as our own API writes and reads it."""

from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict

from memory_proxy.core.types import Role, ToolCall, Turn
from memory_proxy.memory.items import item_id


class ToolCallItem(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    id: str
    name: str
    arguments: str

    def tool_call(self) -> ToolCall:
        return ToolCall(self.id, self.name, self.arguments)


class Item(BaseModel):
    """`arguments` of a tool call are JSON text; times are UTC."""

    id: str
    session: str
    role: Role
    text: str
    at: datetime
    tool_calls: list[ToolCallItem]
    tool_call_id: str | None
    pinned: bool
    edited_at: datetime | None

    @classmethod
    def of(cls, turn: Turn) -> Self:
        return cls.model_validate(_fields(turn))


class FoundItem(Item):
    """The higher its score, the likelier it is what was asked for."""

    score: float

    @classmethod
    def scored(cls, turn: Turn, score: float) -> Self:
        return cls.model_validate({**_fields(turn), "score": score})


class ItemLine(BaseModel):
    """What a line of an import must hold: an item of an export, or less.

    Without `id` one is made of what the line says; without `at` it is the time of the import.
    """

    model_config = ConfigDict(strict=True, extra="forbid")

    id: str | None = None
    session: str
    role: Role
    text: str
    at: AwareDatetime | None = None
    tool_calls: list[ToolCallItem] = []
    tool_call_id: str | None = None
    pinned: bool = False
    edited_at: AwareDatetime | None = None


def _fields(turn: Turn) -> dict[str, object]:
    message = turn.message
    return {
        "id": item_id(turn),
        "session": turn.session,
        "role": message.role,
        "text": message.text,
        "at": turn.at,
        "tool_calls": [
            ToolCallItem(id=call.id, name=call.name, arguments=call.arguments)
            for call in message.tool_calls
        ],
        "tool_call_id": message.tool_call_id,
        "pinned": turn.pinned,
        "edited_at": turn.edited_at,
    }
