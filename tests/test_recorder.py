import asyncio

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Exchange
from memory_proxy.recorder import Recorder
from tests.examples import ANN, BOB, an_exchange, user


class Shelf:
    """A memory that refuses while it is closed."""

    def __init__(self) -> None:
        self.kept: list[Exchange] = []
        self.is_closed = False

    async def remember(self, exchange: Exchange) -> None:
        if self.is_closed:
            raise StoreError("closed")
        self.kept.append(exchange)


async def test_exchanges_reach_the_store_in_their_order() -> None:
    shelf = Shelf()
    recorder = Recorder(shelf.remember)
    exchanges = [an_exchange(user("x"), name=f"e{i}") for i in range(20)]
    async with recorder.running():
        for exchange in exchanges:
            assert recorder.record(exchange)

    assert shelf.kept == exchanges


async def test_what_waits_can_be_read_by_its_own_session_only() -> None:
    recorder = Recorder(Shelf().remember)
    exchange = an_exchange(user("x"))
    recorder.record(exchange)

    assert recorder.unsaved(ANN, exchange.session) == [exchange]
    assert recorder.unsaved(BOB, exchange.session) == []


async def test_a_store_that_comes_back_gets_what_waited() -> None:
    shelf = Shelf()
    shelf.is_closed = True
    recorder = Recorder(shelf.remember)
    exchange = an_exchange(user("x"))
    async with recorder.running():
        recorder.record(exchange)
        assert not await recorder.settled(ANN, timeout_s=0.05)
        assert recorder.is_failing
        shelf.is_closed = False
        assert await recorder.settled(ANN, timeout_s=5)

    assert shelf.kept == [exchange]
    assert not recorder.is_failing


async def test_a_full_queue_drops_the_newest_and_says_so() -> None:
    dropped: list[Exchange] = []
    recorder = Recorder(Shelf().remember, capacity=1, on_dropped=dropped.append)
    first, second = an_exchange(user("1"), name="1"), an_exchange(user("2"), name="2")

    assert recorder.record(first)
    assert not recorder.record(second)
    assert dropped == [second]


async def test_a_complete_exchange_replaces_a_waiting_partial_one_and_never_the_reverse() -> None:
    shelf = Shelf()
    recorder = Recorder(shelf.remember)
    partial, whole = an_exchange(user("par"), partial=True), an_exchange(user("whole"))
    for exchange in (partial, whole, partial):
        recorder.record(exchange)
    async with recorder.running():
        assert await recorder.settled(ANN, timeout_s=5)

    assert shelf.kept == [whole]


async def test_an_exchange_that_the_store_cannot_take_is_dropped_and_the_rest_go_on() -> None:
    dropped: list[Exchange] = []
    shelf = Shelf()

    async def picky(exchange: Exchange) -> None:
        if exchange.id == "bad":
            raise ValueError("not like this")
        await shelf.remember(exchange)

    recorder = Recorder(picky, on_dropped=dropped.append)
    bad, good = an_exchange(user("x"), name="bad"), an_exchange(user("y"), name="good")
    async with recorder.running():
        recorder.record(bad)
        recorder.record(good)
        assert await recorder.settled(ANN, timeout_s=5)

    assert (dropped, shelf.kept) == ([bad], [good])


async def test_leaving_waits_for_the_store_but_not_for_ever() -> None:
    shelf = Shelf()
    shelf.is_closed = True
    recorder = Recorder(shelf.remember, drain_s=0.05)
    async with asyncio.timeout(5), recorder.running():
        recorder.record(an_exchange(user("x")))

    assert recorder.waiting == 1
