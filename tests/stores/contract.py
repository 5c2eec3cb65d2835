"""What every store must do. A new store passes by a class that inherits these tests."""

import asyncio
from dataclasses import replace
from datetime import UTC, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_proxy.core.types import (
    LedgerEntry,
    Message,
    MessageDigest,
    Role,
    Scope,
    SessionId,
    TenantId,
    UserId,
)
from memory_proxy.stores.base import MemoryStore
from tests.stores.exchanges import (
    ANN,
    BOB,
    SESSION,
    T0,
    a_tool_call,
    becomes_true,
    exchange,
    exchange_of,
    findable,
    minutes,
    scope,
    texts,
    texts_of,
)

LATER = SessionId("later")


def note(message: str, text: str) -> LedgerEntry:
    return LedgerEntry(MessageDigest(message), text)


# Characters that mean something to SQL, to full-text queries, to LIKE, to globs, in keys and paths.
odd_text = st.text(
    st.one_of(
        st.sampled_from("a=&:/\\\"'*%_?()^-+ \t\n\0é̈ßİıกำहि語👍🏽x0"),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=12,
)
odd_scopes = st.builds(Scope, odd_text.map(TenantId), odd_text.map(UserId))
anything = settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class MemoryStoreContract:
    """Needs a fixture `store`, empty and entered."""

    # What is appended

    async def test_history_is_the_newest_turns_oldest_first(self, store: MemoryStore) -> None:
        for number in (2, 0, 1):
            await store.append(exchange(f"e{number}", f"q{number}", f"a{number}", minute=number))

        assert texts(await store.history(ANN, SESSION, limit=3)) == ["a1", "q2", "a2"]
        assert texts(await store.history(ANN, SESSION, limit=99)) == [
            *("q0", "a0"),
            *("q1", "a1"),
            *("q2", "a2"),
        ]

    async def test_nothing_is_asked_for_and_nothing_comes(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))

        assert list(await store.history(ANN, SESSION, limit=0)) == []
        assert list(await store.history(ANN, SESSION, limit=-1)) == []
        assert list(await store.history(ANN, SessionId("other"), limit=9)) == []
        assert list((await store.entries(ANN, after=None, limit=0)).numbers) == []
        assert await store.turns_numbered(ANN, []) == {}
        assert list(await store.sessions(ANN, limit=0)) == []

    async def test_exchanges_of_the_same_time_keep_the_order_of_arrival(
        self, store: MemoryStore
    ) -> None:
        for number in range(5):
            await store.append(exchange(f"e{number}", f"q{number}"))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["q0", "q1", "q2", "q3", "q4"]

    async def test_a_turn_comes_back_as_it_was_stored(self, store: MemoryStore) -> None:
        calls = (a_tool_call(1), a_tool_call(2))
        stored = exchange_of(
            "tools",
            [
                Message(Role.SYSTEM, "be\0brief  "),
                Message(Role.USER, "look é \U0001f44d\r\n up"),
                Message(Role.ASSISTANT, "", calls),
                Message(Role.TOOL, "result", tool_call_id="call-1"),
                Message(Role.ASSISTANT, "done"),
            ],
            minute=1.0000001,
        )
        await store.append(stored)

        turns = await store.history(ANN, SESSION, limit=99)

        assert list(turns) == [replace(turn, entry=b"") for turn in stored.turns]

    async def test_times_are_aware_utc_to_the_microsecond(self, store: MemoryStore) -> None:
        early = T0.replace(year=1905) + timedelta(microseconds=1)
        late = T0.replace(year=9000) + timedelta(microseconds=999_999)
        for number, at in enumerate((early, late)):
            stored = exchange(f"e{number}")
            turns = tuple(replace(turn, at=at) for turn in stored.turns)
            await store.append(replace(stored, at=at, turns=turns))

        times = [turn.at for turn in await store.history(ANN, SESSION, limit=9)]
        [summary] = await store.sessions(ANN, limit=9)

        assert times == [early, late]
        assert (summary.started_at, summary.last_at) == (early, late)
        assert all(at.utcoffset() == timedelta(0) for at in [*times, summary.started_at])
        assert times[0].tzinfo is UTC

    async def test_the_same_exchange_again_changes_nothing(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "first words", minute=1))
        await store.append(exchange("e", "first words", minute=1))
        await store.append(exchange("e", "other words, longer ones", minute=2))
        await store.append(exchange("e", "elsewhere", minute=2, session=LATER))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["first words"]
        assert [(s.id, s.turn_count, s.last_at) for s in await store.sessions(ANN, limit=9)] == [
            (SESSION, 1, minutes(1))
        ]
        assert await findable(store) == ["first words"]

    async def test_a_complete_exchange_replaces_a_partial_one(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "question", "half an ans", minute=1, partial=True))
        await store.append(exchange("next", "then", minute=1))
        await store.append(exchange("e", "question", "answer", minute=1))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["question", "answer", "then"]
        assert await findable(store) == ["then", "question", "answer"]

    async def test_a_partial_exchange_never_replaces_a_complete_one(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e", "question", "answer"))
        await store.append(exchange("e", "question", "answer, and much more", partial=True))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["question", "answer"]

    async def test_a_longer_partial_replaces_a_shorter_one_only(self, store: MemoryStore) -> None:
        for answer in ("an", "an answ", "an a"):
            await store.append(exchange("e", "question", answer, partial=True))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["question", "an answ"]

    async def test_a_replacement_may_move_to_another_session(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "half", partial=True))
        await store.append(exchange("e", "whole", session=LATER))

        assert [session.id for session in await store.sessions(ANN, limit=9)] == [LATER]
        assert await store.session_count() == 1
        assert texts(await store.history(ANN, LATER, limit=9)) == ["whole"]

    async def test_fifty_appends_at_once_are_all_kept_in_the_order_of_admission(
        self, store: MemoryStore
    ) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(50):
                group.create_task(store.append(exchange(f"e{number}", f"q{number}", f"a{number}")))

        expected = [f"{letter}{number}" for number in range(50) for letter in "qa"]
        assert texts(await store.history(ANN, SESSION, limit=999)) == expected

    async def test_the_same_exchange_ten_times_at_once_is_stored_once(
        self, store: MemoryStore
    ) -> None:
        same = [exchange("e", "half", partial=True)] * 5 + [exchange("e", "whole words")] * 5
        await asyncio.gather(*map(store.append, same))

        assert texts(await store.history(ANN, SESSION, limit=99)) == ["whole words"]
        assert await findable(store) == ["whole words"]

    async def test_an_append_whose_caller_left_is_still_written(self, store: MemoryStore) -> None:
        waiting = [asyncio.ensure_future(store.append(exchange(f"e{n}"))) for n in range(20)]
        await asyncio.sleep(0)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await store.append(exchange("last"))

        assert len(await store.history(ANN, SESSION, limit=99)) == 21

    async def test_an_exchange_without_turns_makes_no_session(self, store: MemoryStore) -> None:
        await store.append(exchange_of("e", []))

        assert await store.sessions(ANN, limit=9) == []

    async def test_the_ledger_keeps_the_first_note_of_each_message(
        self, store: MemoryStore
    ) -> None:
        first, other = note("m1", "first"), note("m2", "")
        await store.append(replace(exchange_of("e1", []), ledger=(first, other)))
        await store.append(replace(exchange("e2", "hello"), ledger=(note("m1", "second"),)))

        assert await store.ledger(ANN, SESSION) == {"m1": "first", "m2": ""}

    async def test_the_ledger_of_another_scope_or_session_is_never_seen(
        self, store: MemoryStore
    ) -> None:
        await store.append(replace(exchange("e1", "hello"), ledger=(note("m1", "hers"),)))

        assert await store.ledger(BOB, SESSION) == {}
        assert await store.ledger(ANN, SessionId("other")) == {}

    async def test_the_ledger_goes_with_its_session(self, store: MemoryStore) -> None:
        await store.append(replace(exchange_of("e1", []), ledger=(note("m1", "canary"),)))
        assert await store.delete_session(BOB, SESSION) == 0
        assert await store.ledger(ANN, SESSION) == {"m1": "canary"}
        assert await store.delete_session(ANN, SESSION) == 0

        assert await store.ledger(ANN, SESSION) == {}

    async def test_the_ledger_expires_by_the_time_of_its_notes(self, store: MemoryStore) -> None:
        old = replace(exchange_of("e1", []), ledger=(note("m1", "old"),))
        new = replace(exchange_of("e2", []), ledger=(note("m2", "new"),))
        await store.append(replace(old, at=T0))
        await store.append(replace(new, at=T0 + timedelta(hours=2)))
        await store.expire(T0 + timedelta(hours=1))

        assert await store.ledger(ANN, SESSION) == {"m2": "new"}

    async def test_scopes_never_mix(self, store: MemoryStore) -> None:
        other_tenant = scope("ann", tenant="other")
        for owner in (ANN, BOB, other_tenant):
            await store.append(exchange("same-id", f"tea of {owner.tenant} {owner.user}", of=owner))

        for owner in (ANN, BOB, other_tenant):
            own = [f"tea of {owner.tenant} {owner.user}"]
            assert texts(await store.history(owner, SESSION, limit=9)) == own
            assert await findable(store, owner) == own
            assert [s.turn_count for s in await store.sessions(owner, limit=9)] == [1]
        assert await store.delete_session(BOB, SESSION) == 1
        assert len(await store.history(ANN, SESSION, limit=9)) == 1
        assert len(await store.history(other_tenant, SESSION, limit=9)) == 1

    @anything
    @given(owners=st.lists(odd_scopes, min_size=2, max_size=4, unique=True), session=odd_text)
    async def test_scopes_with_odd_names_never_mix(
        self, store: MemoryStore, owners: list[Scope], session: str
    ) -> None:
        await store.expire(minutes(9_999))
        for number, owner in enumerate(owners):
            await store.append(exchange("e", f"tea {number}", of=owner, session=session))

        for number, owner in enumerate(owners):
            assert await findable(store, owner) == [f"tea {number}"]
            assert texts(await store.history(owner, SessionId(session), limit=9)) == [
                f"tea {number}"
            ]
            assert [each.id for each in await store.sessions(owner, limit=9)] == [session]
        assert await store.session_count() == len(owners)

    async def test_names_that_join_to_the_same_text_are_different(self, store: MemoryStore) -> None:
        owners = [
            scope("b&c=d", tenant="a"),
            scope("c=d", tenant="a&b"),
            scope("b:c", tenant="a"),
            scope("c", tenant="a:b"),
            scope("", tenant="a:b:c"),
            scope("a:b:c", tenant=""),
        ]
        for number, owner in enumerate(owners):
            await store.append(exchange("e", f"tea {number}", of=owner))

        for number, owner in enumerate(owners):
            assert texts(await store.history(owner, SESSION, limit=9)) == [f"tea {number}"]

    # What is found

    async def test_entries_come_in_the_order_of_their_numbers(self, store: MemoryStore) -> None:
        await store.append(exchange("e1", "tea is hot", "cake as well"))
        await store.append(exchange("e2", "another", session=LATER))

        page = await store.entries(ANN, after=None)

        assert await texts_of(store, page) == ["tea is hot", "cake as well", "another"]
        assert list(page.numbers) == sorted(set(page.numbers))
        assert page.restarts

    async def test_turns_come_by_their_numbers_without_their_entries(
        self, store: MemoryStore
    ) -> None:
        stored = exchange("e", "tea", "cake")
        await store.append(stored)
        await store.append(exchange("gone", "milk", session=LATER))
        first, second, gone = (await store.entries(ANN, after=None)).numbers.tolist()
        await store.delete_session(ANN, LATER)

        found = await store.turns_numbered(ANN, [gone, second, first, 999])

        assert found == {
            first: replace(stored.turns[0], entry=b""),
            second: replace(stored.turns[1], entry=b""),
        }
        assert await store.turns_numbered(BOB, [first]) == {}

    async def test_turns_without_an_entry_are_kept_but_not_found(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea", ""))

        assert await findable(store) == ["tea"]
        assert len(await store.history(ANN, SESSION, limit=9)) == 2

    async def test_a_reader_of_entries_goes_on_where_it_was(self, store: MemoryStore) -> None:
        await store.append(exchange("e1", "pear", "plum", "fig"))
        first = await store.entries(ANN, after=None, limit=2)
        second = await store.entries(ANN, after=first.cursor, limit=2)
        third = await store.entries(ANN, after=second.cursor, limit=2)
        await store.append(exchange("bobs", "hidden", of=BOB))
        await store.append(exchange("e2", "date"))
        fourth = await store.entries(ANN, after=third.cursor, limit=2)

        pages = [first, second, third, fourth]
        told = [await texts_of(store, page) for page in pages]
        assert told == [["pear", "plum"], ["fig"], [], ["date"]]
        assert [page.restarts for page in pages] == [True, False, False, False]

    async def test_a_reader_of_entries_begins_anew_after_any_of_them_went(
        self, store: MemoryStore
    ) -> None:
        await store.append(exchange("e1", "half", partial=True))
        await store.append(exchange("e2", "other"))
        cursor = (await store.entries(ANN, after=None)).cursor
        await store.append(exchange("e1", "whole"))

        page = await store.entries(ANN, after=cursor)
        told = await texts_of(store, page)
        await store.delete_session(ANN, SESSION)
        emptied = await store.entries(ANN, after=page.cursor)
        await store.append(exchange("e3", "anew"))
        again = await store.entries(ANN, after=page.cursor)

        assert (page.restarts, sorted(told)) == (True, ["other", "whole"])
        assert (emptied.restarts, await texts_of(store, emptied)) == (True, [])
        assert (again.restarts, await texts_of(store, again)) == (True, ["anew"])

    @anything
    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=5))
    async def test_entries_are_any_bytes(self, store: MemoryStore, entries: list[bytes]) -> None:
        await store.expire(minutes(9_999))
        for number, entry in enumerate(entries):
            stored = exchange(f"e{number}", "tea")
            turn = replace(stored.turns[0], entry=entry)
            await store.append(replace(stored, turns=(turn,)))

        page = await store.entries(ANN, after=None)

        assert page.entries == b"".join(entries)
        assert page.sizes.tolist() == [len(entry) for entry in entries]

    # Sessions

    async def test_sessions_are_listed_the_most_recent_first_page_by_page(
        self, store: MemoryStore
    ) -> None:
        for number in range(5):
            await store.append(
                exchange(f"a{number}", "q", "a", session=f"s{number}", minute=number)
            )
        await store.append(exchange("late", "q", session="s1", minute=60))

        first_page = await store.sessions(ANN, limit=2)
        second_page = await store.sessions(ANN, limit=2, before=first_page[-1].last_at)
        third_page = await store.sessions(ANN, limit=2, before=second_page[-1].last_at)

        assert [each.id for each in first_page] == ["s1", "s4"]
        assert [each.id for each in second_page] == ["s3", "s2"]
        assert [each.id for each in third_page] == ["s0"]
        assert (first_page[0].started_at, first_page[0].last_at) == (minutes(1), minutes(60))
        assert first_page[0].turn_count == 3
        assert await store.session_count() == 5

    # Forgetting

    async def test_a_deleted_session_is_gone_everywhere(self, store: MemoryStore) -> None:
        await store.append(exchange("e1", "tea", "cake"))
        await store.append(exchange("e2", "tea", session=LATER))

        assert await store.delete_session(ANN, SESSION) == 2

        assert list(await store.history(ANN, SESSION, limit=9)) == []
        assert await findable(store) == ["tea"]
        assert [each.id for each in await store.sessions(ANN, limit=9)] == [LATER]
        assert await store.session_count() == 1
        assert await store.delete_session(ANN, SESSION) == 0
        assert await store.delete_session(scope("nobody"), SESSION) == 0

    async def test_a_deleted_exchange_can_be_stored_again(self, store: MemoryStore) -> None:
        await store.append(exchange("e", "tea"))
        await store.delete_session(ANN, SESSION)
        await store.append(exchange("e", "tea"))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["tea"]
        assert await findable(store) == ["tea"]

    async def test_expiry_forgets_what_is_older_in_every_scope(self, store: MemoryStore) -> None:
        for owner in (ANN, BOB):
            for number in range(60):
                await store.append(exchange(f"e{number}", f"tea {number}", of=owner, minute=number))

        assert await store.expire(minutes(50)) == 100

        for owner in (ANN, BOB):
            [session] = await store.sessions(owner, limit=9)
            assert len(await store.history(owner, SESSION, limit=99)) == 10
            assert await findable(store, owner) == [f"tea {number}" for number in range(50, 60)]
            assert (session.started_at, session.turn_count) == (minutes(50), 10)
        assert await store.expire(minutes(50)) == 0
        assert await store.expire(minutes(99)) == 20
        assert await store.session_count() == 0
        assert await findable(store) == []

    async def test_what_is_appended_during_a_deletion_stays(self, store: MemoryStore) -> None:
        old = [exchange(f"old{n}", f"tea {n}") for n in range(300)]
        await asyncio.gather(*map(store.append, old))

        async with asyncio.TaskGroup() as group:
            deletion = group.create_task(store.delete_session(ANN, SESSION))
            while not deletion.done():
                await store.append(exchange("again", "tea anew"))
                await asyncio.sleep(0)
        await store.append(exchange("again", "tea anew"))

        assert texts(await store.history(ANN, SESSION, limit=9)) == ["tea anew"]
        assert await findable(store) == ["tea anew"]

    async def test_a_deletion_whose_caller_left_is_still_done(self, store: MemoryStore) -> None:
        await asyncio.gather(*(store.append(exchange(f"e{n}")) for n in range(100)))
        deletion = asyncio.ensure_future(store.delete_session(ANN, SESSION))
        await asyncio.sleep(0)
        deletion.cancel()
        await asyncio.gather(deletion, return_exceptions=True)

        async def is_gone() -> bool:
            return await findable(store) == []

        await becomes_true(is_gone)
        assert await store.session_count() == 0
