"""Receipts: what was recalled for a request, why, and what was left out."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel

from memory_proxy.core.errors import NotFound
from memory_proxy.core.types import Role, TraceId
from memory_proxy.memory.traces import DroppedTurn, RecalledTurn, Trace
from memory_proxy.web.dependencies import AppServices, OwnScope

routes = APIRouter(prefix="/memory/traces")


class RecalledItem(BaseModel):
    """`reasons` are the strongest, in words; `age_days` counts to the time of the request."""

    id: str
    session: str
    role: Role
    at: datetime
    age_days: float
    score: float
    reasons: list[str]
    tokens: int
    text: str


class DroppedItem(BaseModel):
    id: str
    score: float
    why: str


class Receipt(BaseModel):
    """`query` is what was searched for; "" when nothing was. Milliseconds are by step."""

    id: str
    at: datetime
    session: str
    request_class: str
    mode: str
    query: str
    considered: int
    recalled: list[RecalledItem]
    dropped: list[DroppedItem]
    ledger: str
    trouble: str | None
    milliseconds: dict[str, float]


class ReceiptList(BaseModel):
    traces: list[Receipt]


@routes.get("")
async def list_traces(
    services: AppServices, scope: OwnScope, limit: Annotated[int, Query(ge=1, le=200)] = 20
) -> ReceiptList:
    """The newest first; they are kept for a day."""
    found = services.traces.recent(scope, limit=limit)
    return ReceiptList(traces=[_receipt(trace) for trace in found])


@routes.get("/{trace_id}")
async def read_trace(trace_id: str, services: AppServices, scope: OwnScope) -> Receipt:
    """The receipt whose id an answer carried as `x-memory-trace`."""
    trace = services.traces.get(scope, TraceId(trace_id))
    if trace is None:
        raise NotFound("no such trace; they are kept for a day, and until the proxy ends")
    return _receipt(trace)


def _receipt(trace: Trace) -> Receipt:
    return Receipt(
        id=trace.id,
        at=trace.at,
        session=trace.session,
        request_class=trace.request_class,
        mode=trace.mode,
        query=trace.asked,
        considered=trace.considered,
        recalled=[RecalledItem(**_described(turn, trace)) for turn in trace.recalled],
        dropped=[_dropped(turn) for turn in trace.dropped],
        ledger=trace.ledger,
        trouble=trace.trouble,
        milliseconds=dict(trace.milliseconds),
    )


def _described(turn: RecalledTurn, trace: Trace) -> dict[str, Any]:
    return {
        "id": f"{turn.exchange}.{turn.position}",
        "session": turn.session,
        "role": turn.role,
        "at": turn.at,
        "age_days": round((trace.at - turn.at).total_seconds() / 86_400, 2),
        "score": round(turn.score, 4),
        "reasons": list(turn.reasons),
        "tokens": turn.tokens,
        "text": turn.text,
    }


def _dropped(turn: DroppedTurn) -> DroppedItem:
    return DroppedItem(
        id=f"{turn.exchange}.{turn.position}", score=round(turn.score, 4), why=turn.why
    )
