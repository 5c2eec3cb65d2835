"""What clients put around a person's words: context of their own, which nobody said."""

import re

# Claude Code, Codex, Gemini CLI, GitHub Copilot, opencode, Cline and Roo Code, from captures.
_NAMES = (
    "system-reminder", "command-name", "command-message", "command-args",
    "local-command-stdout", "local-command-caveat",
    "environment_context", "user_instructions", "permissions instructions", "turn_aborted",
    "session_context", "current_datetime", "reminder", "reminderInstructions", "context",
    "attachments", "editorContext", "workspace_info", "environment_details", "env",
    "ide_selection", "ide_opened_file", "ide_diagnostics",
)  # fmt: skip
_WRAPPED = re.compile(rf"<({'|'.join(map(re.escape, _NAMES))})(?:\s[^>]*)?>.*?</\1>\s*", re.DOTALL)


def without_wrappers(text: str) -> str:
    """`text` without the blocks that a client added to it; the same object if there are none."""
    if "</" not in text:
        return text
    stripped = _WRAPPED.sub("", text)
    return text if stripped == text else stripped.strip()


_ATTACHMENT = re.compile(r"\n?\[(?:image|audio|video|file) [0-9a-f]{12}[^\]\n]*\]")


def spoken(text: str) -> str:
    """The person's own words in `text`: no wrappers, and no lines that stand for attachments."""
    return _ATTACHMENT.sub("", without_wrappers(text))
