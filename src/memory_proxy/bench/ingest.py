"""A labelled conversation on its way into a store, as clients would have brought it."""

import secrets
import time
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from memory_proxy.bench.corpus import Corpus, Said
from memory_proxy.bench.places import StorePlace
from memory_proxy.core.errors import StoreError, StoreUnavailable
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


@dataclass(frozen=True, slots=True)
class Kept:
    """A turn of the corpus, and its words as they were stored."""

    turn: Said
    text: str


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory a corpus became; `kept` tells which turn of the corpus a stored one is."""

    scope: Scope
    corpus: Corpus
    kept: Mapping[Place, Kept]

    def said(self, turn: Turn) -> Said | None:
        """None for what is not this owner's: two owners may each have a place of one name."""
        kept = self.kept.get((turn.exchange, turn.position))
        return kept.turn if kept and kept.text == turn.message.text else None


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
    """Bring every corpus into its scope through the recorder, and wait until the store has it.

    Raises StoreError.
    """
    dropped: list[Exchange] = []
    recorder = Recorder(MemoryManager(store).remember, on_dropped=dropped.append)
    async with recorder.running():
        owners = [
            await _remember(Owner(scope, corpus, {}), recorder, cost)
            for scope, corpus in corpora.items()
        ]
    if dropped:
        raise StoreError(f"{len(dropped)} exchanges could not be stored")
    return owners


async def _remember(owner: Owner, recorder: Recorder, cost: Cost) -> Owner:
    kept: dict[Place, Kept] = {}
    exchanges = list(_exchanges(owner, kept, cost))
    for start in range(0, len(exchanges), _TOGETHER):
        await _store(exchanges[start : start + _TOGETHER], owner.scope, recorder, cost)
    return Owner(owner.scope, owner.corpus, kept)


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


def _exchanges(owner: Owner, kept: dict[Place, Kept], cost: Cost) -> Iterator[Exchange]:
    """What a client that sends its newest message only would have caused, in order."""
    newest: dict[str, ExchangeId] = {}
    for group in _requests(owner.corpus):
        session = group[0].session
        started = time.thread_time()
        exchange = _exchange(owner, group, follows=newest.get(session))
        cost.on_request_ms.append((time.thread_time() - started) * 1000 / len(group))
        if not exchange.turns:
            continue
        newest[session] = exchange.id
        for said, turn in zip(_stored(owner, group, exchange), exchange.turns, strict=True):
            kept[turn.exchange, turn.position] = Kept(said, turn.message.text)
        yield exchange


def _stored(owner: Owner, group: Sequence[Said], exchange: Exchange) -> Sequence[Said]:
    """Those of `group` that capture kept: a system prompt, or a client's wrapper, it does not."""
    if len(exchange.turns) == len(group):
        return group
    return [each for each in group if _exchange(owner, [each], follows=None).turns]


def _exchange(owner: Owner, group: Sequence[Said], *, follows: ExchangeId | None) -> Exchange:
    messages = tuple(_message(each, owner.corpus) for each in group)
    reply = messages[-1] if messages[-1].role is Role.ASSISTANT else None
    asked = messages if reply is None else messages[:-1]
    conversation = Conversation(owner.scope, SessionId(group[0].session), asked, follows)
    return exchange_of(conversation, reply, at=group[0].at, is_complete=True)


def _message(turn: Said, corpus: Corpus) -> Message:
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
