"""What we do not change goes through; what must not come in does not."""

import asyncio
import json

import aiohttp
import pytest

from memory_proxy.security.keys import KeyRing
from memory_proxy.testing import FakeUpstream, Reply, hang, openai_stream, streamed, whole
from memory_proxy.testing.replies import Ending
from memory_proxy.upstream import Gate
from memory_proxy.web.access import Access
from tests.web.conftest import Launch, Proxy

CHAT = "/v1/chat/completions"
HELLO = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
KEY = "sk-" + "k" * 32


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/models"),
        ("GET", "/v1/responses/resp_1?include=a&include=b%20c"),
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/responses"),
        ("DELETE", "/v1/files/file-1"),
        ("POST", "/v1beta/models/gemini-x:generateContent?alt=sse"),
    ],
)
async def test_other_routes_pass_untouched(proxy: Proxy, method: str, target: str) -> None:
    body = b'{"input": "one  two", "model":"m"}' if method == "POST" else b""
    async with proxy.client.request(method, proxy.url + target, data=body or None) as reply:
        seen = await reply.json()

    assert (seen["method"], seen["target"], seen["body"]) == (method, target, body.decode())


async def test_status_and_repeated_headers_are_kept_and_hop_by_hop_ones_are_not(
    proxy: Proxy,
) -> None:
    headers = [
        ("content-type", "application/json"), ("x-twice", "1"), ("x-twice", "2"),
        ("retry-after", "7"), ("set-cookie", "a=1"), ("connection", "x-secret"),
        ("x-secret", "s"), ("x-litellm-model-api-base", "http://inside"),
    ]  # fmt: skip
    proxy.fake.script(whole(b'{"error":{"odd":1}}', status=429, headers=headers))
    reply = await proxy.ask("hi")

    assert reply.status == 429
    assert reply.headers.getall("x-twice") == ["1", "2"]
    assert reply.headers["retry-after"] == "7"
    assert await reply.json() == {"error": {"odd": 1}}
    for name in ("set-cookie", "x-secret", "x-litellm-model-api-base"):
        assert name not in reply.headers


async def test_chunks_arrive_as_they_are_sent(proxy: Proxy) -> None:
    gate = asyncio.Event()
    proxy.fake.script(streamed([b"data: 1\n\n", gate, b"data: 2\n\n"]))
    async with asyncio.timeout(5):
        async with proxy.client.post(proxy.url + CHAT, json={**HELLO, "stream": True}) as reply:
            assert await reply.content.readany() == b"data: 1\n\n"
            gate.set()
            assert await reply.content.readany() == b"data: 2\n\n"


async def test_one_call_is_one_call_upstream_also_when_it_fails(proxy: Proxy) -> None:
    proxy.fake.script(Reply((Ending.RESET,)))
    reply = await proxy.ask("hi")

    assert reply.status == 502
    assert (await reply.json())["error"]["message"]
    assert len(proxy.fake.calls) == 1


@pytest.mark.parametrize("streams", [True, False])
async def test_a_client_that_leaves_before_the_first_byte_cancels_upstream(
    proxy: Proxy, streams: bool
) -> None:
    proxy.fake.script(hang())
    async with aiohttp.ClientSession() as client:
        asking = asyncio.ensure_future(
            client.post(proxy.url + CHAT, json={**HELLO, "stream": streams})
        )
        await proxy.fake.called()
        asking.cancel()
        async with asyncio.timeout(5):
            await proxy.fake.disconnected.wait()


async def test_a_client_that_leaves_mid_stream_cancels_upstream(proxy: Proxy) -> None:
    proxy.fake.script(openai_stream(["one", asyncio.Event(), "never"]))
    async with proxy.client.post(proxy.url + CHAT, json={**HELLO, "stream": True}) as reply:
        await reply.content.readany()
        reply.close()
    async with asyncio.timeout(5):
        await proxy.fake.disconnected.wait()


async def test_a_whole_answer_that_breaks_off_is_not_passed_for_complete(proxy: Proxy) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\n\r\n{"
    proxy.fake.script(Reply((head, Ending.CLOSE)))

    with pytest.raises(aiohttp.ClientPayloadError):
        await proxy.ask("hi")


async def test_litellm_away_is_503_with_retry_after_in_the_callers_dialect(
    launch: Launch,
) -> None:
    async with FakeUpstream() as fake:
        pass
    proxy = await launch(fake=fake)
    openai = await proxy.ask("hi")
    anthropic = await proxy.ask("hi", path="/v1/messages")

    assert (openai.status, openai.headers["retry-after"]) == (503, "5")
    assert set((await openai.json())["error"]) == {"message", "type", "param", "code"}
    assert anthropic.status == 503
    assert (await anthropic.json())["type"] == "error"


async def test_requests_wait_briefly_for_litellm_and_then_go_through(launch: Launch) -> None:
    gate = Gate(is_open=False)
    proxy = await launch(gate=gate)
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(proxy.ask("hi"))
        ready = await proxy.client.get(proxy.url + "/health/ready")
        assert ready.status == 503
        gate.open()
    assert (await asking).status == 200


async def test_more_waiters_than_allowed_are_told_at_once_to_come_back(launch: Launch) -> None:
    proxy = await launch(gate=Gate(is_open=False, max_waiters=0))
    reply = await proxy.ask("hi")

    assert (reply.status, reply.headers["retry-after"]) == (503, "5")


async def test_an_upstream_that_never_answers_is_504(launch: Launch) -> None:
    proxy = await launch(silence_timeout_s=0.05)
    proxy.fake.script(hang())

    assert (await proxy.ask("hi")).status == 504


async def test_a_body_over_the_limit_is_413_and_one_at_the_limit_passes(launch: Launch) -> None:
    proxy = await launch(max_body_bytes=1_000)
    for size, status in ((1_000, 200), (1_001, 413)):
        async with proxy.client.post(proxy.url + "/v1/embeddings", data=b"x" * size) as reply:
            assert reply.status == status

    async def in_chunks():  # type: ignore[no-untyped-def]
        for _ in range(11):
            yield b"x" * 100

    async with proxy.client.post(proxy.url + CHAT, data=in_chunks()) as reply:
        assert reply.status == 413
    assert len(proxy.fake.calls) == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'{"messages": 1}', b""])
async def test_a_body_that_is_no_chat_is_litellms_to_answer(proxy: Proxy, body: bytes) -> None:
    async with proxy.client.post(proxy.url + CHAT, data=body) as reply:
        assert reply.status == 200
        assert reply.headers["x-memory-status"] == "off; reason=unreadable-body"

    assert proxy.fake.calls[0].body == body


async def test_a_web_socket_is_told_that_there_is_none(proxy: Proxy) -> None:
    headers = {"connection": "upgrade", "upgrade": "websocket"}
    async with proxy.client.get(proxy.url + "/v1/responses", headers=headers) as reply:
        assert reply.status == 426


@pytest.mark.parametrize(
    "path", ["/key/generate", "/config/update", "/v1/model/info", "/mcp", "/ui", "/v1/../key/info"]
)
async def test_litellms_other_routes_do_not_exist_here(proxy: Proxy, path: str) -> None:
    from yarl import URL

    async with proxy.client.get(URL(proxy.url + path, encoded=True)) as reply:
        assert reply.status in (400, 404)

    assert proxy.fake.calls == []


@pytest.mark.parametrize(
    "sent",
    [
        {"authorization": f"Bearer {KEY}"},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
    ],
)
async def test_the_key_may_come_in_any_of_the_usual_headers_and_goes_no_further(
    launch: Launch, sent: dict[str, str]
) -> None:
    proxy = await launch(access=Access(KeyRing(KEY)), litellm_key="sk-inner")
    reply = await proxy.ask("hi", headers=sent)
    call = proxy.fake.calls[0]

    assert reply.status == 200
    assert call.header("authorization") == "Bearer sk-inner"
    assert KEY not in str(call.headers) + call.target


async def test_the_key_may_come_in_the_query_and_leaves_it(launch: Launch) -> None:
    proxy = await launch(access=Access(KeyRing(KEY)))
    path = "/v1beta/models/g:streamGenerateContent"
    async with proxy.client.post(f"{proxy.url}{path}?key={KEY}&alt=sse", data=b"{}") as reply:
        assert reply.status == 200

    assert proxy.fake.calls[0].target == f"{path}?alt=sse"


@pytest.mark.parametrize("path", [CHAT, "/v1/messages", "/v1beta/models/g:generateContent"])
@pytest.mark.parametrize("key", [None, "", "sk-wrong", KEY + "x", KEY[:-1]])
async def test_a_wrong_key_is_401_in_the_callers_dialect_and_never_forwarded(
    launch: Launch, path: str, key: str | None
) -> None:
    proxy = await launch(access=Access(KeyRing(KEY)))
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    reply = await proxy.ask("hi", path=path, headers=headers)
    body = await reply.json()

    assert reply.status == 401
    assert reply.headers["x-should-retry"] == "false"
    assert "API key" in json.dumps(body)
    assert (body.get("type") == "error") == (path == "/v1/messages")
    assert body["error"].get("status") == ("UNAUTHENTICATED" if "beta" in path else None)
    assert proxy.fake.calls == []


async def test_a_page_of_another_site_may_not_use_the_proxy(proxy: Proxy) -> None:
    for headers in ({"origin": "https://evil.example"}, {"host": "evil.example"}):
        reply = await proxy.ask("hi", headers=headers)
        assert reply.status == 403
    assert proxy.fake.calls == []


async def test_a_configured_page_may(launch: Launch) -> None:
    origin = "https://app.example"
    proxy = await launch(access=Access(allowed_origins=frozenset({origin})))
    asked = {"origin": origin, "access-control-request-method": "POST"}
    async with proxy.client.options(proxy.url + CHAT, headers=asked) as preflight:
        assert preflight.headers["access-control-allow-origin"] == origin
    reply = await proxy.ask("hi", headers={"origin": origin})

    assert reply.status == 200
    assert reply.headers["access-control-allow-origin"] == origin


async def test_upstreams_that_a_client_chooses_are_dropped(proxy: Proxy) -> None:
    await proxy.ask("hi", api_base="http://evil", metadata={"a": 1, "api_base": "http://evil"})

    assert b"evil" not in proxy.fake.calls[0].body


async def test_the_request_id_is_the_clients_or_new(proxy: Proxy) -> None:
    named = await proxy.ask("hi", headers={"x-request-id": "my-1"})
    odd = await proxy.ask("hi", headers={"x-request-id": "a b"})

    assert named.headers["x-request-id"] == "my-1"
    assert len(odd.headers["x-request-id"]) == 24
