"""Is this a person speaking? What a request is, from its headers and from what it asks for.

One prompt of a person is often several requests: titles, topics, suggestions, summaries, probes and
helpers of the model send their own. The rules are data, from captures of the programs they name.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from memory_proxy.core.types import Headers, Message, Role
from memory_proxy.routing.user_mappings import Pattern


class RequestClass(StrEnum):
    HUMAN_TURN = "human_turn"
    TOOL_LOOP = "tool_loop"  # a tool's result is the newest message
    SUB_AGENT = "sub_agent"  # a model speaks to a helper model
    BACKGROUND = "background"  # the client's own housekeeping


class MemoryMode(StrEnum):
    """What memory does for a request; also what the header `x-memory` asks for."""

    OFF = "off"
    READ = "read"
    WRITE = "write"
    ON = "on"

    @property
    def reads(self) -> bool:
        return self in (MemoryMode.READ, MemoryMode.ON)

    @property
    def writes(self) -> bool:
        return self in (MemoryMode.WRITE, MemoryMode.ON)


DEFAULT_POLICIES: Mapping[RequestClass, MemoryMode] = {
    RequestClass.HUMAN_TURN: MemoryMode.ON,
    RequestClass.TOOL_LOOP: MemoryMode.WRITE,
    RequestClass.SUB_AGENT: MemoryMode.READ,
    RequestClass.BACKGROUND: MemoryMode.OFF,
}
"""Notes once given are replayed in every class: for the provider's cache, not for recall."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What of a request tells its class."""

    messages: Sequence[Message]
    newest_is_human: bool
    tool_count: int = 0
    max_tokens: int | None = None


# Claude Code says it itself, with CLAUDE_CODE_GATEWAY_HINT_HEADERS=1.
_STATED_HEADER = "x-claude-code-request-class"
_STATED: Mapping[str, RequestClass] = {
    "subagent": RequestClass.SUB_AGENT,
    "workflow": RequestClass.SUB_AGENT,
    "compaction": RequestClass.BACKGROUND,
    "auxiliary": RequestClass.BACKGROUND,
    "side_reply": RequestClass.BACKGROUND,
}

_SUB_AGENT_HEADERS = frozenset(
    (
        "x-claude-code-parent-agent-id",
        "x-codex-parent-thread-id",
        "x-parent-session-id",  # opencode
    )
)

_TASK_HEADER = "x-openwebui-task"
"""Open WebUI sends it where a connection's headers are set to {{TASK}}."""

# How the system prompt of a housekeeping call begins or what it must say, in any case.
_BACKGROUND_SYSTEM = Pattern(
    r"(?i)title generator"  # opencode
    r"|task routing ai"  # Gemini CLI
    r"|memory extraction subagent"  # Qwen Code
    r"|(?:generate|write|create|produce|come up with) (?:a|an|the)? ?"
    r"(?:short|concise|brief|succinct)?[^.\n]{0,40}\b(?:title|headline|topic|tags?|emoji)\b"
    r"|(?:suggest|predict)[^.\n]{0,40}\b(?:follow-?up|next) (?:questions?|prompts?|messages?)"
    r"|analy[sz]e if this message indicates a new conversation topic"
    r"|tasked with summari[sz]ing conversations"
    r"|(?:summari[sz]e|compress|compact) (?:the|this|our) (?:conversation|chat history|session)"
)
# How a message begins that no person typed.
_BACKGROUND_MESSAGE = re.compile(
    r"\s*(?:### Task:"  # Open WebUI: titles, tags, follow-ups
    r"|<session>"  # Claude Code: the title call
    r"|CRITICAL: Respond with TEXT ONLY"  # Claude Code: compaction
    r"|Your task is to create a detailed summary of the conversation"
    r"|Please write a \d+-\d+ word title"
    r"|\[?SUGGESTION MODE)",
)
_SYSTEM_CHARACTERS = 4_000  # a housekeeping prompt says at its beginning what it is


def classify(headers: Headers, asked: Asked) -> RequestClass:
    """The class of a request; what cannot be told from a person's turn is one."""
    sent = dict(headers)
    stated = _STATED.get(sent.get(_STATED_HEADER, ""))
    if stated is not None:
        return stated
    if not _SUB_AGENT_HEADERS.isdisjoint(sent):
        return RequestClass.SUB_AGENT
    if sent.get(_TASK_HEADER) or asked.max_tokens == 1 or _is_housekeeping(asked):
        return RequestClass.BACKGROUND
    return RequestClass.HUMAN_TURN if asked.newest_is_human else RequestClass.TOOL_LOOP


def _is_housekeeping(asked: Asked) -> bool:
    """A person's own request may ask for a title too, but its system prompt does not."""
    newest = asked.messages[-1] if asked.messages else None
    if newest is None or newest.role is not Role.USER:
        return False
    if _BACKGROUND_MESSAGE.match(newest.text):
        return True
    system = next((m.text for m in asked.messages if m.role is Role.SYSTEM), "")
    return not asked.tool_count and _BACKGROUND_SYSTEM.found_in(system[:_SYSTEM_CHARACTERS])
