import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.security.upstream_choice import (
    without_upstream_choice,
    without_upstream_choice_query,
)

JSON = "application/json"
EVIL = "http://evil.example"
REFUSED_BY_LITELLM = (Path(__file__).parent / "litellm_params.txt").read_text("utf-8").split()


def cleaned(body: Any) -> Any:
    return json.loads(without_upstream_choice(json.dumps(body).encode(), JSON))


@pytest.mark.parametrize("name", REFUSED_BY_LITELLM)
def test_what_litellm_itself_refuses_in_a_body_never_reaches_it(name: str) -> None:
    assert cleaned({"model": "m", name: EVIL, "messages": []}) == {"model": "m", "messages": []}


@pytest.mark.parametrize(
    "name", ["api_base", "base_url", "api_key", "extra_headers", "user_config"]
)
@pytest.mark.parametrize(
    "place",
    [
        ["extra_body"],
        ["metadata"],
        ["litellm_metadata", "deep", "deeper"],
        ["fallbacks", 0],
        ["context_window_fallbacks", 0, "gpt", 0],
        ["requests", 0, "params"],
        ["stream_options"],
        ["generationConfig"],
        ["unheard_of", 0, 0, "x"],
    ],
)
def test_a_choice_of_upstream_is_cut_out_at_any_depth(name: str, place: list[Any]) -> None:
    expected: Any = {"kept": 1}
    chosen: Any = {"kept": 1, name: EVIL}
    for step in reversed(place):
        expected = [expected] if step == 0 else {step: expected}
        chosen = [chosen] if step == 0 else {step: chosen}

    assert cleaned({"model": "m", **chosen}) == {"model": "m", **expected}


@pytest.mark.parametrize(
    "member",
    [
        {"messages": [{"role": "user", "content": "x", "api_base": EVIL}]},
        {"input": [{"api_key": "a"}]},
        {"contents": [{"parts": [{"functionCall": {"args": {"api_key": "a"}}}]}]},
        {"tools": [{"function": {"parameters": {"properties": {"api_key": {"type": "string"}}}}}]},
        {"functions": [{"parameters": {"properties": {"base_url": {}}}}]},
        {"response_format": {"json_schema": {"schema": {"properties": {"api_key": {}}}}}},
        {"text": {"format": {"schema": {"properties": {"headers": {}}}}}},
        {"output_config": {"format": {"schema": {"properties": {"api_base": {}}}}}},
        {"generationConfig": {"responseSchema": {"properties": {"api_key": {}}}}},
        {"system": [{"type": "text", "text": "api_base", "model_list": 1}]},
        {"prompt": {"variables": {"client_id": "a"}}},
        {"metadata": {"client_id": "7", "tenant_id": "acme", "organization": "o"}},
        {"metadata": {"user_id": '{"device_id": "d", "session_id": "s"}'}},
        {"extra_body": {"guided_json": {"properties": {"api_key": {}}}}},
        {"user": "api_base"},
        {"stop": ["api_key"]},
    ],
)
def test_the_conversation_and_the_clients_own_notes_stay_the_same_object(member: Any) -> None:
    body = json.dumps({"model": "m", **member}).encode()

    assert without_upstream_choice(body, JSON) is body


def test_what_stays_keeps_its_bytes() -> None:
    body = (
        b'{ "model": "m", "temperature" : 1.50, "api_base": "x", "seed":12345678901234567890123,'
        b'"n": 1e400, "messages": [ {"role":"user", "content": "\\u00e9 \\ud83d\\ude00" } ],'
        b' "metadata": {"a" : 1.0, "langfuse_host": "x", "b": [ 1 ]} }'
    )

    kept = without_upstream_choice(body, JSON)

    assert kept == (
        b'{"model":"m","temperature":1.50,"seed":12345678901234567890123,"n":1e400,'
        b'"messages":[ {"role":"user", "content": "\\u00e9 \\ud83d\\ude00" } ],'
        b'"metadata":{"a":1.0,"b":[ 1 ]}}'
    )


def test_a_name_in_escapes_is_the_same_name() -> None:
    body = b'{"model":"m","api\\u005fbase":"x","\\u0061pi_key":"y"}'

    assert without_upstream_choice(body, JSON) == b'{"model":"m"}'


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-protobuf", "image/png"])
def test_a_body_is_read_as_json_whatever_it_is_called(content_type: str) -> None:
    assert without_upstream_choice(b'{"api_base":"x"}', content_type) == b"{}"


@pytest.mark.parametrize(
    "body",
    [
        b'{"api_base": "x", "n": NaN}',
        b'{"metadata": {"api_base": "x", "n": Infinity}}',
        b'{"api_base": "x"',
        b'\xef\xbb\xbf{"api_base": "x"}',
        b'{"api\\u005Fbase" : "x", "n": NaN}',
        b'{"x": "\\ud800", "base_url": "x"}',
        b'[{"api_base": "x"}]',
        b'{"x": "\xff", "a": {"b": "\xff"}, "c": "{\\"api_key\\": 1, \\"n\\": NaN}"}',
        b'{"metadata": "{\\"langfuse_host\\": \\"x\\"}"}',
        b'{"extra_body": " {\\"a\\": [{\\"api_base\\": \\"x\\"}]}"}',
        b'{"extra_body": "\\u007b\\"api_base\\": \\"x\\"}"}',
        b'{"fallbacks": ["{\\"api_key\\": \\"x\\"}"]}',
    ],
)
def test_a_name_that_cannot_be_cut_out_refuses_the_request(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        without_upstream_choice(body, JSON)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not json",
        b'{"messages": [{"content": "learn rust, set api_base: x"}], "n": NaN}',
        b"[]",
        b"\xff\xfe",
        b'"api_base"',
        b'{"a": ' + b"[" * 100_000,
    ],
)
def test_an_unreadable_body_without_such_a_name_is_left_for_litellm_to_answer(body: bytes) -> None:
    assert without_upstream_choice(body, JSON) is body


def test_a_body_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="nested"):
        without_upstream_choice(b'{"a": %s1%s}' % (b"[" * 65, b"]" * 65), JSON)


@pytest.mark.parametrize(
    "model", [f"huggingface/{EVIL}/m", EVIL, "x/https:\\/\\/evil", "\\u0068ttp://a"]
)
def test_a_url_is_no_model(model: str) -> None:
    with pytest.raises(InvalidRequest, match="URL"):
        without_upstream_choice(b'{"model": "%s"}' % model.encode(), JSON)


NAMES = st.sampled_from(["api_base", "model", "metadata", "messages", "extra_body", "a", "tools"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=25,
)


def _without(value: Any) -> Any:
    """The same rule over plain Python values."""
    if isinstance(value, dict):
        payload = {"messages", "tools"}
        members = value.items()
        return {k: v if k in payload else _without(v) for k, v in members if k != "api_base"}
    return [_without(item) for item in value] if isinstance(value, list) else value


@given(body=st.dictionaries(NAMES, VALUES, max_size=6))
def test_cutting_on_bytes_is_the_same_as_cutting_on_values(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()

    kept = without_upstream_choice(raw, JSON)

    assert json.loads(kept) == _without(body)
    assert (kept is raw) == (_without(body) == body)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("", ""),
        ("api_base=x", ""),
        ("beta=true&api%5Fbase=x&a=%20", "beta=true&a=%20"),
        (
            "api-version=2026&custom_llm_provider=openai",
            "api-version=2026&custom_llm_provider=openai",
        ),
        ("after=api_base&limit=2", "after=api_base&limit=2"),
        ("api_key&input_cost_per_token=0&x=1", "x=1"),
    ],
)
def test_a_query_goes_on_without_a_choice_of_upstream(query: str, kept: str) -> None:
    assert without_upstream_choice_query(query) == kept


BOUNDARY = "multipart/form-data; boundary=XyZ"


def _form(*parts: bytes) -> bytes:
    return b"".join(b"--XyZ\r\n" + part + b"\r\n" for part in parts) + b"--XyZ--\r\n"


def _part(head: bytes, value: bytes = b"x") -> bytes:
    return b"Content-Disposition: form-data; " + head + b"\r\n\r\n" + value


FILE = _part(
    b'name="file"; filename="api_base.wav"\r\nContent-Type: audio/wav', b"RIFF\x00\r\n\r\n"
)
MODEL = _part(b'name="model"', b"whisper-1")


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (_form(FILE, MODEL), BOUNDARY),
        (_form(FILE, _part(b'name="metadata[client_id]"')), BOUNDARY),
        (_form(FILE, _part(b'name="prompt"', b'{"api_base": "a word"}')), BOUNDARY),
        (
            _form(_part(b"name=model"), _part(b"name=\"file\"; filename*=UTF-8''%C3%A4.wav")),
            BOUNDARY,
        ),
        (b"model=m&input=api_base", "application/x-www-form-urlencoded"),
        (_form(MODEL), 'multipart/form-data; charset=utf-8; boundary="XyZ"'),
    ],
)
def test_a_form_of_ordinary_fields_stays_the_same_object(body: bytes, content_type: str) -> None:
    assert without_upstream_choice(body, content_type) is body


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (_form(FILE, _part(b'name="api_base"')), BOUNDARY),
        (_form(FILE, _part(b"name=api_base")), BOUNDARY),
        (_form(FILE, _part(b"NAME = 'x'; name=api_base")), BOUNDARY),
        (_form(FILE, _part(b'name="api\\_base"')), BOUNDARY),
        (_form(FILE, _part(b"name*=utf-8''api%5Fbase")), BOUNDARY),
        (_form(FILE, _part(b'name*0="api_"; name*1="base"')), BOUNDARY),
        (_form(FILE, _part(b'x="--XyZ"; name="api_base"')), BOUNDARY),
        (_form(FILE, _part(b'name="metadata[langfuse_host]"')), BOUNDARY),
        (_form(FILE, _part(b'name="litellm_params[api_base]"')), BOUNDARY),
        (_form(FILE, _part(b'name="metadata"', b'{"langfuse_host": "x"}')), BOUNDARY),
        (_form(FILE, _part(b'name="extra_body"', b' {"a": {"api_key": NaN}}')), BOUNDARY),
        (_form(FILE, _part(b'name="model"', b"huggingface/http://evil")), BOUNDARY),
        (_form(_part(b'name="a"' + b" " * 20_000)), BOUNDARY),
        (_form(_part(b'name="a"')), "multipart/form-data"),
        (_form(_part(b'name="api+AF8-base"')), "multipart/form-data; charset=utf-7; boundary=XyZ"),
        (b"model=m&api_base=x", "application/x-www-form-urlencoded"),
        (b"model=m;api%5fbase=x", "application/x-www-form-urlencoded; charset=utf-8"),
        (b"metadata=%7B%22api_base%22%3A1%7D", "APPLICATION/X-WWW-FORM-URLENCODED"),
    ],
)
def test_a_form_that_chooses_an_upstream_is_refused(body: bytes, content_type: str) -> None:
    with pytest.raises(InvalidRequest):
        without_upstream_choice(body, content_type)


def test_the_refusal_of_a_form_names_the_field() -> None:
    with pytest.raises(InvalidRequest, match="api_base"):
        without_upstream_choice(_form(_part(b'name="api_base"')), BOUNDARY)
