"""A memory taken out and put in again, line by line."""

import asyncio
import json
import tracemalloc
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Message, Role, Scope, Turn
from memory_proxy.stores.base import MemoryStore, TurnPage
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.testing import FrozenClock
from memory_proxy.web.importing import numbered_lines
from tests.examples import ANN, NOON, an_exchange, assistant, user
from tests.stores.exchanges import a_tool_call, becomes_true, exchange_of
from tests.web.conftest import Launch, Proxy
from tests.web.own_api import Api

LINE = {"session": "s1", "role": "user", "text": "I like tea", "at": "2030-01-01T12:00:00Z"}
ID = "0123456789abcdef0123456789abcdef.0"


@pytest.fixture(params=["memory", "sqlite"])
async def proxy(launch: Launch, request: pytest.FixtureRequest, tmp_path: Path) -> Proxy:
    is_sqlite = request.param == "sqlite"
    return await launch(store=SQLiteStore(tmp_path / "memory.db") if is_sqlite else None)


async def everything(store: MemoryStore, scope: Scope) -> Sequence[Turn]:
    return (await store.turns(scope, limit=100_000, oldest_first=True)).turns


# Round trips


async def test_an_export_comes_back_exactly(proxy: Proxy) -> None:
    for number in range(120):
        said = f"word {number} \0 \u2028 \U0001f44d é\r\n end"
        await proxy.store.append(an_exchange(
            user(said), assistant("a\tb"), name=f"{number:032x}", session=f"s{number % 5}",
            minute=number // 3,
        ))  # fmt: skip
    tools = exchange_of(
        "f" * 32,
        [
            Message(Role.USER, "look"),
            Message(Role.ASSISTANT, "", (a_tool_call(1), a_tool_call(2))),
            Message(Role.TOOL, "found", tool_call_id="call-1"),
            Message(Role.SYSTEM, "be brief"),
        ],
        of=ANN,
        minute=0.0123456,
    )
    await proxy.store.append(tools)
    ann = Api(proxy)
    await ann.add("pinned one", pinned=True)
    id_ = await ann.id_of("be brief")
    await ann.call("PATCH", f"/items/{id_}", {"text": "be very brief"})
    exported = await ann.export()
    bob = Api(proxy, "bob")

    done = await bob.bring(exported)

    assert done == {"imported": 245, "unchanged": 0, "refused": 0, "refused_lines": []}
    assert await bob.export() == exported
    assert len(exported.splitlines()) == 245
    own = await everything(proxy.store, ANN)
    assert await everything(proxy.store, Scope(ANN.tenant, "bob")) == own  # type: ignore[arg-type]
    for session in ("s1", "s3", "notes"):
        assert await bob.items(session=session) == await ann.items(session=session)
    _, hers = await ann.call("POST", "/search", {"query": "word 77"})
    _, his = await bob.call("POST", "/search", {"query": "word 77"})
    found = [[one["text"] for one in each["results"]] for each in (hers, his)]
    assert found[0] == found[1] != []


async def test_an_import_twice_is_one(proxy: Proxy) -> None:
    ann = Api(proxy)
    lines = [{**LINE, "text": f"tea {number}"} for number in range(500)]
    first = await ann.bring(lines)
    again = await ann.bring(lines[:10] + lines)

    assert (first["imported"], first["unchanged"]) == (500, 0)
    assert (again["imported"], again["unchanged"]) == (0, 510)
    assert len(await ann.texts()) == 500


async def test_an_import_changes_nothing_that_is_there(proxy: Proxy) -> None:
    ann = Api(proxy)
    await ann.add("tea")
    exported = await ann.export()
    id_ = await ann.id_of("tea")
    await ann.call("PATCH", f"/items/{id_}", {"text": "coffee", "pinned": True})
    done = await ann.bring(exported)

    assert (done["imported"], done["unchanged"]) == (0, 1)
    assert [(item["text"], item["pinned"]) for item in await ann.items()] == [("coffee", True)]


async def test_what_was_deleted_comes_back_by_an_import(proxy: Proxy) -> None:
    ann = Api(proxy)
    await proxy.ask("tea", headers={"x-session-id": "s1"})
    exported, before = await ann.items(), await ann.export()
    for item in exported:
        await ann.call("DELETE", f"/items/{item['id']}")
        done = await ann.bring(before)
        assert (done["imported"], done["unchanged"]) == (1, 1)

    assert await ann.items() == exported


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(lines=st.lists(st.tuples(texts, st.datetimes(), st.booleans()), max_size=5))
async def test_whatever_is_imported_is_exported(
    launch: Launch, lines: list[tuple[str, Any, bool]]
) -> None:
    proxy = await launch()
    sent = [
        {"session": "s", "role": "user", "text": text, "at": f"{at.isoformat()}Z", "pinned": pinned}
        for text, at, pinned in lines
    ]
    done = await Api(proxy).bring(sent)
    exported = [json.loads(line) for line in (await Api(proxy).export()).splitlines()]

    assert done["refused"] == 0
    assert {line["text"] for line in exported} == {text for text, _, _ in lines}
    assert await Api(proxy, "bob").bring(await Api(proxy).export()) == {
        "imported": len(exported), "unchanged": 0, "refused": 0, "refused_lines": [],
    }  # fmt: skip


# Lines that others write


async def test_a_line_needs_a_session_a_role_and_words(launch: Launch) -> None:
    proxy = await launch(now=FrozenClock(NOON))
    ann = Api(proxy)
    words = [{"session": "s1", "role": "user", "text": text} for text in ("one", "two", "three")]
    done = await ann.bring(words)
    dates = [item["at"] for item in await ann.items()]

    assert done["imported"] == 3
    assert await ann.texts() == ["three", "two", "one"]
    assert dates[0] == "2030-01-01T12:00:00.000003Z"
    assert (await ann.bring(words))["unchanged"] == 3


async def test_dates_of_any_zone_are_kept_as_utc(proxy: Proxy) -> None:
    ann = Api(proxy)
    await ann.bring([{**LINE, "at": "2030-01-01T01:30:00.25+05:30"}])

    assert [item["at"] for item in await ann.items()] == ["2029-12-31T20:00:00.250000Z"]


async def test_imported_turns_are_history_and_are_recalled(proxy: Proxy) -> None:
    ann = Api(proxy)
    await ann.bring([LINE, {**LINE, "role": "assistant", "text": "Noted: you like tea."}])
    await proxy.ask("Go on", headers={"x-session-id": "s1"})
    assert [message["content"] for message in proxy.sent()] == [
        "I like tea", "Noted: you like tea.", "Go on",
    ]  # fmt: skip
    await proxy.ask("Do I like tea?", headers={"x-session-id": "s2"})
    assert "I like tea" in proxy.sent()[0]["content"]


BROKEN = [
    (b"{", "JSON"),
    (b"nonsense", "JSON"),
    (b'"text"', "object"),
    (b"null", "object"),
    (b"[]", "object"),
    (b"{}", "session"),
    (b'{"session": "s", "role": "user"}', "text"),
    (b'{"session": "s", "role": "user", "text": "\xff"}', "JSON"),
    (b'{"session": "s", "role": "user", "text": "\\ud800"}', "JSON"),
    ({**LINE, "text": "  "}, "text"),
    ({**LINE, "text": None}, "text"),
    ({**LINE, "role": "owner"}, "role"),
    ({**LINE, "session": ""}, "session"),
    ({**LINE, "session": "two words"}, "session"),
    ({**LINE, "at": "yesterday"}, "at"),
    ({**LINE, "at": "2030-01-01T12:00:00"}, "at"),
    ({**LINE, "at": 1893499200}, "at"),
    ({**LINE, "at": "0001-01-01T00:00:00+14:00"}, "at"),
    ({**LINE, "at": "2030-02-30T00:00:00Z"}, "at"),
    ({**LINE, "id": "mine"}, "id"),
    ({**LINE, "id": "a" * 32 + ".01"}, "id"),
    ({**LINE, "id": "'; DROP TABLE turns; --.0"}, "id"),
    ({**LINE, "id": 7}, "id"),
    ({**LINE, "pinned": "yes"}, "pinned"),
    ({**LINE, "mood": "good"}, "mood"),
    ({**LINE, "tool_calls": [{"id": "c"}]}, "tool_calls"),
    ({**LINE, "user": "bob"}, "user"),
]


@pytest.mark.parametrize(("broken", "named"), BROKEN)
async def test_a_broken_line_is_refused_with_its_number_and_the_others_are_stored(
    launch: Launch, broken: Any, named: str
) -> None:
    ann = Api(await launch())
    line = broken if isinstance(broken, bytes) else json.dumps(broken).encode()
    good = [json.dumps({**LINE, "text": text}).encode() for text in ("first", "last")]
    done = await ann.bring(b"\n".join([good[0], b"", line, good[1]]))

    [refused] = done["refused_lines"]
    assert (done["imported"], done["refused"], refused["line"]) == (2, 1, 3)
    assert named in refused["reason"]
    assert await ann.texts() == ["last", "first"]


async def test_a_repaired_line_joins_its_exchange(proxy: Proxy) -> None:
    ann = Api(proxy)
    exchange = [{**LINE, "id": ID[:-1] + str(n), "text": f"turn {n}"} for n in range(3)]
    await ann.bring([exchange[0], {**exchange[1], "role": "?"}, exchange[2]])
    assert await ann.texts() == ["turn 2", "turn 0"]
    done = await ann.bring(exchange)

    assert (done["imported"], done["unchanged"]) == (1, 2)
    assert await ann.texts() == ["turn 2", "turn 1", "turn 0"]


async def test_one_exchange_is_in_one_session(proxy: Proxy) -> None:
    ann = Api(proxy)
    other = {**LINE, "id": ID[:-1] + "1", "session": "s2"}
    done = await ann.bring([{**LINE, "id": ID}, other])

    assert [refused["line"] for refused in done["refused_lines"]] == [2]
    assert [item["session"] for item in await ann.items()] == ["s1"]


@pytest.mark.parametrize("body", [b"", b"\n", b"\r\n \n\t"])
async def test_an_import_of_nothing_is_nothing(proxy: Proxy, body: bytes) -> None:
    done = await Api(proxy).bring(body)

    assert done == {"imported": 0, "unchanged": 0, "refused": 0, "refused_lines": []}


async def test_a_file_of_windows_with_a_mark_at_its_beginning_is_read(proxy: Proxy) -> None:
    line = json.dumps(LINE).encode()
    done = await Api(proxy).bring(b"\xef\xbb\xbf" + line + b"\r\n" + line)

    assert (done["imported"], done["unchanged"]) == (1, 1)


async def test_a_line_that_is_too_long_is_refused_and_what_follows_is_read(
    launch: Launch,
) -> None:
    ann = Api(await launch(max_body_bytes=2_000))
    done = await ann.bring([LINE, {**LINE, "text": "x" * 100_000}, {**LINE, "text": "after"}])

    assert (done["imported"], done["refused_lines"][0]["line"]) == (2, 2)
    assert "max_body_bytes" in done["refused_lines"][0]["reason"]


async def test_of_many_broken_lines_all_are_counted_and_the_first_are_told(
    launch: Launch,
) -> None:
    done = await Api(await launch()).bring(b"?\n" * 3_000)

    assert (done["refused"], len(done["refused_lines"])) == (3_000, 1_000)
    assert done["refused_lines"][-1]["line"] == 1_000


@given(text=st.text("ab\n\r ", max_size=40), cuts=st.lists(st.integers(0, 40), max_size=5))
async def test_lines_are_the_same_however_they_arrive(text: str, cuts: list[int]) -> None:
    body = text.encode()
    places = [0, *sorted(min(cut, len(body)) for cut in cuts), len(body)]

    async def chunks() -> AsyncGenerator[bytes]:
        for start, end in pairwise(places):
            yield body[start:end]

    found = [line async for line in numbered_lines(chunks(), limit_bytes=3)]

    expected = [
        (number, line if len(line) <= 3 else None)
        for number, line in enumerate(body.split(b"\n"), 1)
        if line.strip() or len(line) > 3
    ]
    assert found == expected


# In bounded memory


async def test_a_large_memory_goes_out_and_in_in_little_memory(
    launch: Launch, tmp_path: Path
) -> None:
    """40 MB of words, in a process that may hold a third of that, client and all."""
    proxy = await launch(store=SQLiteStore(tmp_path / "memory.db"))
    ann = Api(proxy)
    size = 0

    async def lines() -> AsyncGenerator[bytes]:
        nonlocal size
        for number in range(400):
            line = json.dumps({**LINE, "text": f"{number} " + "x" * 100_000}).encode() + b"\n"
            size += len(line)
            yield line

    tracemalloc.start()
    try:
        done = await ann.bring(lines())  # type: ignore[arg-type]
        url = proxy.url + "/memory/export"
        received = 0
        async with proxy.client.get(url, headers=ann.headers) as reply:
            async for chunk in reply.content.iter_chunked(65_536):
                received += len(chunk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert done["imported"] == 400
    assert received > size > 40_000_000
    assert peak < 13_000_000


class Failing(InMemoryStore):
    """Cannot read on, or write on, from a certain call."""

    fails_from = 2
    calls = 0

    def _count(self) -> None:
        self.calls += 1
        if self.calls >= self.fails_from:
            raise StoreError("disk gone")

    async def turns(self, scope: Scope, **more: Any) -> TurnPage:
        self._count()
        return await super().turns(scope, **more)


async def test_an_export_that_breaks_off_is_not_taken_for_whole(launch: Launch) -> None:
    store = Failing()
    proxy = await launch(store=store)
    await store.add_turns(
        [an_exchange(user(f"tea {n}"), name=f"{n:032x}", minute=n) for n in range(500)]
    )
    with pytest.raises(aiohttp.ClientPayloadError):
        await Api(proxy).export()
    status, _ = await Api(proxy).call("GET", "/export")
    assert status == 503


async def test_a_client_that_leaves_an_import_keeps_what_was_stored(launch: Launch) -> None:
    proxy = await launch()
    is_sent = asyncio.Event()

    async def lines() -> AsyncGenerator[bytes]:
        for number in range(400):
            yield json.dumps({**LINE, "text": f"tea {number}"}).encode() + b"\n"
        is_sent.set()
        await asyncio.Event().wait()

    async def all_is_stored() -> bool:
        return len(await everything(proxy.store, ANN)) == 400

    importing = asyncio.ensure_future(Api(proxy).bring(lines()))  # type: ignore[arg-type]
    await is_sent.wait()
    await becomes_true(all_is_stored)
    importing.cancel()
    await asyncio.gather(importing, return_exceptions=True)

    assert (await Api(proxy).bring([LINE]))["imported"] == 1


async def test_a_tools_output_is_imported_and_not_found_by_words(proxy: Proxy) -> None:
    ann = Api(proxy)
    tool = {**LINE, "role": "tool", "text": "tea tool", "tool_call_id": "c"}
    assert (await ann.bring([LINE, tool]))["imported"] == 2

    _, hits = await ann.call("POST", "/search", {"query": "tea"})
    assert [one["text"] for one in hits["results"]] == ["I like tea"]
