"""One request from the client's bytes to LiteLLM's answer: whose memory, which session, what is
recalled, what is sent, what is overheard, and what is kept. This is the way of a request."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import blake2b
from time import perf_counter

from memory_proxy.core.errors import InvalidRequest, UpstreamError
from memory_proxy.core.types import (
    Caller,
    Headers,
    InboundRequest,
    Message,
    Role,
    Scope,
    SessionId,
    UpstreamResponse,
    first_header,
)
from memory_proxy.memory.capture import Conversation, exchange_of
from memory_proxy.memory.manager import History, MemoryManager, MemoryTrouble
from memory_proxy.memory.notes import Notes
from memory_proxy.recorder import Recorder
from memory_proxy.routing.memory_router import (
    SUPERMEMORY_KEY_HEADER,
    SUPERMEMORY_USER_HEADER,
    MemoryRouter,
)
from memory_proxy.routing.sessions import Session, session_of
from memory_proxy.routing.supermemory import model_of, with_extra_headers
from memory_proxy.security.forwarding import forwardable_headers, response_headers
from memory_proxy.security.keys import without_key
from memory_proxy.security.upstream_choice import (
    without_upstream_choice,
    without_upstream_choice_query,
)
from memory_proxy.telemetry.metrics import Metrics
from memory_proxy.upstream import OutboundRequest, Upstream
from memory_proxy.wire import dialect_of, select_format
from memory_proxy.wire.base import ChatRequest, ReplyReader, WireFormat
from memory_proxy.wire.tool_pairs import whole_tool_calls

logger = logging.getLogger(__name__)


class MemoryMode(StrEnum):
    """What `x-memory` asks for; without the header memory is read and written."""

    OFF = "off"
    READ = "read"
    WRITE = "write"
    ON = "on"

    @property
    def reads(self) -> bool:
        return self in (MemoryMode.READ, MemoryMode.ON)

    @property
    def writes(self) -> bool:
        return self in (MemoryMode.WRITE, MemoryMode.ON)


@dataclass(frozen=True, slots=True)
class Recalled:
    """What memory has to say to a request, and what kept it from saying more."""

    history: History = field(default_factory=History)
    notes: Notes = field(default_factory=Notes)
    trouble: str | None = None
    is_known: bool = True  # the session holds what went before the newest messages


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes to LiteLLM, what is told to the client, and what will be remembered (if it is)."""

    outbound: OutboundRequest
    marks: Headers
    wire: WireFormat | None = None
    conversation: Conversation | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`router` None: memory routing is off, and everything passes through."""

    router: MemoryRouter | None
    memory: MemoryManager
    recorder: Recorder
    upstream: Upstream
    metrics: Metrics
    supermemory_key: str | None = None

    @asynccontextmanager
    async def open(
        self, inbound: InboundRequest, caller: Caller, request_id: str
    ) -> AsyncGenerator[UpstreamResponse]:
        """LiteLLM's answer to `inbound`; leaving the context ends the exchange.

        The exchange is recorded on leaving, not in the body's generator: a client that goes away
        leaves the generator unfinished. Raises RequestError and UpstreamError.
        """
        plan = await self._plan(inbound, caller)
        started = perf_counter()
        async with self.upstream.send(plan.outbound) as reply:
            self.metrics.upstream_answered(perf_counter() - started)
            headers = response_headers(reply.headers) + plan.marks
            if plan.wire is None or reply.status // 100 != 2:
                yield replace(reply, headers=headers)
                return
            is_stream = _is_event_stream(reply.headers)
            reader = plan.wire.reply_reader(stream=is_stream)
            chunks = _overheard(reply.chunks, reader)
            if is_stream:
                chunks = _ended_in_dialect(chunks, inbound.path, request_id)
            try:
                yield UpstreamResponse(reply.status, headers, chunks)
            finally:
                self._remember(plan, reader)

    async def _plan(self, inbound: InboundRequest, caller: Caller) -> Plan:
        """Everything that happens before LiteLLM hears of the request."""
        content_type = first_header(inbound.headers, "content-type") or ""
        body = without_upstream_choice(inbound.body, content_type)
        if self.router is None:
            return Plan(self._outbound(inbound, body, ()), (("x-memory-status", "off"),))
        user = self.router.detect_user_id(inbound.headers)
        scope = Scope(caller.tenant, user)
        mode = _mode_of(inbound.headers)
        wire = select_format(inbound.method, inbound.path)
        request = _understood(wire, body) if wire and mode is not MemoryMode.OFF else None
        if wire is not None and request is not None:
            return await self._chat_plan(inbound, request, wire, scope, mode)
        body = self._for_supermemory(inbound, body)
        outbound = self._outbound(inbound, body, (("x-litellm-end-user-id", user),))
        return Plan(outbound, (("x-memory-user-id", user), *_status_without_memory(wire, mode)))

    async def _chat_plan(
        self,
        inbound: InboundRequest,
        request: ChatRequest,
        wire: WireFormat,
        scope: Scope,
        mode: MemoryMode,
    ) -> Plan:
        session = session_of(inbound.headers, request.messages, evidence=request.session_evidence)
        recalled = await self._recall(scope, session, request, mode)
        history = whole_tool_calls(recalled.history.messages, request.messages)
        body = wire.write(request, history=history, note=recalled.notes.text)
        body = self._for_supermemory(inbound, body)
        own = (
            ("x-litellm-end-user-id", scope.user),
            ("x-litellm-session-id", _litellm_session_id(session.id)),
        )
        conversation = Conversation(
            scope, session.id, request.messages, recalled.history.newest, recalled.is_known
        )
        return Plan(
            self._outbound(inbound, body, own),
            _marks(scope, session.id, recalled),
            wire,
            conversation if mode.writes else None,
        )

    async def _recall(
        self, scope: Scope, session: Session, request: ChatRequest, mode: MemoryMode
    ) -> Recalled:
        """History for a lone newest message, and notes from everything the user ever said.

        Trouble with memory is a mark on the answer, never a failure.
        """
        started = perf_counter()
        unsaved = self.recorder.unsaved(scope, session.id)
        history, notes, is_known = History(), Notes(), True
        try:
            if any(message.role is Role.ASSISTANT for message in request.messages):
                is_known = await self.memory.is_known(scope, session.id, unsaved)
            elif session.continues:
                history = await self.memory.history(scope, session.id, unsaved)
                history = history if mode.reads else replace(history, messages=())
            if mode.reads and self._may_recall(request):
                notes = await self._notes(scope, request, history.messages)
        except MemoryTrouble as trouble:
            self.metrics.degraded(str(trouble))
            return Recalled(history, notes, str(trouble), is_known)
        self.metrics.recalled(perf_counter() - started, notes.count)
        writes_wait = "store" if self.recorder.is_failing else None
        return Recalled(history, notes, writes_wait, is_known)

    def _may_recall(self, request: ChatRequest) -> bool:
        """A person speaks, there is a place to write to, and the model has no memory of its own."""
        assert self.router is not None
        return (
            self.memory.limits.recall_tokens > 0
            and request.newest_is_human
            and request.slot is not None
            and not self.router.should_use_supermemory(request.model)
        )

    async def _notes(
        self, scope: Scope, request: ChatRequest, history: tuple[Message, ...]
    ) -> Notes:
        said = next(m.text for m in reversed(request.messages) if m.role is Role.USER)
        held = frozenset(message.text for message in (*request.messages, *history))
        await self.recorder.settled(scope, timeout_s=self.memory.limits.recall_deadline_s)
        return await self.memory.recall(scope, said, held=held)

    def _for_supermemory(self, inbound: InboundRequest, body: bytes) -> bytes:
        """`body` telling Supermemory whose memory to use, if that is where its model lives."""
        assert self.router is not None
        if not self.router.supermemory_models:
            return body
        model = model_of(inbound.path, body)
        if model is None or not self.router.should_use_supermemory(model):
            return body
        static = self.router.supermemory_headers(model)
        told = self.router.inject_memory_headers(dict(inbound.headers), self.supermemory_key)
        added = {
            name: told[name]
            for name in (SUPERMEMORY_USER_HEADER, SUPERMEMORY_KEY_HEADER)
            if name in told
        }
        return with_extra_headers(body, {**static, **added})

    def _outbound(self, inbound: InboundRequest, body: bytes, own: Headers) -> OutboundRequest:
        query = without_upstream_choice_query(without_key(inbound.query))
        target = f"{inbound.raw_path}?{query}" if query else inbound.raw_path
        headers = (*forwardable_headers(inbound.headers), *own)
        return OutboundRequest(inbound.method, target, headers, body)

    def _remember(self, plan: Plan, reader: ReplyReader) -> None:
        if plan.conversation is None:
            return
        exchange = exchange_of(
            plan.conversation, reader.message, at=self.memory.now(), is_complete=reader.complete
        )
        if exchange.turns:
            self.recorder.record(exchange)


def _mode_of(headers: Headers) -> MemoryMode:
    asked = first_header(headers, "x-memory")
    if asked is None:
        return MemoryMode.ON
    try:
        return MemoryMode(asked.strip().lower())
    except ValueError as error:
        raise InvalidRequest("header x-memory: have off, read, write and on") from error


def _understood(wire: WireFormat, body: bytes) -> ChatRequest | None:
    """None for a body that LiteLLM must answer for itself."""
    try:
        return wire.read(body)
    except InvalidRequest as error:
        logger.info("a chat body was not understood", extra={"reason": str(error)})
        return None


def _marks(scope: Scope, session: SessionId, recalled: Recalled) -> Headers:
    """What the client is told about its memory."""
    status = f"degraded; reason={recalled.trouble}" if recalled.trouble else "active"
    return (
        ("x-memory-user-id", scope.user),
        ("x-memory-session-id", session),
        ("x-memory-status", status),
        ("x-memory-recalled", str(recalled.notes.count)),
    )


def _status_without_memory(wire: WireFormat | None, mode: MemoryMode) -> Headers:
    if mode is MemoryMode.OFF:
        return (("x-memory-status", "off"),)
    if wire is not None:
        return (("x-memory-status", "off; reason=unreadable-body"),)
    return ()


def _litellm_session_id(session: SessionId) -> str:
    """LiteLLM takes eight or more of [A-Za-z0-9_-]; any other id goes along as its digest."""
    if len(session) >= 8 and all(c.isalnum() or c in "_-" for c in session):
        return session
    return blake2b(session.encode(), digest_size=16).hexdigest()


def _is_event_stream(headers: Headers) -> bool:
    return (first_header(headers, "content-type") or "").startswith("text/event-stream")


async def _overheard(chunks: AsyncIterator[bytes], reader: ReplyReader) -> AsyncGenerator[bytes]:
    async for chunk in chunks:
        reader.feed(chunk)
        yield chunk


async def _ended_in_dialect(
    chunks: AsyncIterator[bytes], path: str, request_id: str
) -> AsyncGenerator[bytes]:
    """A stream that breaks off ends with an error event, as the client's SDK expects it."""
    try:
        async for chunk in chunks:
            yield chunk
    except UpstreamError as error:
        logger.warning("a stream broke off", extra={"error": str(error)})
        yield dialect_of(path).error_event(error, request_id)
