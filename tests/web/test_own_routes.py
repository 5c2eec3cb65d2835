import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from memory_proxy.core.errors import StoreError
from memory_proxy.core.types import Exchange, MessageDigest, Scope, SessionId
from memory_proxy.memory.manager import MemoryLimits
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.security.keys import KeyRing
from memory_proxy.stores.in_memory import InMemoryStore
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.testing import FakeUpstream
from memory_proxy.upstream import Gate
from memory_proxy.web.access import Access
from memory_proxy.web.app import create_app
from tests.web.conftest import Launch, Proxy

IN_S1 = {"x-session-id": "s1"}
AS_ANN = {"x-memory-user-id": "ann"}
OWN_ROUTES = ["/memory-routing/info", "/memory/sessions", "/memory/sessions/s1", "/metrics"]


async def test_health_tells_what_runs_and_never_asks_litellm(proxy: Proxy) -> None:
    async with proxy.client.get(proxy.url + "/health") as reply:
        health = await reply.json()

    assert health["status"] == "healthy"
    assert health["memory_router"] is True
    assert health["litellm_base_url"] == proxy.fake.url
    assert health["version"]
    assert health["degraded"] == []
    assert proxy.fake.calls == []


async def test_liveness_readiness_and_the_front_door_need_no_key(launch: Launch) -> None:
    proxy = await launch(access=Access(KeyRing("sk-k")))
    for path in ("/", "/health", "/health/live", "/health/ready"):
        assert (await proxy.client.get(proxy.url + path)).status == 200
    assert (await proxy.client.head(proxy.url + "/")).status == 200


@pytest.mark.parametrize("path", OWN_ROUTES)
async def test_every_other_own_route_needs_the_key(launch: Launch, path: str) -> None:
    proxy = await launch(access=Access(KeyRing("sk-k")))
    async with proxy.client.get(proxy.url + path) as reply:
        assert reply.status == 401
        assert (await reply.json())["error"]["code"] == "invalid_api_key"
    known = {"authorization": "Bearer sk-k"}
    async with proxy.client.get(proxy.url + path, headers=known) as reply:
        assert reply.status in (200, 404)


async def test_routing_info_explains_the_decision_for_this_request(launch: Launch) -> None:
    patterns = [{"header": "user-agent", "pattern": "^curl/", "user_id": "ann"}]
    router = MemoryRouter.from_config({"user_id_mappings": {"header_patterns": patterns}})
    proxy = await launch(router)
    url = proxy.url + "/memory-routing/info"
    async with proxy.client.get(url, headers={"user-agent": "curl/8.1"}) as reply:
        info = await reply.json()

    assert info["enabled"] is True
    assert info["user_id"] == "ann"
    assert info["matched_pattern"]["value"] == "curl/8.1"
    assert info["header_patterns"] == patterns


async def test_routing_info_says_that_memory_is_off(launch: Launch) -> None:
    proxy = await launch(memory=False)
    async with proxy.client.get(proxy.url + "/memory-routing/info") as reply:
        assert (await reply.json())["enabled"] is False
    async with proxy.client.get(proxy.url + "/health") as reply:
        assert (await reply.json())["memory_router"] is False


async def test_sessions_are_listed_read_and_deleted(proxy: Proxy) -> None:
    await proxy.ask("one", headers=IN_S1)
    await proxy.ask("two", headers={"x-session-id": "a/b c"} | {"x-session-id": "s/2"})
    url = proxy.url + "/memory/sessions"
    async with proxy.client.get(url, headers=AS_ANN) as reply:
        listed = await reply.json()
    assert [(s["id"], s["turns"]) for s in listed["sessions"]] == [("s/2", 2), ("s1", 2)]
    assert listed["next_before"] is None
    async with proxy.client.get(url + "/s1", headers=AS_ANN) as reply:
        turns = (await reply.json())["turns"]
    assert [(turn["role"], turn["text"]) for turn in turns] == [
        ("user", "one"),
        ("assistant", "It is teal."),
    ]
    async with proxy.client.delete(url + "/s1", headers=AS_ANN) as reply:
        assert await reply.json() == {"id": "s1", "deleted_turns": 2}
    async with proxy.client.get(url + "/s1", headers=AS_ANN) as reply:
        assert reply.status == 404
    async with proxy.client.delete(url + "/s1", headers=AS_ANN) as reply:
        assert reply.status == 404


async def test_a_long_list_goes_on_where_it_ended(proxy: Proxy) -> None:
    for i in range(5):
        await proxy.ask("x", headers={"x-session-id": f"s{i}"})
    seen: list[str] = []
    before = None
    for _ in range(3):
        params = {"limit": "2"} | ({"before": before} if before else {})
        url = proxy.url + "/memory/sessions"
        async with proxy.client.get(url, params=params, headers=AS_ANN) as reply:
            page = await reply.json()
        seen += [session["id"] for session in page["sessions"]]
        before = page["next_before"]

    assert seen == ["s4", "s3", "s2", "s1", "s0"]
    assert before is None


async def test_sessions_of_others_do_not_exist(proxy: Proxy) -> None:
    await proxy.ask("one", headers=IN_S1)
    as_bob = {"x-memory-user-id": "bob"}
    async with proxy.client.get(proxy.url + "/memory/sessions", headers=as_bob) as reply:
        assert (await reply.json())["sessions"] == []
    for method in ("GET", "DELETE"):
        url = proxy.url + "/memory/sessions/s1"
        async with proxy.client.request(method, url, headers=as_bob) as reply:
            assert reply.status == 404


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "before=yesterday", "before=2030-01-01"])
async def test_a_wrong_parameter_is_named(proxy: Proxy, query: str) -> None:
    async with proxy.client.get(f"{proxy.url}/memory/sessions?{query}") as reply:
        assert reply.status == 400
        assert query.split("=")[0] in (await reply.json())["error"]["message"]


async def test_metrics_count_requests_recalls_and_errors(proxy: Proxy) -> None:
    await proxy.ask("My favourite colour is teal")
    await proxy.ask("Which colour is my favourite?")
    await proxy.ask("hi", headers={"x-memory": "maybe"})
    async with proxy.client.get(proxy.url + "/metrics") as reply:
        text = await reply.text()

    assert 'memory_proxy_requests_total{route="openai_chat",status="200"} 2.0' in text
    assert 'memory_proxy_errors_total{kind="invalid_request"} 1.0' in text
    assert "memory_proxy_recall_hits_total 1.0" in text
    assert "memory_proxy_sessions 2.0" in text
    assert "ann" not in text


async def test_two_applications_share_nothing(launch: Launch) -> None:
    one, other = await launch(), await launch()
    await one.ask("one", headers=IN_S1)
    async with other.client.get(other.url + "/memory/sessions", headers=AS_ANN) as reply:
        assert (await reply.json())["sessions"] == []
    async with other.client.get(other.url + "/metrics") as reply:
        assert 'route="openai_chat"' not in await reply.text()


class FullStore(InMemoryStore):
    """Takes nothing while it is full."""

    is_full = True

    async def append(self, exchange: Exchange) -> None:
        if self.is_full:
            raise StoreError("disk full")
        await super().append(exchange)


async def test_a_full_disk_stops_no_chat_and_is_marked(launch: Launch) -> None:
    store = FullStore()
    proxy = await launch(store=store)
    first = await proxy.ask("My name is Ann", headers=IN_S1)
    await asyncio.sleep(0)
    second = await proxy.ask("What is my name?", headers=IN_S1)

    assert (first.status, second.status) == (200, 200)
    assert second.headers["x-memory-status"] == "degraded; reason=store"
    assert proxy.sent()[0]["content"] == "My name is Ann"
    async with proxy.client.get(proxy.url + "/health") as reply:
        assert "exchanges wait" in (await reply.json())["degraded"][0]
    store.is_full = False
    assert len(await proxy.stored("s1", turns=4)) == 4


class SlowStore(InMemoryStore):
    """Never answers what is read for a chat."""

    async def ledger(self, scope: Scope, session: SessionId) -> Mapping[MessageDigest, str]:
        await asyncio.Event().wait()
        raise AssertionError


async def test_a_store_that_never_answers_costs_one_deadline_and_is_marked(
    launch: Launch,
) -> None:
    proxy = await launch(store=SlowStore(), limits=MemoryLimits(recall_deadline_s=0.02))
    reply = await proxy.ask("My name is Ann", headers=IN_S1)

    assert reply.status == 200
    assert reply.headers["x-memory-status"] == "degraded; reason=deadline"
    for _ in range(4):
        await proxy.ask("again", headers=IN_S1)
    reply = await proxy.ask("again", headers=IN_S1)
    assert reply.headers["x-memory-status"] == "degraded; reason=store-paused"


async def test_a_store_that_cannot_be_opened_degrades_and_is_opened_later(
    launch: Launch, tmp_path: Path
) -> None:
    blocked = tmp_path / "memory.db"
    blocked.mkdir()
    proxy = await launch(store=SQLiteStore(blocked))
    reply = await proxy.ask("hello", headers=IN_S1)
    assert reply.status == 200
    assert reply.headers["x-memory-status"].startswith("degraded")
    async with proxy.client.get(proxy.url + "/health") as health:
        assert "memory.db" in (await health.json())["degraded"][0]

    blocked.rmdir()

    async with proxy.client.get(proxy.url + "/memory/sessions/s1", headers=AS_ANN) as session:
        turns = (await session.json())["turns"]
    assert [turn["text"] for turn in turns] == ["hello", "It is teal."]


async def test_litellm_restarting_is_told_by_health(launch: Launch) -> None:
    proxy = await launch(gate=Gate(is_open=False))
    async with proxy.client.get(proxy.url + "/health") as reply:
        health = await reply.json()

    assert health["litellm_running"] is False
    assert health["degraded"] == ["litellm: not running; it is being restarted"]


async def test_the_two_positionals_give_a_working_application() -> None:
    async with FakeUpstream() as fake:
        app = create_app(MemoryRouter(), fake.url)
        assert app.state.litellm_base_url == fake.url
        assert isinstance(app.state.memory_router, MemoryRouter)


def test_litellm_is_never_imported_into_our_process() -> None:
    assert "litellm" not in sys.modules
