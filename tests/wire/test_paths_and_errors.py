"""Which format reads a path, and in whose words its callers are told of errors."""

import json

import openai
import pytest

from memory_proxy.core.errors import (
    AuthenticationFailed,
    EmbeddingError,
    ErrorKind,
    InvalidRequest,
    MemoryProxyError,
    NotFound,
    PermissionDenied,
    RequestTimeout,
    RequestTooLarge,
    StoreUnavailable,
    UpgradeUnsupported,
    UpstreamProtocolError,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from memory_proxy.wire import dialect_of, select_format

ERRORS = [
    InvalidRequest("bad"),
    AuthenticationFailed("who?"),
    PermissionDenied("not yours"),
    NotFound("where?"),
    RequestTimeout("slow"),
    RequestTooLarge("big"),
    UpgradeUnsupported("no sockets"),
    UpstreamProtocolError("odd"),
    UpstreamUnavailable("down"),
    UpstreamTimeout("late"),
    StoreUnavailable("full"),
    EmbeddingError("no model"),
    MemoryProxyError("ours"),
]

each_error = pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.kind)


def test_every_kind_of_error_is_among_these() -> None:
    assert {error.kind for error in ERRORS} == set(ErrorKind)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("POST", "/v1/chat/completions", "openai_chat"),
        ("POST", "/chat/completions", "openai_chat"),
        ("POST", "/openai/deployments/my/model/chat/completions", "openai_chat"),
        ("POST", "/engines/small-model/chat/completions", "openai_chat"),
        ("POST", "/v1/messages", "anthropic_messages"),
        ("GET", "/v1/chat/completions", None),
        ("GET", "/v1/messages", None),
        ("POST", "/v1/messages/count_tokens", None),
        ("POST", "/v1/messages/batches", None),
        ("POST", "/v1/responses", None),
        ("POST", "/v1/chat/completions/x", None),
        ("POST", "/admin/v1/chat/completions", None),
        ("POST", "/v1beta/models/g:generateContent", None),
    ],
)
def test_a_path_is_read_by_its_format(method: str, path: str, name: str | None) -> None:
    wire = select_format(method, path)

    assert (wire.name if wire else None) == name


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/chat/completions", "openai"),
        ("/v1/responses", "openai"),
        ("/v1/embeddings", "openai"),
        ("/v1/models", "openai"),
        ("/v1/models/llama3:8b", "openai"),
        ("/v1/threads/t/messages", "openai"),
        ("/v1/messagesque", "openai"),
        ("/", "openai"),
        ("/v1/messages", "anthropic"),
        ("/v1/messages/count_tokens", "anthropic"),
        ("/v1/messages/batches/b/results", "anthropic"),
        ("/v1beta/models", "gemini"),
        ("/v1beta/models/g:streamGenerateContent", "gemini"),
        ("/v1alpha/models/g:generateContent", "gemini"),
        ("/v1/models/g:generateContent", "gemini"),
        ("/v1/models/a/b:streamGenerateContent", "gemini"),
        ("/models/g:countTokens", "gemini"),
        ("/v1/models/g:batchEmbedContents", "gemini"),
    ],
)
def test_a_path_has_a_dialect(path: str, name: str) -> None:
    assert dialect_of(path).name == name


@each_error
def test_openai_clients_are_told_with_a_code(error: MemoryProxyError) -> None:
    body = json.loads(dialect_of("/v1/chat/completions").error_body(error, "req-1"))

    read = openai.APIError("", request=None, body=body["error"])  # type: ignore[arg-type]
    is_clients_fault = error.status < 500
    assert read.type == ("invalid_request_error" if is_clients_fault else "server_error")
    assert read.code == ("invalid_api_key" if error.status == 401 else error.kind)
    assert body["error"]["message"] == str(error)
    assert read.param is None


@each_error
def test_anthropic_clients_are_told_with_the_type_of_the_status(error: MemoryProxyError) -> None:
    body = json.loads(dialect_of("/v1/messages").error_body(error, "req-1"))

    assert (body["type"], body["request_id"]) == ("error", "req-1")
    types = {
        400: "invalid_request_error",
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        408: "timeout_error",
        413: "request_too_large",
        426: "invalid_request_error",
        504: "timeout_error",
    }
    if isinstance(error, UpstreamUnavailable):
        assert body["error"]["type"] == "overloaded_error"
    else:
        assert body["error"]["type"] == types.get(error.status, "api_error")
    assert body["error"]["message"] == str(error)


@each_error
def test_gemini_clients_are_told_with_a_status(error: MemoryProxyError) -> None:
    body = json.loads(dialect_of("/v1beta/models/g:generateContent").error_body(error, "req-1"))

    assert body["error"]["code"] == error.status
    assert body["error"]["message"] == str(error)
    assert body["error"]["status"].isupper()
    assert (body["error"]["status"] == "INTERNAL") == (error.kind is ErrorKind.INTERNAL)


@pytest.mark.parametrize(
    ("path", "begin"),
    [
        ("/v1/chat/completions", b"\n\ndata: "),
        ("/v1/messages", b"\n\nevent: error\ndata: "),
        ("/v1beta/models/g:streamGenerateContent", b"\n\ndata: "),
    ],
)
def test_a_broken_stream_ends_in_an_event_of_the_dialect(path: str, begin: bytes) -> None:
    dialect = dialect_of(path)
    error = UpstreamProtocolError("line one\nline two")

    event = dialect.error_event(error, "req-1")

    assert event == begin + dialect.error_body(error, "req-1") + b"\n\n"
    assert event.count(b"\n") == begin.count(b"\n") + 2


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_reply_that_ends_in_our_own_error_event_is_not_complete(path: str) -> None:
    wire = select_format("POST", path)
    assert wire is not None
    reader = wire.reply_reader(stream=True)
    reader.feed(b'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n')
    reader.feed(b'data: {"type":"message_stop"}\n\n')
    assert reader.complete

    reader.feed(dialect_of(path).error_event(UpstreamTimeout("late"), "req-1"))

    assert not reader.complete
