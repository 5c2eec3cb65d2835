"""A labelled conversation on its way into a store, as clients would have brought it."""

import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from memory_proxy.bench.corpus import Corpus, Said
from memory_proxy.bench.places import StorePlace
from memory_proxy.core.errors import StoreUnavailable
from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    Message,
    Role,
    Scope,
    SessionId,
    TenantId,
    Turn,
    UserId,
)
from memory_proxy.memory.capture import Conversation, exchange_of
from memory_proxy.memory.manager import MemoryManager
from memory_proxy.recorder import Recorder
from memory_proxy.stores.base import MemoryStore

_TOGETHER = 32  # exchanges on their way at a time
_PATIENCE_S = 60.0

Place = tuple[ExchangeId, int]
"""Where a turn is: its exchange, and its position there."""


def place_of(turn: Turn) -> Place:
    return turn.exchange, turn.position


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory a corpus became; `said` tells which turn of the corpus a stored one is."""

    scope: Scope
    corpus: Corpus
    said: Mapping[Place, Said]


@dataclass(slots=True)
class Cost:
    """CPU milliseconds a message: what a request waits for, and all that storing takes."""

    on_request_ms: list[float] = field(default_factory=list[float])
    stored_ms: list[float] = field(default_factory=list[float])


@asynccontextmanager
async def own_scopes(
    corpora: Sequence[Corpus], place: StorePlace, store: MemoryStore
) -> AsyncGenerator[Mapping[Scope, Corpus]]:
    """A scope for each corpus, under a tenant that nobody else has; forgotten on leaving."""
    tenant = TenantId(f"bench-{secrets.token_hex(6)}")
    scopes = {Scope(tenant, UserId(str(n))): corpus for n, corpus in enumerate(corpora)}
    try:
        yield scopes
    finally:
        if not place.is_temporary:
            for scope, corpus in scopes.items():
                for session in {turn.session for turn in corpus.turns}:
                    await store.delete_session(scope, SessionId(session))


async def remember(corpora: Mapping[Scope, Corpus], store: MemoryStore, cost: Cost) -> list[Owner]:
    """Bring every corpus into its scope through the recorder, and wait until the store has it."""
    recorder = Recorder(MemoryManager(store).remember)
    async with recorder.running():
        return [
            await _remember(Owner(scope, corpus, {}), recorder, cost)
            for scope, corpus in corpora.items()
        ]


async def _remember(owner: Owner, recorder: Recorder, cost: Cost) -> Owner:
    said: dict[Place, Said] = {}
    exchanges = list(_exchanges(owner, said, cost))
    for start in range(0, len(exchanges), _TOGETHER):
        await _store(exchanges[start : start + _TOGETHER], owner.scope, recorder, cost)
    return Owner(owner.scope, owner.corpus, said)


async def _store(
    exchanges: Sequence[Exchange], scope: Scope, recorder: Recorder, cost: Cost
) -> None:
    started = time.process_time()
    for exchange in exchanges:
        recorder.record(exchange)
    if not await recorder.settled(scope, timeout_s=_PATIENCE_S):
        raise StoreUnavailable(f"the store did not take {len(exchanges)} exchanges in a minute")
    messages = sum(len(exchange.turns) for exchange in exchanges)
    cost.stored_ms.append((time.process_time() - started) * 1000 / messages)


def _exchanges(owner: Owner, said: dict[Place, Said], cost: Cost) -> Iterator[Exchange]:
    """What a client that sends its newest message only would have caused, in order."""
    newest: dict[str, ExchangeId] = {}
    for group in _requests(owner.corpus):
        started = time.thread_time()
        exchange = _exchange(owner, group, follows=newest.get(group[0].session))
        cost.on_request_ms.append((time.thread_time() - started) * 1000 / len(group))
        newest[group[0].session] = exchange.id
        said.update(zip(map(place_of, exchange.turns), group, strict=True))
        yield exchange


def _exchange(owner: Owner, group: Sequence[Said], *, follows: ExchangeId | None) -> Exchange:
    messages = tuple(message_of(each, owner.corpus) for each in group)
    reply = messages[-1] if messages[-1].role is Role.ASSISTANT else None
    asked = messages if reply is None else messages[:-1]
    conversation = Conversation(owner.scope, SessionId(group[0].session), asked, follows)
    at = group[0].at
    assert at is not None
    return exchange_of(conversation, reply, at=at, is_complete=True)


def message_of(turn: Said, corpus: Corpus) -> Message:
    """Of two people, each is a person who speaks, by name."""
    if corpus.conversation.speakers == "named":
        return Message(Role.USER, f"{turn.speaker}: {turn.text}")
    return Message(Role(turn.speaker), turn.text)


def _requests(corpus: Corpus) -> Iterator[list[Said]]:
    """Turns that one request and its reply brought: up to an assistant's turn; people who talk
    with each other bring theirs one by one."""
    waiting: dict[str, list[Said]] = {}
    is_named = corpus.conversation.speakers == "named"
    for turn in corpus.turns:
        group = waiting.setdefault(turn.session, [])
        group.append(turn)
        if is_named or turn.speaker == Role.ASSISTANT:
            yield waiting.pop(turn.session)
    yield from waiting.values()
