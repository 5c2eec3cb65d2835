"""Requests as clients send them, shortened and in our own words, and what they are."""

import pytest

from memory_proxy.core.types import Headers, Message, Role
from memory_proxy.routing.requests import Asked, RequestClass, classify
from tests.examples import assistant, user

HUMAN, TOOL = RequestClass.HUMAN_TURN, RequestClass.TOOL_LOOP
SUB, BACKGROUND = RequestClass.SUB_AGENT, RequestClass.BACKGROUND


def system(text: str) -> Message:
    return Message(Role.SYSTEM, text)


TOPIC = system("Analyze if this message indicates a new conversation topic.")
CODER = system("You are a coding agent. Use the tools to help the user with their project.")

CASES: dict[str, tuple[Headers, Asked, RequestClass]] = {
    "a plain question": ((), Asked((user("Where is Lisbon?"),), True), HUMAN),
    "a person who wants a title": (
        (),
        Asked((system("Be helpful."), user("Generate a short title for my essay")), True),
        HUMAN,
    ),
    "a coding agent's turn": ((), Asked((CODER, user("fix the bug")), True, 24, 32000), HUMAN),
    "a coding agent whose tools write titles": (
        (),
        Asked((system("You create titles for pages. Generate a title."), user("go")), True, 3),
        HUMAN,
    ),
    "a tool's result": (
        (),
        Asked((user("look"), assistant(""), Message(Role.TOOL, "x", (), "c")), False, 24),
        TOOL,
    ),
    "a quota probe": ((), Asked((user("quota"),), True, 0, 1), BACKGROUND),
    "Claude Code: title": (
        (("x-app", "cli"),),
        Asked((user("<session>\nfix the bug\n</session>"),), True),
        BACKGROUND,
    ),
    "Claude Code: topic": (
        (),
        Asked((TOPIC, user("it")), True),
        BACKGROUND,
    ),
    "Claude Code: compaction": (
        (),
        Asked((CODER, user("hi"), assistant("ho"),
               user("Your task is to create a detailed summary of the conversation so far.")),
              True, 24),
        BACKGROUND,
    ),
    "Claude Code: says so itself": (
        (("x-claude-code-request-class", "auxiliary"),), Asked((user("x"),), True), BACKGROUND,
    ),
    "Claude Code: a main turn, said so": (
        (("x-claude-code-request-class", "main"),), Asked((user("x"),), True, 24), HUMAN,
    ),
    "Claude Code: sub-agent": (
        (("x-claude-code-parent-agent-id", "a1"),), Asked((user("explore"),), True, 9), SUB,
    ),
    "Claude Code: workflow": (
        (("x-claude-code-request-class", "workflow"),), Asked((user("x"),), True), SUB,
    ),
    "Codex: sub-agent": ((("x-codex-parent-thread-id", "t"),), Asked((user("x"),), True, 4), SUB),
    "opencode: title": (
        (), Asked((system("You are a title generator. You output only a title."), user("x")), True),
        BACKGROUND,
    ),
    "opencode: sub-agent": ((("x-parent-session-id", "s"),), Asked((user("x"),), True, 9), SUB),
    "Open WebUI: tags": (
        (), Asked((user("### Task:\nGenerate 1-3 broad tags for the chat"),), True), BACKGROUND,
    ),
    "Open WebUI: stated task": (
        (("x-openwebui-task", "title_generation"),), Asked((user("x"),), True), BACKGROUND,
    ),
    "Gemini CLI: routing": (
        (), Asked((system("You are a specialized Task Routing AI."), user("x")), True), BACKGROUND,
    ),
    "Qwen Code: memory": (
        (), Asked((system("You are the managed memory extraction subagent."), user("x")), True),
        BACKGROUND,
    ),
    "suggestions": (
        (), Asked((system("Suggest three short follow-up questions."), user("x")), True),
        BACKGROUND,
    ),
    "no message at all": ((), Asked((), False), TOOL),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_request_is_told_from_a_person_speaking(name: str) -> None:
    headers, asked, expected = CASES[name]

    assert classify(headers, asked) is expected
