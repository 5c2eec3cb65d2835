"""A chat that remembers, through the front door, with a fake LiteLLM behind."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from memory_proxy.core.types import Scope, TenantId, UserId
from memory_proxy.memory.manager import MemoryLimits
from memory_proxy.routing.memory_router import MemoryRouter
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.testing import (
    FrozenClock,
    anthropic_stream,
    openai_reply,
    openai_stream,
    streamed,
    whole,
)
from tests.examples import ANN, NOON
from tests.web.conftest import Launch, Proxy

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
IN_S1 = {"x-session-id": "s1"}


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_session_goes_on_with_only_the_newest_message(
    proxy: Proxy, path: str, stream: bool
) -> None:
    await proxy.ask("My favourite colour is teal", path=path, stream=stream, headers=IN_S1)
    reply = await proxy.ask("What is my favourite colour?", path=path, stream=stream, headers=IN_S1)

    assert reply.status == 200
    assert reply.headers["x-memory-session-id"] == "s1"
    assert proxy.sent() == [
        {"role": "user", "content": "My favourite colour is teal"},
        {"role": "assistant", "content": "It is teal."},
        {"role": "user", "content": "What is my favourite colour?"},
    ]


@pytest.mark.parametrize("path", [CHAT, MESSAGES])
async def test_another_session_is_answered_from_long_term_memory(proxy: Proxy, path: str) -> None:
    await proxy.ask("My favourite colour is teal", path=path, headers=IN_S1)
    reply = await proxy.ask("What is my favourite colour?", headers={"x-session-id": "s2"})

    (message,) = proxy.sent()
    assert message["content"].startswith("What is my favourite colour?\n\n<recalled-notes id=")
    assert "My favourite colour is teal" in message["content"]
    assert reply.headers["x-memory-recalled"] == "1"
    assert reply.headers["x-memory-status"] == "active"


async def test_a_client_that_resends_its_history_gets_none_of_it_twice(proxy: Proxy) -> None:
    await proxy.ask("I like tea", headers=IN_S1)
    history = [
        {"role": "user", "content": "I like tea"},
        {"role": "assistant", "content": "It is teal."},
        {"role": "user", "content": "Which tea?"},
    ]
    reply = await proxy.ask(history, headers=IN_S1)

    assert proxy.sent() == history
    assert reply.headers["x-memory-recalled"] == "0"
    assert await proxy.stored("s1", turns=4) == [
        "I like tea", "It is teal.", "Which tea?", "It is teal.",
    ]  # fmt: skip


async def test_ten_resends_of_one_request_are_stored_once(proxy: Proxy) -> None:
    for _ in range(10):
        await proxy.ask([{"role": "user", "content": "I like tea"}])

    (session,) = await proxy.store.sessions(ANN, limit=10)
    assert session.turn_count == 2


async def test_without_a_session_id_a_resent_conversation_keeps_its_session(proxy: Proxy) -> None:
    first = await proxy.ask("I like tea")
    second = await proxy.ask(
        [
            {"role": "user", "content": "I like tea"},
            {"role": "assistant", "content": "It is teal."},
            {"role": "user", "content": "And you?"},
        ]
    )

    assert first.headers["x-memory-session-id"] == second.headers["x-memory-session-id"]


async def test_users_and_sessions_never_mix(proxy: Proxy) -> None:
    await proxy.ask("The canary word is ostrich", headers=IN_S1)
    for headers in (
        {"x-memory-user-id": "bob", "x-session-id": "s1"},
        {"x-memory-user-id": "bob"},
    ):
        reply = await proxy.ask("What is the canary word?", headers=headers)
        assert reply.headers["x-memory-user-id"] == "bob"
        assert b"ostrich" not in proxy.fake.calls[-1].body


async def test_the_history_goes_behind_system_messages_and_keeps_its_limit(
    launch: Launch,
) -> None:
    proxy = await launch(limits=MemoryLimits(history_messages=2, recall_tokens=0))
    for word in ("one", "two", "three"):
        await proxy.ask(word, headers=IN_S1)
    await proxy.ask(
        [{"role": "system", "content": "be kind"}, {"role": "user", "content": "four"}],
        headers=IN_S1,
    )

    assert [message["content"] for message in proxy.sent()] == [
        "be kind", "three", "It is teal.", "four",
    ]  # fmt: skip


async def test_tool_calls_of_the_history_are_kept_whole(launch: Launch) -> None:
    proxy = await launch(limits=MemoryLimits(recall_tokens=0))
    call = {
        "id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'},
    }  # fmt: skip
    answer = {"role": "assistant", "content": None, "tool_calls": [call]}
    finish = {"index": 0, "message": answer, "finish_reason": "tool_calls"}
    proxy.fake.script(whole(json.dumps({"choices": [finish]}).encode()))
    await proxy.ask("look there", headers=IN_S1)
    result = {"role": "tool", "tool_call_id": "c1", "content": "a door"}
    await proxy.ask([result], headers=IN_S1)

    assert proxy.sent() == [{"role": "user", "content": "look there"}, answer, result]
    await proxy.ask("and now?", headers=IN_S1)
    assert proxy.sent()[1:3] == [answer, result]


async def test_images_and_parts_stay_and_the_note_is_one_more_part(proxy: Proxy) -> None:
    await proxy.ask("My favourite colour is teal")
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    text = {"type": "text", "text": "Is this my favourite colour?"}
    await proxy.ask([{"role": "user", "content": [text, image]}])

    first, second, note = proxy.sent()[0]["content"]
    assert (first, second) == (text, image)
    assert "teal" in note["text"]


async def test_what_memory_adds_nothing_to_goes_through_byte_for_byte(proxy: Proxy) -> None:
    body = b'{ "messages" :[{"content":"h\\u00e9llo","role":"user"}],"x":1.50, "model":"m"}\n'
    async with proxy.client.post(proxy.url + CHAT, data=body) as reply:
        assert reply.status == 200

    assert proxy.fake.calls[0].body == body


async def test_a_broken_stream_is_kept_as_partial_and_replaced_by_a_complete_one(
    proxy: Proxy,
) -> None:
    proxy.fake.script(openai_stream(["It is ", "te", "never"], break_after=2))
    reply = await proxy.ask("Which colour?", stream=True, headers=IN_S1)
    text = await reply.text()

    assert '"content":"te"' in text
    assert json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))["error"]
    assert await proxy.stored("s1", turns=2) == ["Which colour?", "It is te"]


async def test_a_client_that_leaves_keeps_what_it_heard(proxy: Proxy) -> None:
    gate = asyncio.Event()
    proxy.fake.script(openai_stream(["It is ", gate, "never"]))
    body = {"model": "m", "messages": [{"role": "user", "content": "Say"}], "stream": True}
    headers = {"x-memory-user-id": "ann", **IN_S1}
    async with proxy.client.post(proxy.url + CHAT, json=body, headers=headers) as reply:
        await reply.content.readany()
        reply.close()
        async with asyncio.timeout(5):
            await proxy.fake.disconnected.wait()

    assert await proxy.stored("s1", turns=2) == ["Say", "It is "]


async def test_an_answer_that_is_an_error_is_not_stored(proxy: Proxy) -> None:
    proxy.fake.script(whole(b'{"error":{"message":"no"}}', status=429))
    refused = await proxy.ask("I like tea", headers=IN_S1)
    assert refused.status == 429
    await proxy.ask("hello", headers=IN_S1)

    assert await proxy.stored("s1", turns=2) == ["hello", "It is teal."]


@pytest.mark.parametrize(
    ("mode", "reads", "writes"), [("off", 0, 0), ("read", 1, 0), ("write", 0, 1), ("ON", 1, 1)]
)
async def test_a_request_may_switch_memory(
    proxy: Proxy, mode: str, reads: bool, writes: bool
) -> None:
    await proxy.ask("My favourite colour is teal", headers={"x-session-id": "told"})
    reply = await proxy.ask(
        "Which colour is my favourite?", headers={"x-session-id": "asked", "x-memory": mode}
    )
    await proxy.ask("done", headers={"x-session-id": "end"})
    await proxy.stored("end", turns=2)

    assert ("recalled-notes" in proxy.sent(1)[0]["content"]) == reads
    assert ("asked" in {s.id for s in await proxy.store.sessions(ANN, limit=9)}) == writes
    assert (reply.headers["x-memory-status"] == "off") == (mode == "off")


async def test_an_unknown_switch_is_refused_naming_the_known_ones(proxy: Proxy) -> None:
    reply = await proxy.ask("hi", headers={"x-memory": "maybe"})

    assert reply.status == 400
    assert "off, read, write" in (await reply.json())["error"]["message"]
    assert proxy.fake.calls == []


async def test_what_has_outlived_its_time_is_gone(launch: Launch) -> None:
    clock = FrozenClock(NOON)
    proxy = await launch(limits=MemoryLimits(ttl=timedelta(hours=1)), now=clock)
    await proxy.ask("My favourite colour is teal", headers=IN_S1)
    await proxy.stored("s1", turns=2)
    clock.advance(timedelta(hours=2))
    await proxy.ask("Which colour is my favourite?", headers=IN_S1)

    assert [m["content"] for m in proxy.sent()] == ["Which colour is my favourite?"]


async def test_a_supermemory_model_gets_its_user_and_key_and_none_of_our_notes(
    launch: Launch,
) -> None:
    model = {
        "model_name": "sm",
        "litellm_params": {
            "api_base": "https://api.supermemory.ai/v3/api.openai.com",
            "extra_headers": {"x-static": "1"},
        },
    }
    router = MemoryRouter.from_config({"model_list": [model]})
    proxy = await launch(router, supermemory_key="sm_key")
    await proxy.ask("My favourite colour is teal")
    await proxy.ask("Which colour is my favourite?", model="sm", extra_headers={"x-evil": "1"})
    body = proxy.fake.calls[-1].json

    assert body["extra_headers"] == {
        "x-static": "1",
        "x-sm-user-id": "ann",
        "x-supermemory-api-key": "sm_key",
    }
    assert body["messages"][0]["content"] == "Which colour is my favourite?"


async def test_litellm_learns_user_and_session_and_none_of_our_headers(proxy: Proxy) -> None:
    await proxy.ask(
        "hi",
        headers={"x-session-id": "a:b", "x-litellm-tags": "evil", "x-sm-user-id": "ann"},
    )
    call = proxy.fake.calls[0]

    assert call.header("x-litellm-end-user-id") == "ann"
    assert len(call.header("x-litellm-session-id") or "") == 32
    for name in ("x-memory-user-id", "x-session-id", "x-litellm-tags", "x-sm-user-id"):
        assert call.header(name) is None


async def test_memory_survives_a_restart(launch: Launch, tmp_path: Any) -> None:
    path = tmp_path / "memory.db"
    first = await launch(store=SQLiteStore(path))
    await first.ask("My favourite colour is teal", headers=IN_S1)
    await first.stored("s1", turns=2)
    again = await launch(store=SQLiteStore(path))
    await again.ask("What is my favourite colour?", headers={"x-session-id": "s2"})

    assert "My favourite colour is teal" in again.sent()[0]["content"]


async def test_memory_off_passes_everything_through(launch: Launch) -> None:
    proxy = await launch(memory=False)
    for _ in range(2):
        reply = await proxy.ask("My favourite colour is teal", headers=IN_S1)

    assert reply.headers["x-memory-status"] == "off"
    assert len(proxy.sent()) == 1
    scope = Scope(TenantId("default"), UserId("default"))
    assert await proxy.store.sessions(scope, limit=9) == []


async def test_parallel_requests_of_one_session_are_all_kept(proxy: Proxy) -> None:
    async with asyncio.TaskGroup() as tasks:
        for i in range(20):
            tasks.create_task(proxy.ask(f"number {i}", headers=IN_S1))

    texts = await proxy.stored("s1", turns=40)
    assert {text for text in texts if text.startswith("number")} == {
        f"number {i}" for i in range(20)
    }


async def test_an_odd_event_stream_goes_through_byte_for_byte(proxy: Proxy) -> None:
    chunks = [b"\xef\xbb\xbf: hello\r\n\r", b"\ndata: {bad json\n\n", b"\xff\xfe", b"event: x\n\n"]
    proxy.fake.script(streamed(chunks))
    reply = await proxy.ask("hi", stream=True)

    assert await reply.read() == b"".join(chunks)


async def test_an_anthropic_stream_is_overheard(proxy: Proxy) -> None:
    proxy.fake.script(anthropic_stream(["te", "al"]))
    await proxy.ask("colour?", path=MESSAGES, stream=True, headers=IN_S1)

    assert await proxy.stored("s1", turns=2) == ["colour?", "teal"]


async def test_of_several_choices_the_first_is_remembered(proxy: Proxy) -> None:
    choices = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate(["first", "second"])
    ]
    proxy.fake.script(whole(json.dumps({"choices": choices}).encode()))
    await proxy.ask("two please", n=2, headers=IN_S1)

    assert await proxy.stored("s1", turns=2) == ["two please", "first"]


async def test_a_reply_in_another_encoding_passes_undecoded(proxy: Proxy) -> None:
    headers = [("content-type", "application/json"), ("content-encoding", "br")]
    proxy.fake.script(whole(b"\x8b\x01\x80", headers=headers))
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
    async with proxy.client.post(proxy.url + CHAT, json=body, auto_decompress=False) as reply:  # type: ignore[call-arg]
        assert reply.headers["content-encoding"] == "br"


async def test_the_repeated_question_is_answered_with_both_notes(proxy: Proxy) -> None:
    await proxy.ask("My favourite colour is teal", headers=IN_S1)
    proxy.fake.script(openai_reply("Your favourite colour is teal."))
    await proxy.ask("So, which colour is it?", headers={"x-session-id": "s2"})

    assert await proxy.stored("s2", turns=2)
