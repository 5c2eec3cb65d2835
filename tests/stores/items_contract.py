"""What every store must do with single turns."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest

from memory_proxy.core.types import (
    Exchange,
    ExchangeId,
    LedgerEntry,
    Message,
    MessageDigest,
    Role,
    Scope,
    SessionId,
    Turn,
)
from memory_proxy.stores.base import Forgotten, MemoryStore, TurnKey, TurnPlace
from tests.stores.exchanges import (
    ANN,
    BOB,
    SESSION,
    a_tool_call,
    an_entry,
    exchange,
    exchange_of,
    findable,
    minutes,
    scope,
    texts,
)

MODEL = "model:2"
LATER = SessionId("later")


def key(name: str, position: int = 0) -> TurnKey:
    return TurnKey(ExchangeId(name), position)


def quoting(name: str, *turns: Turn, of: Scope = ANN, session: str = "asking") -> Exchange:
    """No turns, and a note that quotes some."""
    entry = LedgerEntry(MessageDigest(name), "\n".join(texts(turns)), turns)
    return replace(exchange_of(name, [], of=of, session=session), ledger=(entry,))


def edited(turn: Turn, text: str, *, at: datetime | None = None) -> Turn:
    message = replace(turn.message, text=text)
    return replace(
        turn,
        message=message,
        entry=an_entry(message),
        edited_at=at or minutes(9),
    )


async def all_texts(store: MemoryStore, of: Scope = ANN) -> list[str]:
    return texts((await store.turns(of, limit=999, oldest_first=True)).turns)


class ItemsContract:
    """Needs a fixture `store`, empty and entered."""

    # Listing

    @pytest.mark.parametrize("oldest_first", [False, True])
    @pytest.mark.parametrize("limit", [1, 2, 3, 99])
    async def test_turns_are_listed_in_time_page_by_page(
        self, store: MemoryStore, oldest_first: bool, limit: int
    ) -> None:
        for number in (2, 0, 1):
            await store.append(exchange(f"e{number}", f"q{number}", f"a{number}", minute=number))
        await store.append(exchange("same", "q3", "a3", minute=2, session=LATER))
        await store.append(exchange("bobs", "hidden", of=BOB))
        expected = [f"{letter}{number}" for number in range(4) for letter in "qa"]

        listed: list[str] = []
        place: TurnPlace | None = None
        for _ in range(len(expected)):
            page = await store.turns(ANN, limit=limit, after=place, oldest_first=oldest_first)
            assert len(page.turns) <= limit
            listed += texts(page.turns)
            place = page.last
            if place is None:
                break

        assert place is None
        assert listed == (expected if oldest_first else expected[::-1])

    async def test_the_turns_of_one_session_are_listed(self, store: MemoryStore) -> None:
        await store.append(exchange("e1", "here"))
        await store.append(exchange("e2", "there", session=LATER))

        assert texts((await store.turns(ANN, limit=9, session=LATER)).turns) == ["there"]
        assert (await store.turns(ANN, limit=9, session=SessionId("none"))).turns == []
        assert (await store.turns(BOB, limit=9, session=LATER)).turns == []

    async def test_a_list_goes_on_where_a_turn_was_deleted(self, store: MemoryStore) -> None:
        for number in range(3):
            await store.append(exchange(f"e{number}", f"q{number}", minute=number))
        page = await store.turns(ANN, limit=1)
        await store.delete_turn(ANN, key("e2"))

        assert texts((await store.turns(ANN, limit=9, after=page.last)).turns) == ["q1", "q0"]

    async def test_a_page_of_very_long_turns_ends_early_and_goes_on(
        self, store: MemoryStore
    ) -> None:
        for number in range(3):
            text = f"{number}" * 3_000_000
            await store.append(exchange_of(f"e{number}", [Message(Role.TOOL, text)], minute=number))
        listed: list[str] = []
        page = await store.turns(ANN, limit=99)
        while page.last is not None:
            listed += [text[0] for text in texts(page.turns)]
            page = await store.turns(ANN, limit=99, after=page.last)

        assert [*listed, *(text[0] for text in texts(page.turns))] == ["2", "1", "0"]

    async def test_one_turn_is_found_by_its_exchange_and_position(self, store: MemoryStore) -> None:
        calls = (a_tool_call(1),)
        stored = exchange_of(
            "e", [Message(Role.USER, "look"), Message(Role.ASSISTANT, "", calls)], minute=0.5
        )
        await store.append(stored)

        assert await store.turn(ANN, key("e", 1)) == replace(stored.turns[1], entry=b"")
        for owner, other in (
            (ANN, key("e", 2)), (ANN, key("e", -1)), (ANN, key("E", 1)), (BOB, key("e", 1)),
        ):  # fmt: skip
            assert await store.turn(owner, other) is None

    # Adding

    async def test_added_turns_come_back_as_they_were(self, store: MemoryStore) -> None:
        stored = exchange("e", "first", "second", minute=1.5)
        turns = (
            replace(stored.turns[0], pinned=True),
            replace(stored.turns[1], edited_at=minutes(7.25)),
        )
        assert await store.add_turns([replace(stored, turns=turns)]) == 2

        listed = (await store.turns(ANN, limit=9, oldest_first=True)).turns
        assert list(listed) == [replace(turn, entry=b"") for turn in turns]
        assert texts(await store.history(ANN, SESSION, limit=9)) == ["first", "second"]
        assert await findable(store) == ["first", "second"]

    async def test_what_is_added_again_changes_nothing(self, store: MemoryStore) -> None:
        stored = exchange("e", "first", "second")
        other = exchange("e", "else", "where")
        assert await store.add_turns([stored, stored]) == 2
        assert await store.add_turns([stored, other]) == 0

        assert await all_texts(store) == ["first", "second"]
        assert await findable(store) == ["first", "second"]

    async def test_the_missing_turns_of_a_known_exchange_are_added(
        self, store: MemoryStore
    ) -> None:
        whole = exchange("e", "one", "two", "three")
        await store.append(exchange("before", "zero"))
        await store.append(replace(whole, turns=whole.turns[1:2]))
        await store.append(exchange("after", "four"))
        assert await store.add_turns([whole]) == 2

        assert await all_texts(store) == ["zero", "one", "two", "three", "four"]
        [session] = await store.sessions(ANN, limit=9)
        assert session.turn_count == 5
        assert sorted(await findable(store)) == ["four", "one", "three", "two", "zero"]

    async def test_added_turns_of_a_known_exchange_join_its_session(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "one"))
        await store.add_turns([exchange("e", "one", "two", session=LATER)])

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["one", "two"]
        assert [turn.session for turn in await store.history(ANN, SESSION, limit=9)] == [
            SESSION
        ] * 2

    async def test_turns_are_added_in_their_scope_only(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "hers"))
        assert await store.add_turns([exchange("e", "his", of=BOB)]) == 1

        assert (await all_texts(store), await all_texts(store, BOB)) == (["hers"], ["his"])

    # Pinning

    async def test_pinned_turns_are_told_newest_first_until_they_are_unpinned(
        self, store: MemoryStore
    ) -> None:
        for number in range(4):
            await store.append(exchange(f"e{number}", f"q{number}", minute=number))
        await store.append(exchange("e1", "of Bob", of=BOB))
        for number in (3, 0, 1):
            assert await store.pin(ANN, key(f"e{number}"), pinned=True)

        assert texts(await store.pinned(ANN, limit=9)) == ["q3", "q1", "q0"]
        assert texts(await store.pinned(ANN, limit=2)) == ["q3", "q1"]
        assert list(await store.pinned(ANN, limit=0)) == []
        assert list(await store.pinned(BOB, limit=9)) == []
        assert await store.pin(ANN, key("e3"), pinned=False)
        assert await store.pin(ANN, key("e3"), pinned=False)
        assert texts(await store.pinned(ANN, limit=9)) == ["q1", "q0"]
        numbers = (await store.entries(ANN, after=None)).numbers.tolist()
        turns = (await store.turns_numbered(ANN, numbers)).values()
        assert sorted(turn.message.text for turn in turns if turn.pinned) == ["q0", "q1"]

    async def test_only_what_is_there_can_be_pinned(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "hers"))

        assert not await store.pin(BOB, key("e"), pinned=True)
        assert not await store.pin(ANN, key("e", 1), pinned=True)
        assert not await store.pin(scope("nobody"), key("e"), pinned=True)
        assert list(await store.pinned(ANN, limit=9)) == []

    async def test_a_pinned_turn_of_a_partial_answer_stays(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "question", "half", partial=True))
        await store.pin(ANN, key("e"), pinned=True)
        await store.append(exchange("e", "question", "whole"))

        assert texts(await store.pinned(ANN, limit=9)) == ["question"]
        assert await all_texts(store) == ["question", "half"]

    # Replacing

    async def test_a_replaced_turn_keeps_its_place_and_is_found_by_its_new_words(
        self, store: MemoryStore
    ) -> None:
        stored = exchange("e", "tea is hot", "milk", partial=True)
        await store.append(stored)
        new = edited(stored.turns[0], "coffee is cold now")

        assert await store.replace_turn(ANN, new) == Forgotten(1, 1, 0, 0)

        assert await store.turn(ANN, key("e")) == replace(new, entry=b"")
        assert await all_texts(store) == ["coffee is cold now", "milk"]
        assert sorted(await findable(store)) == ["coffee is cold now", "milk"]
        [session] = await store.sessions(ANN, limit=9)
        assert session.turn_count == 2
        await store.append(exchange("e", "tea is hot", "milk and more"))
        assert await all_texts(store) == ["coffee is cold now", "milk"]

    async def test_only_what_is_there_can_be_replaced(self, store: MemoryStore) -> None:
        stored = exchange("e", "hers")
        await store.append(stored)
        new = edited(stored.turns[0], "changed")

        assert await store.replace_turn(BOB, new) is None
        assert await store.replace_turn(ANN, replace(new, position=1)) is None
        assert await all_texts(store) == ["hers"]

    async def test_a_pin_stays_with_a_replaced_turn(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        await store.pin(ANN, key("e"), pinned=True)
        turn = await store.turn(ANN, key("e"))
        assert turn is not None
        await store.replace_turn(ANN, edited(turn, "coffee"))

        assert texts(await store.pinned(ANN, limit=9)) == ["coffee"]

    async def test_a_vector_of_the_old_words_is_not_kept(self, store: MemoryStore) -> None:
        stored = exchange("e", "tea", "milk")
        await store.append(stored)
        waiting = await store.unembedded(MODEL, limit=9)
        await store.put_vectors(MODEL, waiting, np.ones((2, 2), np.int8))
        late = edited(stored.turns[0], "ale")
        assert await store.replace_turn(ANN, late) == Forgotten(1, 1, 0, 1)
        [again] = await store.unembedded(MODEL, limit=9)
        await store.replace_turn(ANN, edited(late, "rum", at=minutes(10)))

        assert again.text == "ale"
        assert await store.put_vectors(MODEL, [again], np.ones((1, 2), np.int8)) == 0
        assert [one.text for one in await store.unembedded(MODEL, limit=9)] == ["rum"]

    # Deleting

    async def test_a_deleted_turn_is_gone_everywhere_and_nothing_else(
        self, store: MemoryStore
    ) -> None:
        stored = exchange("e", "tea hot", "tea cold")
        await store.append(stored)
        await store.append(exchange("other", "tea", session=LATER))
        waiting = await store.unembedded(MODEL, limit=9)
        await store.put_vectors(MODEL, waiting, np.ones((3, 2), np.int8))
        first, second = stored.turns
        for note in (quoting("n1", first, second), quoting("n2", first), quoting("n3", second)):
            await store.append(note)

        assert await store.delete_turn(ANN, key("e")) == Forgotten(1, 1, 2, 1)

        assert await store.turn(ANN, key("e")) is None
        assert await all_texts(store) == ["tea cold", "tea"]
        assert list(await store.ledger(ANN, SessionId("asking"))) == ["n3"]
        vectors = await store.vectors(ANN, MODEL, after=None)
        embedded = await store.turns_numbered(ANN, vectors.numbers.tolist())
        assert sorted(texts(list(embedded.values()))) == ["tea", "tea cold"]
        assert sorted(await findable(store)) == ["tea", "tea cold"]
        assert [s.turn_count for s in await store.sessions(ANN, limit=9)] == [1, 1]
        assert await store.delete_turn(ANN, key("e")) is None

    async def test_a_turn_that_nobody_finds_had_no_entry(self, store: MemoryStore) -> None:
        await store.append(exchange_of("e", [Message(Role.ASSISTANT, "", (a_tool_call(1),))]))

        assert await store.delete_turn(ANN, key("e")) == Forgotten(1, 0, 0, 0)

    async def test_an_exchange_and_its_session_go_with_their_last_turn(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "one", "two"))
        await store.delete_turn(ANN, key("e", 1))
        await store.delete_turn(ANN, key("e"))

        assert await store.session_count() == 0
        await store.append(exchange("e", "said again"))
        assert await all_texts(store) == ["said again"]

    async def test_a_deleted_turn_does_not_come_back_with_the_same_exchange(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "secret", "half an ans", partial=True))
        await store.delete_turn(ANN, key("e"))
        await store.append(exchange("e", "secret", "half an answer", partial=True))
        await store.append(exchange("e", "secret", "whole answer"))

        assert await all_texts(store) == ["half an ans"]

    async def test_only_what_is_there_can_be_deleted(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "hers"))
        await store.append(exchange("e", "his", of=BOB))

        assert await store.delete_turn(scope("ann", tenant="other"), key("e")) is None
        assert await store.delete_turn(ANN, key("e", 1)) is None
        assert await store.delete_turn(ANN, key("e' OR 1=1 --")) is None
        assert await store.delete_turn(ANN, key("e")) is not None
        assert (await all_texts(store), await all_texts(store, BOB)) == ([], ["his"])

    # What quotes a turn

    async def test_a_note_goes_with_what_it_quotes_however_that_goes(
        self, store: MemoryStore
    ) -> None:
        for name in ("deleted", "replaced", "with-session", "expired"):
            stored = exchange(name, "secret", session=name, minute=0 if name == "expired" else 5)
            await store.append(stored)
            await store.append(replace(quoting(name, stored.turns[0]), at=minutes(5)))
        kept = exchange("kept", "harmless", minute=5)
        await store.append(kept)
        await store.append(replace(quoting("kept", kept.turns[0]), at=minutes(5)))

        await store.delete_turn(ANN, key("deleted"))
        turn = await store.turn(ANN, key("replaced"))
        assert turn is not None
        await store.replace_turn(ANN, edited(turn, "changed"))
        await store.delete_session(ANN, SessionId("with-session"))
        await store.expire(minutes(1))

        assert list(await store.ledger(ANN, SessionId("asking"))) == ["kept"]

    async def test_a_note_that_comes_after_what_it_quotes_has_gone_is_not_kept(
        self, store: MemoryStore
    ) -> None:
        gone, changed = exchange("gone", "secret"), exchange("changed", "secret")
        for stored in (gone, changed):
            await store.append(stored)
        await store.delete_turn(ANN, key("gone"))
        await store.replace_turn(ANN, edited(changed.turns[0], "harmless"))
        for name, stored in (("n1", gone), ("n2", changed)):
            await store.append(quoting(name, stored.turns[0]))
        now = await store.turn(ANN, key("changed"))
        assert now is not None
        await store.append(quoting("n3", now))

        assert await store.ledger(ANN, SessionId("asking")) == {"n3": "harmless"}

    async def test_what_another_quotes_is_another_matter(self, store: MemoryStore) -> None:
        hers, his = exchange("e", "tea"), exchange("e", "tea", of=BOB)
        for stored in (hers, his):
            await store.append(stored)
            await store.append(quoting("n", stored.turns[0], of=stored.scope))
        await store.delete_turn(BOB, key("e"))

        assert await store.ledger(ANN, SessionId("asking")) == {"n": "tea"}
        assert await store.ledger(BOB, SessionId("asking")) == {}

    async def test_pinning_leaves_notes_and_vectors_as_they_are(self, store: MemoryStore) -> None:
        stored = exchange("e", "tea")
        await store.append(stored)
        await store.append(quoting("n", stored.turns[0]))
        waiting = await store.unembedded(MODEL, limit=9)
        await store.put_vectors(MODEL, waiting, np.ones((1, 2), np.int8))
        await store.pin(ANN, key("e"), pinned=True)

        assert await store.ledger(ANN, SessionId("asking")) == {"n": "tea"}
        assert len((await store.vectors(ANN, MODEL, after=None)).numbers) == 1

    async def test_changes_at_once_leave_the_counts_right(self, store: MemoryStore) -> None:
        many = [exchange(f"e{n}", f"tea {n}", f"milk {n}") for n in range(60)]
        await asyncio.gather(*map(store.append, many))
        await asyncio.gather(
            store.add_turns([exchange(f"new{n}", "tea") for n in range(20)]),
            *(store.delete_turn(ANN, key(f"e{n}", 1)) for n in range(40)),
            *(store.replace_turn(ANN, edited(many[n].turns[0], "ale")) for n in range(20)),
            *(store.delete_turn(ANN, key(f"e{n}")) for n in range(50, 60)),
        )

        first_words = Counter(text.split()[0] for text in await findable(store, page=50))
        assert first_words == {"tea": 50, "milk": 20, "ale": 20}
        [session] = await store.sessions(ANN, limit=9)
        assert session.turn_count == len(await all_texts(store)) == 90
