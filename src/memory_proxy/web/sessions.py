"""The sessions of one user: list, read, delete."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from memory_proxy.core.errors import NotFound
from memory_proxy.core.types import Role, SessionId, SessionSummary, Turn
from memory_proxy.web.dependencies import AppServices, OwnScope

routes = APIRouter(prefix="/memory/sessions")


class SessionItem(BaseModel):
    id: str
    started_at: datetime
    last_at: datetime
    turns: int


class SessionList(BaseModel):
    """`next_before` continues the list; null at its end."""

    sessions: list[SessionItem]
    next_before: datetime | None


class TurnItem(BaseModel):
    role: Role
    text: str
    at: datetime
    tool_calls: list[str]


class SessionTurns(BaseModel):
    id: str
    turns: list[TurnItem]


class Deleted(BaseModel):
    id: str
    deleted_turns: int


@routes.get("")
async def list_sessions(
    services: AppServices,
    scope: OwnScope,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: AwareDatetime | None = None,
) -> SessionList:
    """The most recent first; `before` takes up where the last list ended."""
    await services.settled(scope)
    found = await services.memory.store.sessions(scope, limit=limit, before=before)
    more = found[-1].last_at if len(found) == limit else None
    return SessionList(sessions=[_session_item(one) for one in found], next_before=more)


@routes.get("/{session_id:path}")
async def read_session(
    session_id: str,
    services: AppServices,
    scope: OwnScope,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
) -> SessionTurns:
    """The newest `limit` turns, oldest first."""
    await services.settled(scope)
    turns = await services.memory.store.history(scope, SessionId(session_id), limit=limit)
    if not turns:
        raise NotFound("no such session")
    return SessionTurns(id=session_id, turns=[_turn_item(turn) for turn in turns])


@routes.delete("/{session_id:path}")
async def delete_session(session_id: str, services: AppServices, scope: OwnScope) -> Deleted:
    """Forgets the session wholly, also what was still on its way to the store."""
    await services.settled(scope)
    count = await services.memory.store.delete_session(scope, SessionId(session_id))
    services.traces.forget_session(scope, SessionId(session_id))
    if not count:
        raise NotFound("no such session")
    return Deleted(id=session_id, deleted_turns=count)


def _session_item(session: SessionSummary) -> SessionItem:
    return SessionItem(
        id=session.id,
        started_at=session.started_at,
        last_at=session.last_at,
        turns=session.turn_count,
    )


def _turn_item(turn: Turn) -> TurnItem:
    message = turn.message
    return TurnItem(
        role=message.role,
        text=message.text,
        at=turn.at,
        tool_calls=[call.name for call in message.tool_calls],
    )
