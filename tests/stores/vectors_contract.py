"""What every store must do with vectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memory_proxy.core.types import Message, Role, Scope
from memory_proxy.stores.base import MemoryStore, TurnKey, Unembedded, VectorPage
from tests.stores.exchanges import ANN, BOB, SESSION, exchange, exchange_of, minutes

MODEL, OTHER = "model:4", "other:2"


class VectorsContract:
    """Needs a fixture `store`, empty and entered."""

    async def test_what_has_no_vector_is_told_newest_first(self, store: MemoryStore) -> None:
        await store.append(exchange("e0", "tea", "with milk"))
        await store.append(exchange("e1", "for Bob", of=BOB))

        waiting = await store.unembedded(MODEL, limit=9)

        assert [(one.scope, one.key, one.text) for one in waiting] == [
            (BOB, ("e1", 0), "for Bob"),
            (ANN, ("e0", 1), "with milk"),
            (ANN, ("e0", 0), "tea"),
        ]
        assert await store.embedding_backlog(MODEL) == 3
        assert len(await store.unembedded(MODEL, limit=2)) == 2
        assert list(await store.unembedded(MODEL, limit=0)) == []

    async def test_turns_that_nobody_finds_need_no_vector(self, store: MemoryStore) -> None:
        await store.append(exchange_of("e", [Message(Role.USER, ""), Message(Role.USER, "tea")]))

        assert [one.key for one in await store.unembedded(MODEL, limit=9)] == [("e", 1)]
        assert await store.embedding_backlog(MODEL) == 1

    async def test_vectors_come_back_with_their_turns(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea", "milk"))
        waiting = await store.unembedded(MODEL, limit=9)
        rows = np.array([[1, -127, 0, 127], [5, 6, 7, 8]], np.int8)

        kept = await store.put_vectors(MODEL, waiting, rows)

        page = await _everything(store, ANN)
        assert kept == 2
        assert await store.embedding_backlog(MODEL) == 0
        assert list(await store.unembedded(MODEL, limit=9)) == []
        assert await _by_key(store, page) == {("e", 1): [1, -127, 0, 127], ("e", 0): [5, 6, 7, 8]}
        assert page.rows.dtype == np.int8

    async def test_nobody_sees_the_vectors_of_another(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        await _embed_all(store)

        assert await _keys(store, BOB) == []
        assert await _keys(store, Scope(ANN.tenant, BOB.user)) == []

    async def test_the_same_exchange_in_two_scopes_has_two_vectors(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "tea"))
        await store.append(exchange("e", "tea", of=BOB))
        await _embed_all(store)

        await store.delete_session(ANN, SESSION)

        assert await _keys(store, ANN) == []
        assert await _keys(store, BOB) == [("e", 0)]

    async def test_a_reader_goes_on_where_it_was(self, store: MemoryStore) -> None:
        await store.append(exchange("e0", "one", "two", "three"))
        await _embed_all(store)

        first = await store.vectors(ANN, MODEL, after=None, limit=2)
        second = await store.vectors(ANN, MODEL, after=first.cursor, limit=2)
        third = await store.vectors(ANN, MODEL, after=second.cursor, limit=2)
        await store.append(exchange("e1", "four"))
        await _embed_all(store)
        fourth = await store.vectors(ANN, MODEL, after=third.cursor, limit=2)

        pages = [first, second, third, fourth]
        assert [len(page.numbers) for page in pages] == [2, 1, 0, 1]
        assert [page.restarts for page in pages] == [True, False, False, False]
        assert len({number for page in pages for number in page.numbers.tolist()}) == 4

    async def test_a_reader_from_before_a_deletion_begins_anew(self, store: MemoryStore) -> None:
        await store.append(exchange("e0", "one", session="gone"))
        await store.append(exchange("e1", "two"))
        await _embed_all(store)
        before = await store.vectors(ANN, MODEL, after=None)

        await store.delete_session(ANN, exchange("e0", session="gone").session)
        page = await store.vectors(ANN, MODEL, after=before.cursor)

        assert len(before.numbers) == 2
        assert page.restarts
        assert await _keys_of(store, page) == [("e1", 0)]

    async def test_a_reader_of_what_is_wholly_gone_learns_it(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        await _embed_all(store)
        before = await store.vectors(ANN, MODEL, after=None)

        await store.delete_session(ANN, SESSION)
        emptied = await store.vectors(ANN, MODEL, after=before.cursor)
        await store.append(exchange("e", "tea again"))
        await _embed_all(store)
        page = await store.vectors(ANN, MODEL, after=before.cursor)

        assert emptied.restarts
        assert list(emptied.numbers) == []
        assert page.restarts
        assert await _keys_of(store, page) == [("e", 0)]

    async def test_expired_turns_lose_their_vectors(self, store: MemoryStore) -> None:
        await store.append(exchange("old", "tea", minute=1))
        await store.append(exchange("new", "milk", minute=9))
        await _embed_all(store)

        await store.expire(minutes(5))

        assert await _keys(store, ANN) == [("new", 0)]
        assert await store.drop_other_vectors("nothing") == 1

    async def test_a_vector_for_a_turn_deleted_meanwhile_is_not_kept(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e0", "tea", session="gone"))
        await store.append(exchange("e1", "milk"))
        waiting = await store.unembedded(MODEL, limit=9)
        await store.delete_session(ANN, exchange("e0", session="gone").session)

        kept = await store.put_vectors(MODEL, waiting, _rows(waiting))

        assert kept == 1
        assert await _keys(store, ANN) == [("e1", 0)]

    async def test_a_vector_for_a_text_replaced_meanwhile_is_not_kept(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "tea with", partial=True))
        stale = await store.unembedded(MODEL, limit=9)
        await store.append(exchange("e", "tea with milk", partial=True))
        longer = await store.unembedded(MODEL, limit=9)
        assert await store.put_vectors(MODEL, stale, _rows(stale)) == 0

        await store.append(exchange("e", "tea with milk"))

        assert await store.put_vectors(MODEL, longer, _rows(longer)) == 0
        [waiting] = await store.unembedded(MODEL, limit=9)
        assert waiting.text == "tea with milk"

    async def test_a_replaced_exchange_loses_its_vector(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea with", partial=True))
        await _embed_all(store)

        await store.append(exchange("e", "tea with milk"))

        assert await _keys(store, ANN) == []
        assert await store.embedding_backlog(MODEL) == 1

    async def test_the_first_vector_of_a_turn_stays(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        waiting = await store.unembedded(MODEL, limit=9)
        await store.put_vectors(MODEL, waiting, np.array([[1, 2]], np.int8))
        await store.put_vectors(MODEL, waiting, np.array([[3, 4]], np.int8))

        assert await _by_key(store, await _everything(store, ANN)) == {("e", 0): [1, 2]}

    async def test_vectors_of_two_embedders_do_not_meet(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        await _embed_all(store, OTHER)

        assert await _keys(store, ANN) == []
        assert await store.embedding_backlog(MODEL) == 1

    async def test_what_other_embedders_left_is_dropped(self, store: MemoryStore) -> None:
        await store.append(exchange("e", *(f"text {n}" for n in range(12))))
        await _embed_all(store, OTHER)
        await _embed_all(store)

        assert await store.drop_other_vectors(MODEL) == 12
        assert await store.drop_other_vectors(MODEL) == 0
        assert len(await _keys(store, ANN)) == 12
        assert await store.embedding_backlog(OTHER) == 12

    async def test_more_vectors_than_fit_one_statement_are_kept(self, store: MemoryStore) -> None:
        await store.append(exchange("e", *(f"text {n}" for n in range(150))))
        await _embed_all(store)

        assert len(await _keys(store, ANN)) == 150


def _rows(turns: Sequence[Unembedded]) -> NDArray[np.int8]:
    return np.array([[len(turn.text) % 100, 1, 2, 3] for turn in turns], np.int8)


async def _embed_all(store: MemoryStore, embedder: str = MODEL) -> None:
    waiting = await store.unembedded(embedder, limit=1_000)
    await store.put_vectors(embedder, waiting, _rows(waiting))


async def _everything(store: MemoryStore, scope: Scope) -> VectorPage:
    return await store.vectors(scope, MODEL, after=None)


async def _keys(store: MemoryStore, scope: Scope) -> list[TurnKey]:
    return await _keys_of(store, await _everything(store, scope), scope)


async def _keys_of(store: MemoryStore, page: VectorPage, scope: Scope = ANN) -> list[TurnKey]:
    turns = await store.turns_numbered(scope, page.numbers.tolist())
    return [
        TurnKey(turns[number].exchange, turns[number].position) for number in page.numbers.tolist()
    ]


async def _by_key(store: MemoryStore, page: VectorPage) -> dict[TurnKey, list[int]]:
    return dict(zip(await _keys_of(store, page), page.rows.tolist(), strict=True))
