"""Our own errors, in the words that a caller's client understands.

OpenAI: https://platform.openai.com/docs/guides/error-codes
Anthropic: https://docs.claude.com/en/api/errors
Gemini: https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from memory_proxy.core.errors import ErrorKind, MemoryProxyError, RequestError

_Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one family of clients is told what went wrong."""

    name: str
    _document: Callable[[MemoryProxyError, str], _Document]
    _event: bytes = b""

    def error_body(self, error: MemoryProxyError, request_id: str) -> bytes:
        return msgspec.json.encode(self._document(error, request_id))

    def error_event(self, error: MemoryProxyError, request_id: str) -> bytes:
        """What such a client expects in place of the rest of a broken stream.

        The blank line before it ends an event that broke off half way.
        """
        return b"\n\n" + self._event + b"data: " + self.error_body(error, request_id) + b"\n\n"


_ANTHROPIC_TYPES = {
    ErrorKind.INVALID_REQUEST: "invalid_request_error",
    ErrorKind.AUTHENTICATION: "authentication_error",
    ErrorKind.PERMISSION: "permission_error",
    ErrorKind.NOT_FOUND: "not_found_error",
    ErrorKind.TIMEOUT: "timeout_error",
    ErrorKind.TOO_LARGE: "request_too_large",
    ErrorKind.UPGRADE_UNSUPPORTED: "invalid_request_error",
    ErrorKind.UPSTREAM_UNAVAILABLE: "overloaded_error",
    ErrorKind.UPSTREAM_TIMEOUT: "timeout_error",
}

_GEMINI_STATUSES = {
    ErrorKind.INVALID_REQUEST: "INVALID_ARGUMENT",
    ErrorKind.AUTHENTICATION: "UNAUTHENTICATED",
    ErrorKind.PERMISSION: "PERMISSION_DENIED",
    ErrorKind.NOT_FOUND: "NOT_FOUND",
    ErrorKind.TIMEOUT: "DEADLINE_EXCEEDED",
    ErrorKind.TOO_LARGE: "INVALID_ARGUMENT",
    ErrorKind.UPGRADE_UNSUPPORTED: "FAILED_PRECONDITION",
    ErrorKind.UPSTREAM_PROTOCOL: "UNAVAILABLE",
    ErrorKind.UPSTREAM_UNAVAILABLE: "UNAVAILABLE",
    ErrorKind.UPSTREAM_TIMEOUT: "DEADLINE_EXCEEDED",
    ErrorKind.STORE: "UNAVAILABLE",
    ErrorKind.EMBEDDING: "UNAVAILABLE",
    ErrorKind.EMBEDDING: "UNAVAILABLE",
}


def _openai(error: MemoryProxyError, _request_id: str) -> _Document:
    """OpenAI tells a wrong key by its code; other codes are ours."""
    code = "invalid_api_key" if error.kind is ErrorKind.AUTHENTICATION else error.kind
    kind = "invalid_request_error" if isinstance(error, RequestError) else "server_error"
    return {"error": {"message": str(error), "type": kind, "param": None, "code": code}}


def _anthropic(error: MemoryProxyError, request_id: str) -> _Document:
    kind = _ANTHROPIC_TYPES.get(error.kind, "api_error")
    described = {"type": kind, "message": str(error)}
    return {"type": "error", "error": described, "request_id": request_id}


def _gemini(error: MemoryProxyError, _request_id: str) -> _Document:
    status = _GEMINI_STATUSES.get(error.kind, "INTERNAL")
    return {"error": {"code": error.status, "message": str(error), "status": status}}


OPENAI = Dialect("openai", _openai)
ANTHROPIC = Dialect("anthropic", _anthropic, b"event: error\n")
GEMINI = Dialect("gemini", _gemini)
