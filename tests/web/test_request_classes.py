"""What memory does for each class of request."""

from typing import Any

import pytest

from memory_proxy.routing.requests import DEFAULT_POLICIES, MemoryMode, RequestClass
from tests.examples import ANN
from tests.web.conftest import Launch, Proxy

TITLE = [
    {"role": "system", "content": "You are a title generator. Write a short title."},
    {"role": "user", "content": "What is my favourite colour?"},
]
SUB_AGENT = {"x-claude-code-parent-agent-id": "a1", "x-session-id": "asked"}


async def told(proxy: Proxy) -> None:
    await proxy.ask("My favourite colour is teal", headers={"x-session-id": "told"})
    await proxy.stored("told", turns=2)


async def sessions(proxy: Proxy) -> set[str]:
    """The sessions stored, once everything sent so far has reached the store."""
    await proxy.ask("end", headers={"x-session-id": "end"})
    await proxy.stored("end", turns=2)
    return {session.id for session in await proxy.store.sessions(ANN, limit=99)} - {"end"}


async def test_housekeeping_neither_recalls_nor_stores(proxy: Proxy) -> None:
    await told(proxy)
    await proxy.ask(TITLE, headers={"x-session-id": "asked"})

    assert proxy.sent() == TITLE
    assert await sessions(proxy) == {"told"}


async def test_a_sub_agent_recalls_and_its_orders_are_nobodys_words(proxy: Proxy) -> None:
    await told(proxy)
    await proxy.ask("What is the favourite colour?", headers=SUB_AGENT)

    assert "teal" in proxy.sent()[0]["content"]
    assert await sessions(proxy) == {"told"}


async def test_a_request_may_ask_for_more_than_its_class_gets(proxy: Proxy) -> None:
    await told(proxy)
    await proxy.ask(TITLE, headers={"x-session-id": "asked", "x-memory": "on"})

    assert "recalled-notes" in proxy.sent()[1]["content"]
    assert await sessions(proxy) == {"told", "asked"}


@pytest.mark.parametrize(("mode", "stores"), [("off", False), ("write", True)])
async def test_the_policy_of_a_class_is_configurable(
    launch: Launch, mode: Any, stores: bool
) -> None:
    policies = {**DEFAULT_POLICIES, RequestClass.SUB_AGENT: MemoryMode(mode)}
    proxy = await launch(policies=policies)
    await told(proxy)
    await proxy.ask("What is the favourite colour?", headers=SUB_AGENT)

    assert "teal" not in proxy.sent()[0]["content"]
    assert ("asked" in await sessions(proxy)) == stores
