"""One request from the client's bytes to LiteLLM's answer: whose memory, which session, what is
recalled, what is sent, what is overheard, and what is kept. This is the way of a request."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from random import getrandbits
from time import perf_counter

from memory_proxy.core.errors import InvalidRequest, UpstreamError
from memory_proxy.core.types import (
    Caller,
    Headers,
    InboundRequest,
    LedgerEntry,
    Scope,
    SessionId,
    TraceId,
    UpstreamResponse,
    first_header,
)
from memory_proxy.memory.capture import Conversation, exchange_of
from memory_proxy.memory.manager import MemoryManager
from memory_proxy.memory.traces import Trace, Traces, dropped_turns, recalled_turns
from memory_proxy.recollection import Recollection, Recollector
from memory_proxy.recorder import Recorder
from memory_proxy.routing.memory_router import (
    SUPERMEMORY_KEY_HEADER,
    SUPERMEMORY_USER_HEADER,
    MemoryRouter,
)
from memory_proxy.routing.requests import (
    DEFAULT_POLICIES,
    Asked,
    MemoryMode,
    RequestClass,
    classify,
)
from memory_proxy.routing.sessions import session_of
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

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Plan:
    """What goes to LiteLLM, what is told to the client, and what will be remembered.

    `conversation` None: nothing of it is stored. `new_entry` is what memory newly put into it.
    """

    outbound: OutboundRequest
    marks: Headers
    wire: WireFormat | None = None
    conversation: Conversation | None = None
    stores_turns: bool = False
    new_entry: LedgerEntry | None = None


@dataclass(frozen=True, slots=True)
class Pipeline:
    """`router` None: memory routing is off, and everything passes through."""

    router: MemoryRouter | None
    memory: MemoryManager
    recorder: Recorder
    upstream: Upstream
    metrics: Metrics
    traces: Traces
    supermemory_key: str | None = None
    policies: Mapping[RequestClass, MemoryMode] = field(default_factory=lambda: DEFAULT_POLICIES)

    @asynccontextmanager
    async def open(
        self, inbound: InboundRequest, caller: Caller, request_id: str
    ) -> AsyncGenerator[UpstreamResponse]:
        """LiteLLM's answer to `inbound`; leaving the context ends the exchange.

        The exchange is recorded on leaving, not in the body's generator: a client that goes away
        leaves the generator unfinished. Raises RequestError and UpstreamError.
        """
        plan = await self._plan(inbound, caller)
        reader: ReplyReader | None = None
        started = perf_counter()
        try:
            async with self.upstream.send(plan.outbound) as reply:
                self.metrics.upstream_answered(perf_counter() - started)
                headers = response_headers(reply.headers) + plan.marks
                chunks = reply.chunks
                if plan.wire is not None and reply.status // 100 == 2:
                    is_stream = _is_event_stream(reply.headers)
                    reader = plan.wire.reply_reader(stream=is_stream)
                    chunks = _overheard(chunks, reader)
                    if is_stream:
                        chunks = _ended_in_dialect(chunks, inbound.path, request_id)
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
        asked_mode = _mode_of(inbound.headers)
        wire = select_format(inbound.method, inbound.path)
        request = None if asked_mode is MemoryMode.OFF else _understood(wire, body)
        if wire is not None and request is not None:
            scope = Scope(caller.tenant, user)
            return await self._chat_plan(inbound, request, wire, scope, asked_mode)
        body = self._for_supermemory(inbound, body)
        outbound = self._outbound(inbound, body, (("x-litellm-end-user-id", user),))
        status = _status_without_memory(wire, asked_mode)
        return Plan(outbound, (("x-memory-user-id", user), *status))

    async def _chat_plan(
        self,
        inbound: InboundRequest,
        request: ChatRequest,
        wire: WireFormat,
        scope: Scope,
        asked_mode: MemoryMode | None,
    ) -> Plan:
        session = session_of(inbound.headers, request.messages, evidence=request.session_evidence)
        request_class = classify(inbound.headers, _asked(request))
        mode = asked_mode or self.policies[request_class]
        found = await Recollector(self.memory, self.recorder, self.metrics).recollect(
            scope, session, request,
            reads=mode.reads or request_class is RequestClass.TOOL_LOOP,
            recalls=mode.reads and self._may_recall(request),
        )  # fmt: skip
        trace = _trace(scope, session.id, request_class, mode, found, at=self.memory.now())
        self.traces.add(trace)
        body = wire.write(request, history=found.history, notes=found.notes)
        own = (
            ("x-litellm-end-user-id", scope.user),
            ("x-litellm-session-id", _litellm_session_id(session.id)),
        )
        return Plan(
            self._outbound(inbound, self._for_supermemory(inbound, body), own),
            (*_marks(scope, session.id, found), ("x-memory-trace", trace.id)),
            wire,
            Conversation(scope, session.id, request.messages, found.follows, found.is_known),
            stores_turns=mode.writes,
            new_entry=found.new_entry,
        )

    def _may_recall(self, request: ChatRequest) -> bool:
        """A person speaks, and the model has no memory of its own."""
        assert self.router is not None
        return (
            self.memory.limits.recall_tokens > 0
            and request.newest_is_human
            and not self.router.should_use_supermemory(request.model)
        )

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

    def _remember(self, plan: Plan, reader: ReplyReader | None) -> None:
        """The turns if the request was answered, what was put into it in any case."""
        if plan.conversation is None:
            return
        exchange = exchange_of(
            plan.conversation,
            reader.message if reader else None,
            at=self.memory.now(),
            is_complete=reader is not None and reader.complete,
        )
        if reader is None or not plan.stores_turns:
            exchange = replace(exchange, turns=())
        if plan.new_entry is not None:
            exchange = replace(exchange, ledger=(plan.new_entry,))
        if exchange.turns or exchange.ledger:
            self.recorder.record(exchange)


def _mode_of(headers: Headers) -> MemoryMode | None:
    """What the request asks for itself; None leaves it to the policy of its class."""
    asked = first_header(headers, "x-memory")
    if asked is None:
        return None
    try:
        return MemoryMode(asked.strip().lower())
    except ValueError as error:
        raise InvalidRequest("header x-memory: have off, read, write and on") from error


def _understood(wire: WireFormat | None, body: bytes) -> ChatRequest | None:
    """None for a body that LiteLLM must answer for itself."""
    if wire is None:
        return None
    try:
        return wire.read(body)
    except InvalidRequest as error:
        logger.info("a chat body was not understood", extra={"reason": str(error)})
        return None


def _asked(request: ChatRequest) -> Asked:
    return Asked(request.messages, request.newest_is_human, request.tool_count, request.max_tokens)


def _trace(
    scope: Scope,
    session: SessionId,
    request_class: RequestClass,
    mode: MemoryMode,
    found: Recollection,
    *,
    at: datetime,
) -> Trace:
    """The receipt for what memory did; it is looked up inside its scope, so the id is no secret."""
    return Trace(
        TraceId(f"{getrandbits(64):016x}"), scope, at, session, request_class, mode, found.asked,
        found.found.considered, recalled_turns(found.found), dropped_turns(found.found),
        found.ledger_effect, found.trouble, found.milliseconds,
    )  # fmt: skip


def _marks(scope: Scope, session: SessionId, found: Recollection) -> Headers:
    """What the client is told about its memory."""
    status = f"degraded; reason={found.trouble}" if found.trouble else "active"
    return (
        ("x-memory-user-id", scope.user),
        ("x-memory-session-id", session),
        ("x-memory-status", status),
        ("x-memory-recalled", str(found.recalled)),
        ("x-memory-ledger", found.ledger_effect),
    )


def _status_without_memory(wire: WireFormat | None, mode: MemoryMode | None) -> Headers:
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
