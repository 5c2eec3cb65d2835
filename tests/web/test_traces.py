"""Receipts: what was recalled, why, and what was left out."""

from typing import Any

from memory_proxy.memory.manager import MemoryLimits
from tests.web.conftest import Launch, Proxy

AS_ANN = {"x-memory-user-id": "ann"}


async def told(proxy: Proxy) -> None:
    await proxy.ask("My favourite colour is teal", headers={"x-session-id": "told"})
    await proxy.stored("told", turns=2)


async def get(proxy: Proxy, path: str, **headers: str) -> tuple[int, Any]:
    async with proxy.client.get(proxy.url + path, headers=AS_ANN | headers) as reply:
        return reply.status, await reply.json()


async def test_an_answer_carries_the_id_of_its_receipt(proxy: Proxy) -> None:
    await told(proxy)
    reply = await proxy.ask("What is my favourite colour?", headers={"x-session-id": "asked"})
    status, receipt = await get(proxy, f"/memory/traces/{reply.headers['x-memory-trace']}")

    assert status == 200
    assert receipt["query"] == "What is my favourite colour?"
    assert (receipt["request_class"], receipt["mode"]) == ("human_turn", "on")
    assert receipt["session"] == "asked"
    assert receipt["ledger"] == reply.headers["x-memory-ledger"] == "replayed=0; new=1"
    assert receipt["considered"] >= 1
    assert set(receipt["milliseconds"]) == {"session", "recall"}
    (first, *_) = receipt["recalled"]
    assert first["text"] == "My favourite colour is teal"
    assert first["session"] == "told"
    assert first["reasons"]
    assert first["tokens"] > 0
    assert first["age_days"] >= 0


async def test_a_receipt_says_what_was_left_out_and_why(proxy: Proxy) -> None:
    await told(proxy)
    reply = await proxy.ask(
        [
            {"role": "user", "content": "My favourite colour is teal"},
            {"role": "assistant", "content": "Noted."},
            {"role": "user", "content": "What is my favourite colour?"},
        ],
        headers={"x-session-id": "asked"},
    )
    _, receipt = await get(proxy, f"/memory/traces/{reply.headers['x-memory-trace']}")

    assert "the request brings it already" in {turn["why"] for turn in receipt["dropped"]}


async def test_no_room_is_a_reason(launch: Launch) -> None:
    proxy = await launch(limits=MemoryLimits(recall_tokens=60))
    await told(proxy)
    reply = await proxy.ask("What is my favourite colour?", headers={"x-session-id": "asked"})
    _, receipt = await get(proxy, f"/memory/traces/{reply.headers['x-memory-trace']}")

    assert receipt["recalled"] == []
    assert "no room within the budget" in {turn["why"] for turn in receipt["dropped"]}


async def test_receipts_are_listed_newest_first_for_their_own_user_only(proxy: Proxy) -> None:
    await told(proxy)
    reply = await proxy.ask("What is my favourite colour?")
    trace = reply.headers["x-memory-trace"]
    _, listed = await get(proxy, "/memory/traces?limit=1")
    assert [receipt["id"] for receipt in listed["traces"]] == [trace]

    bob = {"x-memory-user-id": "bob"}
    assert (await get(proxy, f"/memory/traces/{trace}", **bob))[0] == 404
    assert (await get(proxy, "/memory/traces", **bob))[1] == {"traces": []}


async def test_what_is_forgotten_is_in_no_receipt(proxy: Proxy) -> None:
    await told(proxy)
    first = await proxy.ask("What is my favourite colour?", headers={"x-session-id": "asked"})
    _, receipt = await get(proxy, f"/memory/traces/{first.headers['x-memory-trace']}")
    item = receipt["recalled"][0]["id"]
    url = f"{proxy.url}/memory/items/{item}"
    async with proxy.client.delete(url, headers=AS_ANN) as reply:
        assert (await reply.json())["traces"] >= 1

    assert (await get(proxy, f"/memory/traces/{receipt['id']}"))[0] == 404


async def test_an_unknown_receipt_is_404(proxy: Proxy) -> None:
    assert (await get(proxy, "/memory/traces/none"))[0] == 404
