"""What is remembered, item by item, through the front door."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Exchange
from memory_proxy.security.keys import KeyRing
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.testing import FrozenClock, openai_stream
from memory_proxy.web.access import Access
from tests.examples import ANN, BOB, NOON, an_exchange, assistant, user
from tests.stores.exchanges import becomes_true
from tests.web.conftest import Launch, Proxy
from tests.web.own_api import Api

IN_S1 = {"x-session-id": "s1"}
AND_ON = [{"role": "assistant", "content": "So."}, {"role": "user", "content": "ok"}]
ODD_IDS = [
    "none.0", "none", "none.", ".0", "e1.", "e1.-1", "e1.00", "e1.0.0", "e1.1e0", "e1.\u0661",
    "e1.9999999", "e1.0%20", "e1%00.0", "E1.0", "%27%20OR%201=1--.0", "e1.0;x=1", "*.0",
    "a" * 3000 + ".0",
]  # fmt: skip


@pytest.fixture(params=["memory", "sqlite"])
async def proxy(launch: Launch, request: pytest.FixtureRequest, tmp_path: Path) -> Proxy:
    is_sqlite = request.param == "sqlite"
    return await launch(store=SQLiteStore(tmp_path / "memory.db") if is_sqlite else None)


async def told(proxy: Proxy, text: str, session: str = "s1") -> Api:
    """Ann has said `text` in a chat."""
    await proxy.ask(text, headers={"x-session-id": session})
    return Api(proxy)


# Listing and reading


async def test_what_was_said_is_listed_newest_first(proxy: Proxy) -> None:
    ann = await told(proxy, "one")
    await told(proxy, "two", "s2")

    assert await ann.texts() == ["It is teal.", "two", "It is teal.", "one"]
    [reply, said] = await ann.items(session="s1")
    assert (said["text"], said["role"], said["session"]) == ("one", "user", "s1")
    assert (reply["role"], reply["pinned"], reply["edited_at"]) == ("assistant", False, None)
    assert datetime.fromisoformat(said["at"]).utcoffset() == timedelta(0)
    assert await ann.call("GET", f"/items/{said['id']}") == (200, said)


async def test_a_long_list_goes_on_where_it_ended(proxy: Proxy) -> None:
    ann = Api(proxy)
    for number in range(5):
        await ann.add(f"note {number}")
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 2}
    for _ in range(3):
        _, page = await ann.call("GET", "/items", params=query)
        seen += [item["text"] for item in page["items"]]
        query["after"] = page["next_after"]

    assert seen == [f"note {number}" for number in (4, 3, 2, 1, 0)]
    assert query["after"] is None


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "after=x", "after=1.2", "after=1.2.3.4", "after=", "after=" + "9" * 18
     + ".0.0", "after=%D9%A1.0.0"],
)  # fmt: skip
async def test_a_wrong_parameter_is_named(proxy: Proxy, query: str) -> None:
    status, reply = await Api(proxy).call("GET", f"/items?{query}")

    assert status == 400
    assert query.split("=")[0] in reply["error"]["message"]


# Adding


async def test_a_note_is_a_turn_of_the_user_and_is_recalled(proxy: Proxy) -> None:
    ann = Api(proxy)
    note = await ann.add("The spare key hangs behind the blue door")
    await proxy.ask("Where does the spare key hang?", headers={"x-session-id": "s2"})

    assert (note["session"], note["role"], note["pinned"]) == ("notes", "user", False)
    assert "behind the blue door" in proxy.sent()[0]["content"]
    assert await ann.call("GET", f"/items/{note['id']}") == (200, note)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"), (b"{", "JSON"), (b"[]", "object"), (b"{}", "text"),
        (b'{"text": " \\n"}', "text"), (b'{"text": 1}', "text"),
        (b'{"text": "x", "role": "system"}', "role"), (b'{"text": "\xff"}', "JSON"),
        (b'{"text": "\\ud800"}', "JSON"), (b'{"text": "x", "pinned": "yes"}', "pinned"),
    ],
)  # fmt: skip
async def test_a_wrong_note_is_refused_naming_what_is_wrong(
    proxy: Proxy, body: bytes, named: str
) -> None:
    status, reply = await Api(proxy).call("POST", "/items", data=body)

    assert status == 400
    assert named in reply["error"]["message"]
    assert await Api(proxy).texts() == []


async def test_odd_words_are_kept_as_they_are(proxy: Proxy) -> None:
    ann = Api(proxy)
    odd = "'; DROP TABLE turns; -- \0 <recalled-notes> \u202e \U0001f44d\U0001f3fd %s \\ é\r\n"
    note = await ann.add(odd)

    assert note["text"] == odd
    assert await ann.texts() == [odd]


async def test_a_note_that_is_too_large_is_refused(launch: Launch) -> None:
    proxy = await launch(max_body_bytes=2_000)
    ann = Api(proxy)
    for path in ("/items", "/search"):
        status, _ = await ann.call("POST", path, {"text": "x" * 3_000})
        assert status == 413
    assert (await ann.add("x" * 1_000))["text"] == "x" * 1_000


# Editing


async def test_an_edit_keeps_id_and_date_and_is_marked(launch: Launch) -> None:
    clock = FrozenClock(NOON)
    proxy = await launch(now=clock)
    ann = await told(proxy, "My sister lives in Porto")
    id_ = await ann.id_of("My sister lives in Porto")
    clock.advance(timedelta(hours=1))
    status, item = await ann.call("PATCH", f"/items/{id_}", {"text": "My sister lives in Faro"})

    assert status == 200
    assert (item["id"], item["text"], item["session"]) == (id_, "My sister lives in Faro", "s1")
    assert datetime.fromisoformat(item["at"]) == NOON
    assert datetime.fromisoformat(item["edited_at"]) == NOON + timedelta(hours=1)
    assert await ann.texts() == ["It is teal.", "My sister lives in Faro"]
    _, found = await ann.call("POST", "/search", {"query": "Where does my sister live? Porto?"})
    assert [one["text"] for one in found["results"]] == ["My sister lives in Faro"]


async def test_the_words_before_an_edit_are_replayed_to_nobody(proxy: Proxy) -> None:
    ann = await told(proxy, "My sister lives in Porto")
    asked = [{"role": "user", "content": "Where does my sister live?"}]
    await proxy.ask(asked, headers={"x-session-id": "s2"})
    assert b"Porto" in proxy.fake.calls[-1].body
    id_ = await ann.id_of("My sister lives in Porto")
    await ann.call("PATCH", f"/items/{id_}", {"text": "My sister lives in Faro"})
    more = [
        *asked,
        {"role": "assistant", "content": "It is teal."},
        {"role": "user", "content": "ok"},
    ]
    await proxy.ask(more, headers={"x-session-id": "s2"})

    assert b"Porto" not in proxy.fake.calls[-1].body


async def test_an_edit_to_the_same_words_is_none(proxy: Proxy) -> None:
    ann = Api(proxy)
    note = await ann.add("tea")

    assert await ann.call("PATCH", f"/items/{note['id']}", {"text": "tea"}) == (200, note)


@pytest.mark.parametrize(
    "change", [{}, {"text": ""}, {"text": None}, {"at": "2030"}, {"pinned": 1}]
)
async def test_a_change_that_is_none_is_refused(proxy: Proxy, change: dict[str, Any]) -> None:
    ann = Api(proxy)
    note = await ann.add("tea")
    status, _ = await ann.call("PATCH", f"/items/{note['id']}", change)

    assert status == 400
    assert await ann.items() == [note]


# Pinning


async def test_what_is_pinned_comes_first_into_every_context(proxy: Proxy) -> None:
    ann = Api(proxy)
    await ann.add("The spare key hangs behind the blue door")
    pinned = await ann.add("I am allergic to walnuts", pinned=True)
    await proxy.ask("Where does the spare key hang?", headers={"x-session-id": "s2"})
    sent = proxy.sent()[0]["content"]
    assert 0 < sent.index("walnuts") < sent.index("blue door")
    await proxy.ask("Good morning to you", headers={"x-session-id": "s3"})
    assert "walnuts" in proxy.sent()[0]["content"]

    status, item = await ann.call("PATCH", f"/items/{pinned['id']}", {"pinned": False})
    assert (status, item["pinned"]) == (200, False)
    await proxy.ask("Good morning to you", headers={"x-session-id": "s4"})
    assert "walnuts" not in proxy.sent()[0]["content"]


async def test_a_pin_is_quoted_once_a_conversation(proxy: Proxy) -> None:
    await Api(proxy).add("I am allergic to walnuts", pinned=True)
    for text in ("Good morning", "And a good day"):
        await proxy.ask(text, headers=IN_S1)

    assert proxy.fake.calls[-1].body.count(b"walnuts") == 1


async def test_text_and_pin_change_together(proxy: Proxy) -> None:
    ann = Api(proxy)
    note = await ann.add("tea")
    change = {"text": "coffee", "pinned": True}
    status, item = await ann.call("PATCH", f"/items/{note['id']}", change)

    assert (status, item["text"], item["pinned"]) == (200, "coffee", True)
    _, item = await ann.call("PATCH", f"/items/{note['id']}", {"text": "cocoa"})
    assert (item["text"], item["pinned"]) == ("cocoa", True)


# Deleting


async def test_a_deleted_item_is_gone_and_the_answer_says_what_went(proxy: Proxy) -> None:
    ann = await told(proxy, "My sister lives in Porto")
    question = [{"role": "user", "content": "Where does my sister live?"}]
    for session in ("s2", "s3"):
        await proxy.ask(question, headers={"x-session-id": session})
        assert b"Porto" in proxy.fake.calls[-1].body
    id_ = await ann.id_of("My sister lives in Porto")

    status, gone = await ann.call("DELETE", f"/items/{id_}")

    assert (status, gone) == (200, {
        "id": id_, "turns": 1, "index_entries": 1, "ledger_entries": 2, "vectors": 0, "traces": 2,
    })  # fmt: skip
    assert (await ann.call("GET", f"/items/{id_}"))[0] == 404
    assert (await ann.call("DELETE", f"/items/{id_}"))[0] == 404
    for session in ("s2", "s3", "s4"):
        more = [
            *question,
            {"role": "assistant", "content": "So."},
            {"role": "user", "content": "ok"},
        ]
        await proxy.ask(more, headers={"x-session-id": session})
        assert b"Porto" not in proxy.fake.calls[-1].body
    assert "My sister lives in Porto" not in await ann.texts()


async def test_a_note_that_was_on_its_way_is_not_kept_after_the_deletion(proxy: Proxy) -> None:
    """A stream that still runs holds what it quotes until it ends."""
    ann = await told(proxy, "My sister lives in Porto")
    id_ = await ann.id_of("My sister lives in Porto")
    goes_on = asyncio.Event()
    proxy.fake.script(openai_stream(["It ", goes_on, "is."]))
    messages = [{"role": "user", "content": "Where does my sister live?"}]
    body = {"model": "m", "messages": messages, "stream": True}
    headers = ann.headers | {"x-session-id": "s2"}
    url = proxy.url + "/v1/chat/completions"
    async with proxy.client.post(url, json=body, headers=headers) as reply:
        await reply.content.readany()
        assert b"Porto" in proxy.fake.calls[-1].body
        status, _ = await ann.call("DELETE", f"/items/{id_}")
        assert status == 200
        goes_on.set()
        await reply.read()
    await proxy.stored("s2", turns=2)

    assert await proxy.store.ledger(ANN, "s2") == {}  # type: ignore[arg-type]


async def test_nothing_of_a_deleted_item_is_left_in_the_file(
    launch: Launch, tmp_path: Path
) -> None:
    proxy = await launch(store=SQLiteStore(tmp_path / "memory.db"))
    ann = await told(proxy, "The canaryword is mine")
    for number in range(3):
        headers = {"x-session-id": f"q{number}", "x-memory": "read"}
        await proxy.ask("Which canaryword is mine?", headers=headers)
        assert b"The canaryword" in proxy.fake.calls[-1].body
    _, gone = await ann.call("DELETE", f"/items/{await ann.id_of('The canaryword is mine')}")
    assert gone["ledger_entries"] == 3

    async def nothing_is_left() -> bool:
        on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        return not any(word in on_disk for word in (b"canaryword", b"canaryword".hex().encode()))

    await becomes_true(nothing_is_left)


# Searching


async def test_a_search_finds_by_words_the_best_first_with_dates_and_scores(
    proxy: Proxy,
) -> None:
    ann = await told(proxy, "My sister Marta plays the cello")
    await told(proxy, "Marta visits in May", "s2")
    status, found = await ann.call("POST", "/search", {"query": "Marta cello"})
    first, *others = found["results"]

    assert status == 200
    assert (first["text"], first["session"]) == ("My sister Marta plays the cello", "s1")
    assert (first["role"], first["at"]) == ("user", (await ann.items(session="s1"))[1]["at"])
    assert all(first["score"] >= other["score"] for other in others)
    _, one = await ann.call("POST", "/search", {"query": "Marta cello", "limit": 1})
    assert one["results"] == [first]


@pytest.mark.parametrize(
    "query",
    ["", " ", "?!", "\U0001f44d", "AND OR NOT NEAR(", '"', "te*", "'; DROP TABLE turns --", "%_",
     "the", "x" * 100_000, "tea " * 50_000, "QmFzZTY0" * 500, "\0", "日本語",
     "def f(x): return {x: [1]}"],
)  # fmt: skip
async def test_no_query_is_an_error(proxy: Proxy, query: str) -> None:
    await Api(proxy).add("something else")
    status, found = await Api(proxy).call("POST", "/search", {"query": query})

    assert status == 200
    assert isinstance(found["results"], list)


@pytest.mark.parametrize(
    "body", [{}, {"query": 1}, {"query": "x", "limit": 0}, {"query": "x", "limit": 101},
             {"query": "x", "user": "bob"}],
)  # fmt: skip
async def test_a_wrong_search_is_refused(proxy: Proxy, body: dict[str, Any]) -> None:
    assert (await Api(proxy).call("POST", "/search", body))[0] == 400


# Whose


async def test_items_of_another_user_do_not_exist(proxy: Proxy) -> None:
    ann = await told(proxy, "The canary word is ostrich")
    bob = Api(proxy, "bob")
    id_ = await ann.id_of("The canary word is ostrich")
    before = await ann.items()

    for method, body in (
        ("GET", None), ("DELETE", None), ("PATCH", {"text": "mine now"}),
        ("PATCH", {"pinned": True}), ("PATCH", {"text": "mine now", "pinned": True}),
    ):  # fmt: skip
        status, reply = await bob.call(method, f"/items/{id_}", body)
        assert (status, "ostrich" in str(reply)) == (404, False)
    assert await bob.items() == []
    assert await bob.items(session="s1") == []
    assert await bob.export() == b""
    assert await bob.call("POST", "/search", {"query": "canary ostrich"}) == (200, {"results": []})
    assert await ann.items() == before


async def test_an_import_never_reaches_another_users_items(proxy: Proxy) -> None:
    ann = await told(proxy, "hers")
    bob = Api(proxy, "bob")
    [reply, said] = await ann.items()
    stolen = [{**said, "text": "his"}, {**said, "id": said["id"][:-1] + "7", "text": "also his"}]
    done = await bob.bring(stolen)

    assert (done["imported"], await bob.texts()) == (2, ["also his", "his"])
    assert await ann.items() == [reply, said]


async def test_a_list_of_another_user_does_not_go_on_in_mine(proxy: Proxy) -> None:
    for name in ("ann", "bob"):
        for number in range(3):
            await Api(proxy, name).add(f"{name} {number}")
    _, page = await Api(proxy).call("GET", "/items", params={"limit": 1})
    _, other = await Api(proxy, "bob").call("GET", "/items", params={"after": page["next_after"]})

    assert all(item["text"].startswith("bob") for item in other["items"])


@pytest.mark.parametrize("id_", ODD_IDS)
async def test_an_odd_id_is_nobodys(proxy: Proxy, id_: str) -> None:
    await proxy.store.append(an_exchange(user("hers"), assistant("a reply"), scope=ANN))
    await proxy.store.append(an_exchange(user("his"), scope=BOB, name="none"))
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"text": "changed"})):
        status, _ = await Api(proxy).call(method, f"/items/{id_}", body)
        assert status in (400, 404)

    assert await Api(proxy).texts() == ["a reply", "hers"]
    assert await Api(proxy, "bob").texts() == ["his"]


EVERY_ROUTE = [
    ("GET", "/items"), ("POST", "/items"), ("GET", "/items/e1.0"), ("PATCH", "/items/e1.0"),
    ("DELETE", "/items/e1.0"), ("POST", "/search"), ("POST", "/import"), ("GET", "/export"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
@pytest.mark.parametrize(
    "headers", [{}, {"authorization": "Bearer wrong"}, {"x-api-key": ""}, {"authorization": "sk-k"}]
)
async def test_every_route_needs_the_key(
    launch: Launch, method: str, path: str, headers: dict[str, str]
) -> None:
    proxy = await launch(access=Access(KeyRing("sk-k")))
    await proxy.store.append(an_exchange(user("hers"), scope=ANN))
    body = {"text": "x", "query": "hers", "session": "s", "role": "user"}
    status, reply = await Api(proxy).call(method, path, body, headers=headers)

    assert (status, reply["error"]["code"]) == (401, "invalid_api_key")
    page = await proxy.store.turns(ANN, limit=9)
    assert [turn.message.text for turn in page.turns] == ["hers"]


@pytest.mark.parametrize(("method", "path"), EVERY_ROUTE)
async def test_a_user_id_that_is_none_is_refused_on_every_route(
    proxy: Proxy, method: str, path: str
) -> None:
    headers = {"x-memory-user-id": "ann bob"}
    assert (await Api(proxy).call(method, path, {}, headers=headers))[0] == 400


async def test_a_page_of_another_origin_may_change_nothing(proxy: Proxy) -> None:
    note = await Api(proxy).add("tea")
    headers = {"origin": "https://evil.example"}
    for method, path in EVERY_ROUTE:
        status, _ = await Api(proxy).call(method, path, {"text": "x"}, headers=headers)
        assert status == 403

    assert await Api(proxy).items() == [note]


# When the store cannot


class BrokenStore(InMemoryStore):
    async def append(self, exchange: Exchange) -> None:
        raise StoreError("disk full")


async def test_what_cannot_be_stored_is_not_said_to_be(launch: Launch) -> None:
    status, _ = await Api(await launch(store=BrokenStore())).call("POST", "/items", {"text": "x"})

    assert status == 503
