"""What was put into a message is put there again on every later request, byte for byte."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from memory_proxy.memory.manager import MemoryLimits
from memory_proxy.stores.sqlite import SQLiteStore
from memory_proxy.testing import FrozenClock, whole
from tests.examples import ANN, NOON
from tests.web.conftest import Launch, Proxy

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
each_format = pytest.mark.parametrize("path", [CHAT, MESSAGES])
FACTS = (
    "My favourite colour is teal",
    "My sister Marta plays the cello in Lisbon",
    "The release script lives in tools/ship.sh",
    "My dentist appointment is on Friday",
)
IN_S1 = {"x-memory-session-id": "s1"}


async def knowing(launch: Launch, **options: Any) -> Proxy:
    """A proxy whose user ann has told a few facts before."""
    proxy = await launch(**options)
    for number, fact in enumerate(FACTS):
        await proxy.ask(fact, headers={"x-session-id": f"facts-{number}"})
    await proxy.stored(f"facts-{len(FACTS) - 1}", turns=2)
    return proxy


@dataclass
class Conversation:
    """A client that resends its history, and what of each request reached the provider."""

    proxy: Proxy
    path: str
    messages: list[dict[str, Any]] = field(default_factory=list)
    requests: list[tuple[list[Any], list[bytes]]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=lambda: IN_S1)

    async def say(self, content: Any, **more: Any) -> str:
        """Send one more message of the user; the ledger header of the answer."""
        self.messages.append({"role": "user", "content": content})
        return await self.send(**more)

    async def send(self, **more: Any) -> str:
        reply = await self.proxy.ask(self.messages, path=self.path, headers=self.headers, **more)
        assert reply.status == 200
        body = self.proxy.fake.calls[-1].body
        items = msgspec.json.decode(body, type=dict[str, msgspec.Raw])["messages"]
        raw = [bytes(item) for item in msgspec.json.decode(items, type=list[msgspec.Raw])]
        self.requests.append((deepcopy(self.messages), raw))
        return reply.headers["x-memory-ledger"]

    def hear(self, text: str = "It is teal.") -> None:
        self.messages.append({"role": "assistant", "content": text})

    def call_tool(self, name: str) -> None:
        """The assistant calls a tool, and its result is the newest message."""
        if self.path == CHAT:
            call = {"id": name, "type": "function", "function": {"name": name, "arguments": "{}"}}
            self.messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": name, "content": "a result"},
            ]
            return
        use = {"type": "tool_use", "id": name, "name": name, "input": {}}
        result = {"type": "tool_result", "tool_use_id": name, "content": "a result"}
        self.messages += [
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [result]},
        ]

    def extends_itself(self) -> bool:
        """Whether each request extends the one before, as far as the client's history does."""
        pairs = zip(self.requests, self.requests[1:], strict=False)
        return all(_common(a, b) <= _common(sent_a, sent_b) for (a, sent_a), (b, sent_b) in pairs)


def _common(one: list[Any], other: list[Any]) -> int:
    """The length of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((i for i, (a, b) in pairs if a != b), min(len(one), len(other)))


def noted(chat: Conversation) -> int:
    """How many messages of the last request carry a note."""
    return sum(b"recalled-notes" in item for item in chat.requests[-1][1])


QUESTIONS: tuple[Callable[[], Any], ...] = (
    lambda: "What is my favourite colour?",
    lambda: [{"type": "text", "text": "And what does my sister Marta play?"}],
    lambda: "hm",
    lambda: "Where does the release script live?",
    lambda: "When is the dentist appointment?",
)


@each_format
async def test_each_request_extends_the_one_before_through_all_that_clients_do(
    launch: Launch, path: str
) -> None:
    """Ten turns, tool loops, an edit, a branch, and a compaction."""
    chat = Conversation(await knowing(launch), path)
    for number in range(10):
        await chat.say(QUESTIONS[number % 5]())
        if number in (1, 6):
            for step in range(3):
                chat.call_tool(f"tool_{number}_{step}")
                await chat.send()
        chat.hear(f"Answer {number}.")
    assert noted(chat) >= 4

    chat.messages[-2]["content"] = "When was the dentist appointment, exactly?"  # an edit
    del chat.messages[-1]
    await chat.send()
    chat.hear("Edited.")
    del chat.messages[5:]  # a branch from an early answer
    await chat.say("Which colour was my favourite?")
    chat.hear("Branched.")
    kept = chat.messages[-2:]
    chat.messages[:] = [{"role": "user", "content": "Summary: colours were discussed."}, *kept]
    await chat.say("Go on with my sister Marta, please")
    chat.hear("Compacted.")
    await chat.say("Thank you")

    assert chat.extends_itself()


@each_format
async def test_a_tool_loop_replays_and_recalls_nothing_new(launch: Launch, path: str) -> None:
    chat = Conversation(await knowing(launch), path)
    assert await chat.say("What is my favourite colour?") == "replayed=0; new=1"
    chat.call_tool("look")
    assert await chat.send() == "replayed=1; new=0"

    assert noted(chat) == 1


@each_format
async def test_a_message_that_got_no_note_never_gets_one_later(launch: Launch, path: str) -> None:
    proxy = await launch()
    chat = Conversation(proxy, path)
    await chat.say("What is my favourite colour?")
    chat.hear()
    await proxy.ask(FACTS[0], headers={"x-session-id": "elsewhere"})
    await proxy.stored("elsewhere", turns=2)
    await chat.say("hm")

    assert noted(chat) == 0
    assert chat.extends_itself()


@each_format
async def test_what_was_quoted_once_is_not_quoted_again_in_the_conversation(
    launch: Launch, path: str
) -> None:
    chat = Conversation(await knowing(launch), path)
    await chat.say("What is my favourite colour?")
    chat.hear()
    await chat.say("Is teal a good favourite colour?")

    quoting = [item for item in chat.requests[-1][1] if b"My favourite colour is teal" in item]
    assert len(quoting) == 1


@each_format
async def test_a_client_that_sends_only_its_newest_message_gets_the_same_history_again(
    launch: Launch, path: str
) -> None:
    proxy = await knowing(launch)
    sent: list[list[Any]] = []
    for question in ("What is my favourite colour?", "Where does the release script live?", "hm"):
        await proxy.ask(question, path=path, headers=IN_S1)
        sent.append(proxy.sent())

    assert "recalled-notes" in sent[0][0]["content"]
    assert sent[1][: len(sent[0])] == sent[0]
    assert sent[2][: len(sent[1])] == sent[1]


async def test_a_request_that_failed_is_sent_again_with_the_same_note(launch: Launch) -> None:
    proxy = await knowing(launch)
    proxy.fake.script(whole(b"{}", status=500))
    for _ in range(2):
        await proxy.ask("What is my favourite colour?", headers=IN_S1)

    assert "recalled-notes" in proxy.sent(-1)[0]["content"]
    assert proxy.sent(-2) == proxy.sent(-1)


async def test_a_request_that_stores_nothing_keeps_its_notes_all_the_same(launch: Launch) -> None:
    proxy = await knowing(launch)
    headers = IN_S1 | {"x-memory": "read"}
    for _ in range(2):
        await proxy.ask("What is my favourite colour?", headers=headers)

    assert proxy.sent(-2) == proxy.sent(-1)
    assert "s1" not in {session.id for session in await proxy.store.sessions(ANN, limit=99)}


async def test_the_ledger_survives_a_restart(launch: Launch, tmp_path: Any) -> None:
    first = await knowing(launch, store=SQLiteStore(tmp_path / "memory.db"))
    chat = Conversation(first, CHAT)
    await chat.say("What is my favourite colour?")
    chat.hear()
    await first.stored("s1", turns=2)
    chat.proxy = await launch(store=SQLiteStore(tmp_path / "memory.db"))
    assert await chat.say("hm") == "replayed=1; new=0"

    assert chat.extends_itself()


async def test_the_ledger_of_another_user_is_never_replayed(launch: Launch) -> None:
    proxy = await knowing(launch)
    await proxy.ask("What is my favourite colour?", headers=IN_S1)
    bob = IN_S1 | {"x-memory-user-id": "bob"}
    reply = await proxy.ask("What is my favourite colour?", headers=bob)

    assert reply.headers["x-memory-ledger"] == "replayed=0; new=0"
    assert b"teal" not in proxy.fake.calls[-1].body


async def test_the_ledger_is_forgotten_with_its_time_and_with_its_session(launch: Launch) -> None:
    clock = FrozenClock(NOON)
    proxy = await knowing(launch, limits=MemoryLimits(ttl=timedelta(hours=1)), now=clock)
    await proxy.ask("What is my favourite colour?", headers=IN_S1)
    await proxy.stored("s1", turns=2)
    headers = {"x-memory-user-id": "ann"}
    await proxy.client.delete(proxy.url + "/memory/sessions/s1", headers=headers)
    assert await proxy.store.ledger(ANN, "s1") == {}  # type: ignore[arg-type]

    await proxy.ask("What is my favourite colour?", headers=IN_S1)
    await proxy.stored("s1", turns=2)
    clock.advance(timedelta(hours=2))
    await proxy.store.expire(clock() - timedelta(hours=1))
    assert await proxy.store.ledger(ANN, "s1") == {}  # type: ignore[arg-type]
