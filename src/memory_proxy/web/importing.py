"""Lines of an import: cut from the stream, checked one by one, and made exchanges."""

import re
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from pydantic import BaseModel

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.core.types import Exchange, ExchangeId, Message, Scope, Turn
from memory_proxy.memory.capture import turn_of
from memory_proxy.memory.items import key_of
from memory_proxy.routing.identifiers import check_session_id
from memory_proxy.stores.base import TurnKey
from memory_proxy.web.bodies import parsed
from memory_proxy.web.item_models import ItemLine

_BATCH_LINES = 200
_BATCH_BYTES = 1_000_000
_OWN_ID = re.compile(r"[0-9a-f]{16,64}\.[0-9]+", re.ASCII)

Line = tuple[int, bytes | None]
"""Its number, from 1, and what it holds; None where that is more than allowed."""


class RefusedLine(BaseModel):
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class ReadLines:
    exchanges: Sequence[Exchange]
    refused: list[RefusedLine]


async def numbered_lines(chunks: AsyncIterator[bytes], *, limit_bytes: int) -> AsyncGenerator[Line]:
    """Those that hold anything."""
    cutter = _Cutter(limit_bytes)
    async for chunk in chunks:
        for line in cutter.cut(chunk):
            yield line
    for line in cutter.cut(b"\n"):
        yield line


async def batches(lines: AsyncIterator[Line]) -> AsyncGenerator[list[Line]]:
    batch: list[Line] = []
    size = 0
    async for line in lines:
        batch.append(line)
        size += len(line[1] or b"")
        if len(batch) >= _BATCH_LINES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def read_lines(lines: Sequence[Line], scope: Scope, now: datetime) -> ReadLines:
    """`now` is the date of lines that have none, a microsecond later for each."""
    found: dict[ExchangeId, Exchange] = {}
    refused: list[RefusedLine] = []
    for number, line in lines:
        try:
            turn = _turn(line, now + timedelta(microseconds=number))
            known = found.get(turn.exchange)
            found[turn.exchange] = _joined(known, turn) if known else _alone(scope, turn)
        except InvalidRequest as error:
            refused.append(RefusedLine(line=number, reason=str(error)))
    return ReadLines(list(found.values()), refused)


@dataclass(slots=True)
class _Cutter:
    """Keeps no more than the line that has not ended yet, and of one that is too long nothing."""

    limit_bytes: int
    _number: int = 1
    _begun: bytearray = field(default_factory=bytearray)
    _is_too_long: bool = False

    def cut(self, chunk: bytes) -> list[Line]:
        *ends, rest = chunk.split(b"\n")
        lines: list[Line] = []
        for end in ends:
            self._take(end)
            if self._is_too_long or self._begun.strip():
                lines.append((self._number, None if self._is_too_long else bytes(self._begun)))
            self._begun, self._is_too_long = bytearray(), False
            self._number += 1
        self._take(rest)
        return lines

    def _take(self, part: bytes) -> None:
        self._is_too_long = self._is_too_long or len(self._begun) + len(part) > self.limit_bytes
        if self._is_too_long:
            self._begun = bytearray()
        else:
            self._begun += part


def _turn(line: bytes | None, now: datetime) -> Turn:
    if line is None:
        raise InvalidRequest("the line is too long (memory_proxy.max_body_bytes)")
    item = parsed(ItemLine, line.removeprefix(BOM_UTF8))
    message = _message(item)
    session = check_session_id(item.session, source="session")
    key = _made_key(item) if item.id is None else _given_key(item.id)
    turn = turn_of(message, session, key.exchange, key.position, _utc(item.at or now))
    return replace(turn, pinned=item.pinned, edited_at=item.edited_at and _utc(item.edited_at))


def _message(item: ItemLine) -> Message:
    if not (item.text.strip() or item.tool_calls or item.tool_call_id):
        raise InvalidRequest("text: is empty, and there is no tool call")
    calls = tuple(call.tool_call() for call in item.tool_calls)
    return Message(item.role, item.text, calls, item.tool_call_id)


def _given_key(id_: str) -> TurnKey:
    key = key_of(id_)
    if key is None or not _OWN_ID.fullmatch(id_):
        raise InvalidRequest("id: is none of an export; leave it out, and one is made")
    return key


def _made_key(item: ItemLine) -> TurnKey:
    """The same for the same content, so that a line is imported once."""
    content = item.model_dump_json(exclude={"id", "pinned", "edited_at"})
    digest = blake2b(content.encode(), digest_size=16)
    return TurnKey(ExchangeId(digest.hexdigest()), 0)


def _alone(scope: Scope, turn: Turn) -> Exchange:
    return Exchange(turn.exchange, scope, turn.session, (turn,), turn.at)


def _joined(exchange: Exchange, turn: Turn) -> Exchange:
    """Of two lines for one place the first counts."""
    if turn.session != exchange.session:
        raise InvalidRequest("session: other turns of this exchange are in another")
    if any(turn.position == each.position for each in exchange.turns):
        return exchange
    return replace(exchange, turns=(*exchange.turns, turn))


def _utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError as error:
        raise InvalidRequest("at: is before year 1 or after year 9999 in UTC") from error
