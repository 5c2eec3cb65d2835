"""The clients we know, as data: how each is recognised, and what it says of user and session.

A client is never a user: two people may run the same program. Sources of the facts: captures of the
programs named, their documentation, or their source.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Client:
    """`agent_prefixes`: how its User-Agent begins. `marker`: a header that only it sends.

    `session_headers` and `user_header` are trusted only when the client was recognised.
    """

    name: str
    agent_prefixes: tuple[str, ...] = ()
    marker: str | None = None
    session_headers: tuple[str, ...] = ()
    user_header: str | None = None


# Markers come first: they tell more than a User-Agent, which an SDK inside a program may own.
CLIENTS: tuple[Client, ...] = (
    Client(
        "claude-code",
        agent_prefixes=("claude-cli/", "claude-code/"),
        marker="x-claude-code-session-id",
        session_headers=("x-claude-code-session-id",),
    ),
    Client(
        "codex",
        agent_prefixes=("codex_exec/", "codex_cli_rs/", "codex-tui/"),
        session_headers=("session-id", "session_id", "thread-id", "conversation_id"),
    ),
    Client(
        "opencode",
        agent_prefixes=("opencode/",),
        marker="x-opencode-session-id",
        session_headers=("x-opencode-session-id", "x-parent-session-id"),
    ),
    Client(
        "open-webui",
        marker="x-openwebui-chat-id",
        session_headers=("x-openwebui-chat-id",),
        user_header="x-openwebui-user-id",
    ),
    Client(
        "open-webui",
        marker="x-openwebui-user-id",
        user_header="x-openwebui-user-id",
    ),
    Client("goose", marker="agent-session-id", session_headers=("agent-session-id",)),
    Client("gemini-cli", agent_prefixes=("GeminiCLI-", "GeminiCLI/")),
    Client("roo-code", agent_prefixes=("RooCode/",)),
    Client("qwen-code", agent_prefixes=("QwenCode/",)),
    Client("github-copilot", agent_prefixes=("GitHubCopilotChat/",)),
    Client("zed", agent_prefixes=("Zed/",)),
    Client("jetbrains", agent_prefixes=("OpenAIClientImpl/Java", "OpenAIClientAsyncImpl/Java")),
    Client("continue", agent_prefixes=("ls/JS",)),
    Client("openai-python", agent_prefixes=("OpenAI/Python", "AsyncOpenAI/Python")),
    Client("openai-node", agent_prefixes=("OpenAI/JS",)),
    Client("anthropic-python", agent_prefixes=("Anthropic/Python", "AsyncAnthropic/Python")),
    Client("anthropic-node", agent_prefixes=("Anthropic/JS",)),
    Client("google-genai", agent_prefixes=("google-genai-sdk/",)),
    Client("vercel-ai-sdk", agent_prefixes=("ai-sdk",)),
    Client("langchain", agent_prefixes=("langchain",)),
    Client("litellm", agent_prefixes=("litellm/",)),
    Client("httpx", agent_prefixes=("python-httpx/",)),
    Client("requests", agent_prefixes=("python-requests/",)),
    Client("aiohttp", agent_prefixes=("Python/",)),
    Client("curl", agent_prefixes=("curl/",)),
    Client("wget", agent_prefixes=("Wget/",)),
)

UNKNOWN_CLIENT = Client("unknown")


def recognise_client(headers: Mapping[str, str]) -> Client:
    """The client that sent `headers` (names in lower case); UNKNOWN_CLIENT when none fits."""
    agent = headers.get("user-agent", "")
    for client in CLIENTS:
        if client.marker is not None and client.marker in headers:
            return client
        if client.agent_prefixes and agent.startswith(client.agent_prefixes):
            return client
    return UNKNOWN_CLIENT
