"""Vectors beside the words: embedded behind the chat's back, and never in its way."""

import re

import pytest

from memory_proxy.stores.in_memory import InMemoryStore
from tests.embedding.scripted import ScriptedEmbedder
from tests.examples import ANN, an_exchange, user
from tests.stores.exchanges import becomes_true
from tests.web.conftest import Launch, Proxy


async def test_what_was_said_gets_its_vectors_in_the_background(launch: Launch) -> None:
    embedder = ScriptedEmbedder()
    proxy = await launch(embedder=embedder)

    await proxy.ask("The bicycle is blue.")

    await becomes_true(lambda: _has_vectors(proxy, embedder, count=2))
    assert await _metric(proxy, "memory_proxy_embedding_backlog") == 0


async def test_what_waits_for_its_vector_is_counted(launch: Launch) -> None:
    store = InMemoryStore()
    await store.append(an_exchange(user("green tea"), user("blue bicycle"), user("cellar")))
    embedder = ScriptedEmbedder()
    embedder.stop_after = 0
    proxy = await launch(store=store, embedder=embedder)
    await embedder.stopped.wait()

    assert await _metric(proxy, "memory_proxy_embedding_backlog") == 3
    embedder.go.set()


async def test_a_broken_embedder_is_told_and_recall_goes_by_words(launch: Launch) -> None:
    store = InMemoryStore()
    await store.append(an_exchange(user("My favourite colour is teal"), session="earlier"))
    embedder = ScriptedEmbedder()
    embedder.trouble = "the model is gone"
    proxy = await launch(store=store, embedder=embedder)
    await becomes_true(lambda: _is_degraded(proxy))

    reply = await proxy.ask("What is my favourite colour?")

    assert reply.status == 200
    assert "My favourite colour is teal" in str(proxy.sent()[-1]["content"])
    assert reply.headers["x-memory-status"] == "degraded; reason=embedder"
    assert await _degraded(proxy) == ["embedder: the model is gone; recall goes by words"]


async def test_without_an_embedder_it_is_said_once_that_recall_goes_by_words(
    launch: Launch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    proxy = await launch()
    await proxy.ask("one")
    reply = await proxy.ask("two")

    said = [each.message for each in caplog.records if "recall goes by words" in each.message]
    assert said == ["no embedder: recall goes by words"]
    assert reply.headers["x-memory-status"] == "active"
    assert await _degraded(proxy) == []


async def _has_vectors(proxy: Proxy, embedder: ScriptedEmbedder, *, count: int) -> bool:
    return len((await proxy.store.vectors(ANN, embedder.id, after=None)).numbers) == count


async def _degraded(proxy: Proxy) -> list[str]:
    async with proxy.client.get(f"{proxy.url}/health") as reply:
        degraded: list[str] = (await reply.json())["degraded"]
        return degraded


async def _is_degraded(proxy: Proxy) -> bool:
    return bool(await _degraded(proxy))


async def _metric(proxy: Proxy, name: str) -> float:
    async with proxy.client.get(f"{proxy.url}/metrics") as reply:
        found = re.search(rf"^{name} (\S+)$", await reply.text(), re.MULTILINE)
    assert found is not None
    return float(found[1])
