"""The background worker on real stores, with an embedder whose failures the test decides."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from memory_proxy.embedding.base import Embedder
from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.hashing import HashingEmbedder
from memory_proxy.embedding.quantising import lengths
from memory_proxy.memory.embedding_worker import EmbeddingWorker
from memory_proxy.stores.base import MemoryStore, VectorPage
from memory_proxy.stores.opening import open_store
from tests.embedding.scripted import ScriptedEmbedder
from tests.stores.exchanges import ANN, SESSION, exchange, texts_of


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[MemoryStore]:
    url = "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/memory.db"
    async with open_store(url) as opened:
        yield opened


@pytest.fixture
def scripted() -> ScriptedEmbedder:
    return ScriptedEmbedder()


def worker_for(store: MemoryStore, embedder: Embedder, *, batch_size: int = 4) -> EmbeddingWorker:
    clock = iter(range(0, 10**9, 100))  # whoever failed may try again at once
    guarded = GuardedEmbedder(embedder, now=lambda: next(clock))
    return EmbeddingWorker(store, guarded, batch_size, share=1, pause_s=0)


async def settled(worker: EmbeddingWorker) -> None:
    async with asyncio.timeout(20):
        await worker.settled()


async def test_what_is_in_the_store_at_the_start_is_embedded(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", *(f"text {n}" for n in range(10))))
    worker = worker_for(store, scripted)

    async with worker.running():
        await settled(worker)

    assert await _texts(store, scripted) == [f"text {n}" for n in range(10)]
    assert max(map(len, scripted.asked)) == 4
    assert worker.backlog == 0


async def test_what_comes_later_is_embedded_when_it_is_told(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    worker = worker_for(store, scripted)
    async with worker.running():
        await settled(worker)
        await store.append(exchange("e", "tea"))
        worker.wake()
        await settled(worker)

    assert await _texts(store, scripted) == ["tea"]


async def test_the_vectors_are_the_embedders(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    texts = ["tea with milk", "the blue bicycle in the cellar"]
    await store.append(exchange("e", *texts))
    worker = worker_for(store, scripted)
    async with worker.running():
        await settled(worker)

    page = await _vectors(store, scripted)
    own = await HashingEmbedder().embed(await texts_of(store, page))
    cosines = (page.rows.astype(np.float32) * own).sum(axis=1) / lengths(page.rows)
    assert np.allclose(cosines, 1, atol=0.001)


async def test_after_a_restart_in_the_middle_the_rest_is_embedded(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", *(f"text {n}" for n in range(10))))
    first = worker_for(store, scripted)
    scripted.stop_after = 2
    async with first.running():
        await scripted.stopped.wait()
    done = await _texts(store, scripted)

    again = ScriptedEmbedder()
    second = worker_for(store, again)
    async with second.running():
        await settled(second)

    assert len(done) == 8
    assert sorted(text for asked in again.asked for text in asked) == ["text 0", "text 1"]
    assert len(await _texts(store, again)) == 10


async def test_another_embedder_embeds_everything_anew_and_then_the_old_vectors_go(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", *(f"text {n}" for n in range(10))))
    before = worker_for(store, scripted)
    async with before.running():
        await settled(before)
    other = ScriptedEmbedder("other")
    other.stop_after = 2
    half = worker_for(store, other)
    async with half.running():
        await other.stopped.wait()
        assert len(await _texts(store, scripted)) == 10
        assert len(await _texts(store, other)) == 8
        other.go.set()
        await settled(half)

    assert len(await _texts(store, scripted)) == 0
    assert len(await _texts(store, other)) == 10


async def test_progress_is_told(
    store: MemoryStore, scripted: ScriptedEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await store.append(exchange("e", *(f"text {n}" for n in range(300))))
    worker = worker_for(store, scripted, batch_size=256)
    async with worker.running():
        await settled(worker)

    said = [(record.message, record.__dict__.get("turns")) for record in caplog.records]
    assert said == [("embedding", 300), ("embedding has ended", None)]


async def test_a_crash_of_the_embedder_only_delays(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", *(f"text {n}" for n in range(10))))
    scripted.failures = ["not there yet", "not there yet", "crashed", "crashed"]
    worker = worker_for(store, scripted)

    async with worker.running():
        await settled(worker)

    assert scripted.failures == []
    assert worker.embedder.trouble is None
    assert len(await _texts(store, scripted)) == 10


async def test_a_fault_in_the_embedder_ends_nothing(
    store: MemoryStore, scripted: ScriptedEmbedder, caplog: pytest.LogCaptureFixture
) -> None:
    await store.append(exchange("e", "tea"))
    scripted.fault = ZeroDivisionError("a fault in it")
    worker = worker_for(store, scripted)

    async with worker.running():
        await settled(worker)

    assert [record.message for record in caplog.records] == ["embedding failed"]
    assert len(await _texts(store, scripted)) == 1


async def test_a_text_that_the_embedder_refuses_holds_up_no_other(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", "tea", "milk", "far too long", "cake", "pear"))
    scripted.refuses = "far too long"
    worker = worker_for(store, scripted, batch_size=8)
    async with worker.running():
        await settled(worker)

    page = await _vectors(store, scripted)
    told = await texts_of(store, page)
    assert len(told) == 5
    assert [text for text, row in zip(told, page.rows, strict=True) if not row.any()] == [
        "far too long"
    ]


async def test_an_embedder_that_refuses_everything_marks_no_text_as_done(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", "one", "two"))
    scripted.refusals = 4
    worker = worker_for(store, scripted)
    async with worker.running():
        await settled(worker)

    page = await _vectors(store, scripted)
    assert page.rows.any(axis=1).all()


async def test_what_is_deleted_while_it_is_embedded_gets_no_vector(
    store: MemoryStore, scripted: ScriptedEmbedder
) -> None:
    await store.append(exchange("e", "tea"))
    scripted.stop_after = 0
    worker = worker_for(store, scripted)
    async with worker.running():
        await scripted.stopped.wait()
        await store.delete_session(ANN, SESSION)
        scripted.go.set()
        await settled(worker)

    assert await _texts(store, scripted) == []


async def test_a_store_that_fails_only_delays(tmp_path: Path, scripted: ScriptedEmbedder) -> None:
    async with AsyncExitStack() as stack:
        store = open_store(f"sqlite:///{tmp_path}/memory.db")
        await stack.enter_async_context(store)
        await store.append(exchange("e", "tea"))
        worker = worker_for(store, scripted)
        scripted.stop_after = 0
        await stack.enter_async_context(worker.running())
        await scripted.stopped.wait()
        await store.__aexit__()
        scripted.go.set()
        await store.__aenter__()
        await settled(worker)

        assert await _texts(store, scripted) == ["tea"]


async def _vectors(store: MemoryStore, embedder: Embedder) -> VectorPage:
    return await store.vectors(ANN, embedder.id, after=None)


async def _texts(store: MemoryStore, embedder: Embedder) -> Sequence[str]:
    """What has a vector, in the order of the session."""
    page = await _vectors(store, embedder)
    embedded = await store.turns_numbered(ANN, page.numbers.tolist())
    turns = await store.history(ANN, SESSION, limit=1_000)
    return [turn.message.text for turn in turns if turn in embedded.values()]
