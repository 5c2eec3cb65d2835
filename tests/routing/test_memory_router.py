import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import ConfigurationError, InvalidRequest
from memory_proxy.routing.identifiers import is_user_id
from memory_proxy.routing.memory_router import MemoryRouter

CONFIG = {
    "user_id_mappings": {
        "custom_header": "X-Memory-User-ID",
        "header_patterns": [
            {"header": "User-Agent", "pattern": "OpenAIClientImpl/Java", "user_id": "pycharm"},
            {"header": "User-Agent", "pattern": "OpenAI", "user_id": "openai"},
            {"header": "X-Team", "pattern": "^(red|blue)$", "user_id": "team"},
        ],
        "default_user_id": "nobody",
    },
    "model_list": [
        {
            "model_name": "claude-with-memory",
            "litellm_params": {
                "model": "anthropic/claude",
                "api_base": "https://api.supermemory.ai/v3/api.anthropic.com",
                "extra_headers": {"x-static": "1"},
            },
        },
        {"model_name": "wild/*", "litellm_params": {"api_base": "https://supermemory.ai/v3"}},
        {"model_name": "plain", "litellm_params": {"api_base": "https://evil-supermemory.ai/"}},
    ],
}


@pytest.fixture
def router() -> MemoryRouter:
    return MemoryRouter.from_config(CONFIG)


def test_the_custom_header_wins_over_every_pattern(router: MemoryRouter) -> None:
    info = router.get_routing_info({"x-memory-user-id": "ann", "user-agent": "OpenAI/Python 2"})

    assert info["user_id"] == "ann"
    assert info["custom_header_present"] is True
    assert info["matched_pattern"] is None
    assert info["is_default"] is False


def test_the_first_matching_pattern_wins_and_is_named(router: MemoryRouter) -> None:
    info = router.get_routing_info({"User-Agent": "x OpenAIClientImpl/Java 4.2"})

    assert info["user_id"] == "pycharm"
    assert info["matched_pattern"] == {
        "header": "user-agent",
        "value": "x OpenAIClientImpl/Java 4.2",
        "pattern": "OpenAIClientImpl/Java",
        "user_id": "pycharm",
    }


def test_nothing_matching_is_the_default_user(router: MemoryRouter) -> None:
    info = router.get_routing_info({"user-agent": "curl/8", "x-team": "redder"})

    assert (info["user_id"], info["is_default"], info["client"]) == ("nobody", True, "curl")


def test_header_names_come_in_any_case_as_a_mapping_or_as_pairs(router: MemoryRouter) -> None:
    assert router.detect_user_id({"X-MEMORY-USER-ID": "ann"}) == "ann"
    assert router.detect_user_id((("X-Memory-User-Id", "ann"),)) == "ann"


def test_supermemorys_own_user_header_counts_like_the_custom_one(router: MemoryRouter) -> None:
    assert router.detect_user_id({"x-sm-user-id": "ann"}) == "ann"


def test_two_headers_that_name_different_users_are_refused(router: MemoryRouter) -> None:
    with pytest.raises(InvalidRequest, match="different users"):
        router.detect_user_id({"x-sm-user-id": "ann", "x-memory-user-id": "bob"})


def test_a_known_client_may_state_its_user(router: MemoryRouter) -> None:
    info = router.get_routing_info({"x-openwebui-user-id": "u-1", "x-openwebui-chat-id": "c"})

    assert (info["user_id"], info["source"], info["client"]) == ("u-1", "client", "open-webui")


@pytest.mark.parametrize(
    "bad", ["", " ", "a b", "a\r\nb", "a\x00", "ü", "a" * 129, "a/b", "{{ID}}"]
)
def test_what_cannot_be_a_user_id_is_refused_and_never_the_default(
    router: MemoryRouter, bad: str
) -> None:
    with pytest.raises(InvalidRequest):
        router.detect_user_id({"x-memory-user-id": bad})


@given(st.text(max_size=140))
def test_user_ids_are_exactly_the_documented_characters(text: str) -> None:
    assert is_user_id(text) == bool(re.fullmatch(r"[A-Za-z0-9._@:+-]{1,128}", text))


def test_injecting_memory_headers_returns_a_copy(router: MemoryRouter) -> None:
    sent = {"x-memory-user-id": "ann", "X-SM-User-Id": "ann", "accept": "*/*"}
    told = router.inject_memory_headers(sent, "sm_key")

    assert told == {
        "x-memory-user-id": "ann",
        "accept": "*/*",
        "x-sm-user-id": "ann",
        "x-supermemory-api-key": "sm_key",
    }
    assert sent == {"x-memory-user-id": "ann", "X-SM-User-Id": "ann", "accept": "*/*"}


def test_without_a_key_only_the_user_is_told(router: MemoryRouter) -> None:
    assert router.inject_memory_headers({}, None) == {"x-sm-user-id": "nobody"}


def test_a_model_is_supermemorys_when_its_api_base_points_there(router: MemoryRouter) -> None:
    assert router.should_use_supermemory("claude-with-memory")
    assert router.should_use_supermemory("wild/anything")
    assert not router.should_use_supermemory("plain")
    assert not router.should_use_supermemory("unknown")


def test_a_router_is_read_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("user_id_mappings:\n  default_user_id: carl\n", encoding="utf-8")

    assert MemoryRouter.from_file(path).detect_user_id({}) == "carl"


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [", ""])
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"config\.yaml"):
        MemoryRouter.from_file(path)


def test_every_problem_of_the_mappings_is_named_at_once() -> None:
    wrong = {
        "custm_header": "x",
        "header_patterns": [
            {"header": "a b", "pattern": "(", "user_id": "ü"},
            {"header": "h", "pattern": "x"},
            "text",
        ],
        "default_user_id": "",
    }
    with pytest.raises(ConfigurationError) as caught:
        MemoryRouter.from_config({"user_id_mappings": wrong})

    message = str(caught.value)
    assert "did you mean 'custom_header'?" in message
    assert "header_patterns[0].header: 'a b' is no header name" in message
    assert "header_patterns[0].pattern: '(' is no RE2 pattern" in message
    assert "header_patterns[0].user_id" in message
    assert "header_patterns[1].user_id: missing" in message
    assert "header_patterns[2]: must be a mapping" in message
    assert "default_user_id" in message


def test_a_hostile_pattern_is_searched_in_linear_time() -> None:
    entries = [{"header": "x-any", "pattern": "(a+)+$", "user_id": "ann"}]
    router = MemoryRouter.from_config({"user_id_mappings": {"header_patterns": entries}})

    assert router.detect_user_id({"x-any": "a" * 50_000 + "!"}) == "default"
