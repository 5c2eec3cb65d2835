"""What `memory-proxy check` shows, and that no secret is in it."""

import json

import pytest

from memory_proxy.config import examine_settings
from memory_proxy.config.report import as_json, as_text, masked
from memory_proxy.core.errors import ConfigurationError
from tests.config.support import DEMO_MODEL, Workplace

SECRETS = {
    "LITELLM_MASTER_KEY": "sk-a-master-key-of-32-characters",
    "SUPERMEMORY_API_KEY": "sm_hidden_supermemory_key",
    "OPENAI_API_KEY": "sk-hidden-openai-key",
    "DATABASE_PASSWORD": "hidden-password",
}
MODELS = """
model_list:
  - model_name: gpt
    litellm_params: {model: openai/gpt, api_key: os.environ/OPENAI_API_KEY}
  - model_name: literal
    litellm_params: {model: openai/gpt, api_key: sk-hidden-literal-key}
"""


@pytest.fixture
def secretive(workplace: Workplace) -> Workplace:
    workplace.environ |= SECRETS
    workplace.write_dotenv("ANTHROPIC_API_KEY=sk-hidden-in-dotenv")
    workplace.write_config("memory_proxy: {port: 9000}", models=MODELS + DEMO_MODEL)
    return workplace


def shown(workplace: Workplace, **overrides: object) -> tuple[str, str]:
    examination = examine_settings(overrides, environ=workplace.environ, cwd=workplace.folder)
    return as_text(examination), json.dumps(as_json(examination))


@pytest.mark.parametrize("port", ["9000", "http"])
def test_no_secret_is_shown(secretive: Workplace, port: str) -> None:
    for text in shown(secretive, port=port):
        assert "hidden" not in text
        assert "master-key" not in text


def test_no_secret_is_in_the_settings_own_text(secretive: Workplace) -> None:
    text = repr(secretive.load()) + str(secretive.load())

    assert "hidden" not in text
    assert "master-key" not in text


def test_a_wrong_secret_is_not_shown_either(workplace: Workplace) -> None:
    workplace.write_config("memory_proxy: {supermemory_api_key: [hidden]}")
    problem = workplace.problem()

    assert "memory_proxy.supermemory_api_key: its value must be a valid string" in problem
    assert "hidden" not in problem


def test_each_setting_has_its_value_and_source(secretive: Workplace) -> None:
    text, _ = shown(secretive, log_level="debug")
    rows = [line.split(maxsplit=2) for line in text.splitlines()]

    assert ["port", "9000", "config.yaml: memory_proxy.port"] in rows
    assert ["log_level", "debug", "command line"] in rows
    assert ["host", "127.0.0.1", "default"] in rows
    assert "sk-a…(32 characters)" in text


def test_each_model_says_whether_it_answers_and_why(secretive: Workplace) -> None:
    del secretive.environ["OPENAI_API_KEY"]
    rows = [line.split(maxsplit=2) for line in shown(secretive)[0].splitlines()]

    assert ["gpt", "not", "usable  not set: OPENAI_API_KEY"] in rows
    assert any(row[:2] == ["literal", "usable"] for row in rows)
    assert ["demo", "not", "usable  the demo is not launched"] in rows


def test_the_users_are_shown_in_the_order_that_decides(workplace: Workplace) -> None:
    workplace.write_config(
        "user_id_mappings:\n"
        "  custom_header: x-who\n"
        "  header_patterns: [{header: user-agent, pattern: ^PyCharm, user_id: pycharm}]\n"
        "  default_user_id: nobody\n"
    )
    text, _ = shown(workplace)

    assert text.endswith(
        "Users\n"
        "  header x-who: the user it names\n"
        "  header user-agent with ^PyCharm: pycharm\n"
        "  otherwise: nobody"
    )


def test_problems_are_shown_below_what_could_be_read(workplace: Workplace) -> None:
    text, machine = shown(workplace, port="http")

    assert text.endswith(
        "Problems\n  - --port: 'http' must be a valid integer, unable to parse string as an integer"
    )
    assert json.loads(machine)["ok"] is False
    assert len(json.loads(machine)["problems"]) == 1


def test_the_machine_form_says_the_same(secretive: Workplace) -> None:
    report = json.loads(shown(secretive)[1])

    assert report["ok"] is True
    assert {
        "name": "port",
        "value": 9000,
        "source": "config.yaml: memory_proxy.port",
    } in report["settings"]
    assert [(model["name"], model["usable"]) for model in report["models"]] == [
        ("gpt", True),
        ("literal", True),
        ("demo", False),
    ]


def test_the_models_of_another_litellm_are_not_claimed(secretive: Workplace) -> None:
    text, _ = shown(secretive, litellm_base_url="http://litellm.example.com")

    assert "Models\n  those of the LiteLLM at http://litellm.example.com\n" in text


@pytest.mark.parametrize(
    ("secret", "mask"),
    [
        ("", ""),
        ("short", "…(5 characters)"),
        ("x" * 15, "…(15 characters)"),
        ("sk-abcdefghijklm", "sk-a…(16 characters)"),
    ],
)
def test_a_mask_shows_little_of_a_long_secret_and_nothing_of_a_short_one(
    secret: str, mask: str
) -> None:
    assert masked(secret) == mask


def test_several_problems_are_a_list_and_one_is_a_sentence(workplace: Workplace) -> None:
    with pytest.raises(ConfigurationError, match=r"^--port: 'x' must be"):
        workplace.load(port="x")
    with pytest.raises(ConfigurationError, match=r"^2 problems:\n  - --host: .*\n  - --port: "):
        workplace.load(port="x", host="a b")
