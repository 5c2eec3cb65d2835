import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Message, Role, Scope, SessionId, ToolCall, Turn
from memory_proxy.memory.manager import MemoryLimits, MemoryManager, MemoryTrouble
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.testing import FrozenClock
from tests.examples import ANN, NOON, an_exchange, assistant, user

S1 = SessionId("s1")


class BrokenStore(InMemoryStore):
    """Fails or hangs when told to; otherwise what it is."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self.hangs = False

    async def history(self, scope: Scope, session: SessionId, *, limit: int) -> Sequence[Turn]:
        self.calls += 1
        if self.hangs:
            await asyncio.Event().wait()
        raise StoreError("no")


async def a_manager(limits: MemoryLimits | None = None) -> MemoryManager:
    manager = MemoryManager(InMemoryStore(), limits or MemoryLimits(), FrozenClock(NOON))
    for i in range(4):
        exchange = an_exchange(user(f"q{i}"), assistant(f"a{i}"), name=f"e{i}", minute=i)
        await manager.remember(exchange)
    return manager


async def test_a_history_is_the_newest_messages_oldest_first() -> None:
    manager = await a_manager(MemoryLimits(history_messages=4))
    history = await manager.history(ANN, S1, ())

    assert [m.text for m in history.messages] == ["q2", "a2", "q3", "a3"]
    assert history.newest == "e3"


async def test_a_history_begins_with_something_that_the_user_said() -> None:
    manager = await a_manager(MemoryLimits(history_messages=3))

    assert [m.text for m in (await manager.history(ANN, S1, ())).messages] == ["q3", "a3"]


async def test_a_history_stays_within_its_budget() -> None:
    manager = await a_manager(MemoryLimits(history_tokens=14))

    assert [m.text for m in (await manager.history(ANN, S1, ())).messages] == ["q3", "a3"]


async def test_a_tool_call_costs_its_arguments() -> None:
    manager = MemoryManager(InMemoryStore(), MemoryLimits(history_tokens=100), FrozenClock(NOON))
    call = Message(Role.ASSISTANT, "", (ToolCall("c", "write", "x" * 1000),))
    await manager.remember(an_exchange(user("q"), call))

    assert (await manager.history(ANN, S1, ())).messages == ()


async def test_what_is_on_its_way_to_the_store_is_read_already_and_once() -> None:
    manager = await a_manager()
    waiting = [
        an_exchange(user("q3"), assistant("a3"), name="e3", minute=3),
        an_exchange(user("q4"), assistant("a4"), name="e4", minute=4),
    ]
    history = await manager.history(ANN, S1, waiting)

    assert [m.text for m in history.messages][-4:] == ["q3", "a3", "q4", "a4"]
    assert history.newest == "e4"


async def test_what_has_outlived_its_time_is_not_read_and_then_forgotten() -> None:
    clock = FrozenClock(NOON)
    manager = MemoryManager(InMemoryStore(), MemoryLimits(ttl=timedelta(hours=1)), clock)
    await manager.remember(an_exchange(user("I like tea")))
    assert (await manager.recall(ANN, "which tea?", held=frozenset())).turns

    clock.advance(timedelta(hours=2))

    assert (await manager.history(ANN, S1, ())).messages == ()
    assert (await manager.recall(ANN, "which tea?", held=frozenset())).turns == ()
    assert await manager.expire() == 1


async def test_no_recall_budget_recalls_nothing() -> None:
    manager = await a_manager(MemoryLimits(recall_tokens=0))

    assert (await manager.recall(ANN, "q1", held=frozenset())).turns == ()


async def test_a_broken_store_is_trouble_and_after_five_times_is_left_alone() -> None:
    store = BrokenStore()
    manager = MemoryManager(store)
    for _ in range(5):
        with pytest.raises(MemoryTrouble, match="store"):
            await manager.history(ANN, S1, ())
    with pytest.raises(MemoryTrouble, match="store-paused"):
        await manager.history(ANN, S1, ())

    assert store.calls == 5


async def test_a_store_that_hangs_is_trouble_after_the_deadline() -> None:
    store = BrokenStore()
    store.hangs = True
    manager = MemoryManager(store, MemoryLimits(recall_deadline_s=0.01))

    with pytest.raises(MemoryTrouble, match="deadline"):
        async with manager.deadline():
            await manager.history(ANN, S1, ())
