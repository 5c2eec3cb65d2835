"""Which models can answer, and when the built-in demo is needed."""

import pytest

from memory_proxy.config import Settings
from tests.config.support import DEMO_MODEL, Workplace

OPENAI_MODEL = """
  - model_name: gpt
    litellm_params: {model: openai/gpt, api_key: os.environ/OPENAI_API_KEY}
"""


def load(workplace: Workplace, models: str, text: str = "", **overrides: object) -> Settings:
    workplace.write_config(text, models=f"model_list:\n{models}\n")
    return workplace.load(**overrides)


def test_without_any_key_the_demo_answers_and_the_others_are_a_warning(
    workplace: Workplace,
) -> None:
    settings = load(workplace, OPENAI_MODEL + DEMO_MODEL)

    assert settings.needs_demo
    assert settings.usable_models == ("demo",)
    assert settings.warnings == (
        "not usable until these are set in the environment or in .env: gpt (OPENAI_API_KEY)",
    )


@pytest.mark.parametrize("source", ["environment", "dotenv", "litellm"])
def test_with_a_key_the_demo_is_not_launched(workplace: Workplace, source: str) -> None:
    text = ""
    if source == "environment":
        workplace.environ["OPENAI_API_KEY"] = "sk-key"
    elif source == "dotenv":
        workplace.write_dotenv("OPENAI_API_KEY=sk-key")
    else:
        text = "environment_variables: {OPENAI_API_KEY: sk-key}"
    settings = load(workplace, OPENAI_MODEL + DEMO_MODEL, text)

    assert not settings.needs_demo
    assert settings.usable_models == ("gpt",)
    assert settings.warnings == ()


def test_an_empty_key_is_none(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = ""

    assert load(workplace, OPENAI_MODEL + DEMO_MODEL).usable_models == ("demo",)


def test_the_demo_comes_beside_other_models_when_asked_for(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = "sk-key"
    settings = load(workplace, OPENAI_MODEL + DEMO_MODEL, demo=True)

    assert settings.needs_demo
    assert settings.usable_models == ("gpt", "demo")


def test_a_model_that_needs_no_key_is_usable(workplace: Workplace) -> None:
    assert workplace.load().usable_models == ("local",)


def test_a_wildcard_serves_litellm_but_is_no_name_to_send(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = "sk-key"
    settings = load(workplace, OPENAI_MODEL.replace("gpt", "openai/*") + DEMO_MODEL)

    assert settings.usable_models == ()
    assert not settings.needs_demo


def test_a_model_that_does_not_chat_is_no_example(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = "sk-key"
    settings = load(workplace, OPENAI_MODEL + "    model_info: {mode: embedding}\n" + DEMO_MODEL)

    assert settings.usable_models == ()


def test_one_name_with_two_deployments_is_one_model_to_a_client(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = "sk-key"

    assert load(workplace, OPENAI_MODEL * 2).usable_models == ("gpt",)


def test_every_key_of_a_model_counts_also_in_its_headers(workplace: Workplace) -> None:
    workplace.environ["OPENAI_API_KEY"] = "sk-key"
    supermemory = OPENAI_MODEL.replace(
        "api_key:", "extra_headers: {x-supermemory-api-key: os.environ/SM_KEY}, api_key:"
    )

    assert load(workplace, supermemory + DEMO_MODEL).usable_models == ("demo",)
    workplace.environ["SM_KEY"] = "sm_key"
    settings = load(workplace, supermemory + DEMO_MODEL)
    assert settings.usable_models == ("gpt",)
    assert settings.model_list[0]["litellm_params"]["extra_headers"] == {
        "x-supermemory-api-key": "sm_key"
    }


@pytest.mark.parametrize(
    "text", ["include: [more.yaml]", "general_settings: {store_model_in_db: true}"]
)
def test_models_may_be_kept_elsewhere(workplace: Workplace, text: str) -> None:
    settings = load(workplace, DEMO_MODEL, text)

    assert not settings.needs_demo
    assert settings.usable_models == ()


def test_a_secret_manager_may_hold_the_keys(workplace: Workplace) -> None:
    settings = load(
        workplace,
        OPENAI_MODEL + DEMO_MODEL,
        "general_settings: {key_management_system: hashicorp_vault}",
    )

    assert settings.usable_models == ("gpt",)


def test_a_misspelt_variable_of_ours_is_a_warning(workplace: Workplace) -> None:
    workplace.environ |= {
        "MEMORY_PROXY_PROT": "1",
        "MEMORY_PROXY_DEMO_URL": "http://127.0.0.1:8766/v1",
        "MEMORY_PROXY_NAMED": "by the file",
    }
    named = OPENAI_MODEL.replace("OPENAI_API_KEY", "MEMORY_PROXY_NAMED")

    assert load(workplace, named).warnings == (
        "environment MEMORY_PROXY_PROT: no such setting; did you mean MEMORY_PROXY_PORT?",
    )
