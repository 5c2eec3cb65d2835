from collections.abc import AsyncGenerator

import numpy as np
import pytest

from memory_proxy.embedding.guarded import GuardedEmbedder
from memory_proxy.embedding.queries import QueryEmbedder
from tests.embedding.scripted import ScriptedEmbedder


@pytest.fixture
def scripted() -> ScriptedEmbedder:
    return ScriptedEmbedder()


@pytest.fixture
async def queries(scripted: ScriptedEmbedder) -> AsyncGenerator[QueryEmbedder]:
    async with GuardedEmbedder(scripted) as guarded:
        await guarded.open()
        yield QueryEmbedder(guarded, deadline_s=10)


async def test_a_query_gets_its_vector_and_whose_it_is(
    queries: QueryEmbedder, scripted: ScriptedEmbedder
) -> None:
    found = await queries.vector("tea with milk")

    assert found is not None
    assert found.embedder == scripted.id
    assert np.allclose(found.numbers, (await scripted.embed(["tea with milk"]))[0])


async def test_what_was_asked_lately_is_not_embedded_again(
    queries: QueryEmbedder, scripted: ScriptedEmbedder
) -> None:
    for number in range(256):
        await queries.vector(f"query {number}")
    await queries.vector("query 0")
    await queries.vector("one more")
    assert len(scripted.asked) == 257

    await queries.vector("query 0")
    assert len(scripted.asked) == 257
    await queries.vector("query 1")
    assert len(scripted.asked) == 258


async def test_a_query_without_words_has_no_vector(queries: QueryEmbedder) -> None:
    assert await queries.vector(" \n") is None


async def test_one_that_takes_too_long_gets_none_until_it_is_in_time_again(
    queries: QueryEmbedder, scripted: ScriptedEmbedder
) -> None:
    scripted.stop_after = 0
    queries.deadline_s = 0.01
    assert await queries.vector("tea") is None
    assert queries.trouble == "takes longer than 10 ms (embedding_deadline_ms)"

    scripted.go.set()
    queries.deadline_s = 10
    assert await queries.vector("tea") is not None
    assert queries.trouble is None


async def test_a_failing_embedder_gives_none_and_says_why(
    queries: QueryEmbedder, scripted: ScriptedEmbedder
) -> None:
    scripted.trouble = "crashed"

    assert await queries.vector("tea") is None
    assert queries.trouble == "crashed"


async def test_while_it_is_not_open_queries_get_none(scripted: ScriptedEmbedder) -> None:
    async with GuardedEmbedder(scripted) as guarded:
        queries = QueryEmbedder(guarded)

        assert await queries.vector("tea") is None
        assert queries.trouble is None
