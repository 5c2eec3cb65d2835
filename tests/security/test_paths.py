import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import NotFound
from memory_proxy.security.paths import check_path, is_llm_route

HERE = Path(__file__).parent


def _routes(name: str) -> Iterator[tuple[str, str]]:
    """Methods and templates of LiteLLM 1.109.1, from its route table with every feature loaded."""
    for line in (HERE / name).read_text("utf-8").splitlines():
        methods, _, template = line.partition(" ")
        for method in methods.split(","):
            yield method, template


LLM_ROUTES = sorted(set(_routes("litellm_llm_routes.txt")))
OTHER_ROUTES = sorted(set(_routes("litellm_other_routes.txt")))


def _filled(template: str, value: str) -> str:
    return re.sub(r"\{\w+\}", value, template)


@pytest.mark.parametrize(("method", "template"), LLM_ROUTES, ids=" ".join)
def test_litellms_llm_api_is_reachable(method: str, template: str) -> None:
    path = _filled(template, "id_1-2.3:x@y")

    assert is_llm_route(method, check_path(path.encode()))


@pytest.mark.parametrize("value", ["x1", "models", "chat/completions", "v1", "responses", "a:b"])
def test_no_other_route_of_litellm_is_reachable(value: str) -> None:
    reachable = [
        f"{method} {template}"
        for method, template in OTHER_ROUTES
        if is_llm_route(method, _filled(template, value))
    ]

    assert reachable == []


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/docs",
        "/redoc",
        "/openapi.json",
        "/metrics",
        "/health",
        "/health/readiness",
        "/test",
        "/ui/",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v1/chat",
        "/v1/chat/completions/",
        "/V1/chat/completions",
        "/v1/v1/chat/completions",
        "/v2/chat/completions",
        "/v1beta/chat/completions",
        "/chat/completions/x",
        "/openai/v1/chat/completions",
        "/openai/deployments/gpt/anything",
        "/anthropic/v1/messages",
        "/gemini/v1beta/models/x:generateContent",
        "/vertex_ai/x",
        "/models/mcp",
        "/models/authorize",
        "/files/token",
        "/vector_stores/register",
        "/batches/authorize",
    ],
)
def test_what_only_looks_like_the_llm_api_is_not(path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"):
        assert not is_llm_route(method, path)


def test_a_route_is_open_to_its_own_methods_only() -> None:
    assert is_llm_route("POST", "/v1/chat/completions")
    assert not is_llm_route("GET", "/v1/chat/completions")
    assert not is_llm_route("GET", "/openai/deployments/gpt/chat/completions")
    assert not is_llm_route("post", "/v1/chat/completions")


def test_model_names_with_slashes_are_routed() -> None:
    assert is_llm_route("POST", "/openai/deployments/azure/eu/gpt-4o/chat/completions")
    assert is_llm_route("POST", "/v1beta/models/gemini/gemini-2.5-pro:streamGenerateContent")


TRAVERSALS = [
    b"//v1/models",
    b"/v1//models",
    b"/v1/models//",
    b"/v1/./models",
    b"/v1/../key/info",
    b"/v1/models/..",
    b"/v1/models/.",
    b"/..",
    b"/.",
    b"/v1/models/.../x",
    b"/v1/models/%2e%2e/key/info",
    b"/v1/models/%2E%2e/key/info",
    b"/v1/models/.%2e/key",
    b"/v1/models/%2e./key",
    b"/v1/models/%2e/x",
    b"/v1/models/%252e%252e/key",
    b"/v1/models/%25252e%25252e/key",
    b"/v1/models/..%2fkey",
    b"/v1/models/..%2Fkey",
    b"/v1/models/%2e%2e%2fkey",
    b"/v1/models%2f..%2fkey",
    b"/v1/models/a%2fb",
    b"/v1/models/%252fkey",
    b"/v1/models/..%5ckey",
    b"/v1/models\\..\\key",
    b"/v1/models/%5C..%5Ckey",
    b"/v1/models/..;/key",
    b"/v1/models;x=y",
    b"/v1/models%3bx=y",
    b"/v1/models/%00",
    b"/v1/models%00/../key",
    b"/v1/models/%0d%0ax-evil:%201",
    b"/v1/models/%0a",
    b"/v1/models/%1b[31m",
    b"/v1/models/%7f",
    b"/v1/models/%c2%85",
    b"/v1/models/%c0%ae%c0%ae/key",
    b"/v1/models/%e0%80%ae/key",
    b"/v1/models/%ff",
    b"/v1/models/%ed%a0%80",
    b"/v1/models/%ef%bc%8e%ef%bc%8e/key",
    b"/v1/models/%ef%bc%8fkey",
    b"/v1/models/%e2%80%a5/key",
    b"/v1/models/%",
    b"/v1/models/%2",
    b"/v1/models/%zz",
    b"/v1/models/%u002e",
    b"/v1/models/%3fkey=1",
    b"/v1/models/%23x",
    b"/v1/models?x",
    b"/v1/models#x",
    b"/v1/models/ ../key",
    b"/v1/models/%20../key",
    b"/v1/models/..%20/key",
    b"v1/models",
    b"",
    b"http://evil/v1/models",
    b"@evil.example/v1/models",
    b"*",
    b"/v1/models/\xff",
]


@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_with_a_second_reading_does_not_exist(path: bytes) -> None:
    with pytest.raises(NotFound):
        check_path(path)


@pytest.mark.parametrize(
    "path",
    [
        b"/",
        b"/v1/models",
        b"/v1/models/gpt-4o",
        b"/v1/models/gpt-4.1..x",
        b"/v1/models/.hidden",
        b"/v1beta/models/gemini-2.5-pro:generateContent",
        b"/v1/models/ft:gpt@acme,(1)!~+=$&'*",
        b"/v1/models/my%20model",
        b"/v1/models/%67pt",
        b"/v1/models/mod%C3%A8le",
        b"/health/",
    ],
)
def test_a_path_in_one_spelling_is_decoded(path: bytes) -> None:
    assert check_path(path) == unquote(path.decode())


@given(path=st.binary(max_size=40).map(lambda tail: b"/" + tail))
def test_whatever_passes_means_the_same_to_every_reader(path: bytes) -> None:
    try:
        checked = check_path(path)
    except NotFound:
        return
    assert unquote(checked) == checked == unquote(path.decode())
    assert not {"", ".", ".."} & {part.strip() for part in checked.split("/")[1:-1]}
    assert not re.search(r"[\\\x00-\x1f;?#]", checked)
