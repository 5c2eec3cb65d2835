"""Command line > environment > .env > config.yaml > default."""

import os
from pathlib import Path

import pytest

from memory_proxy.config.table import TABLE
from tests.config.support import Workplace

# Each kept name of the environment with the setting it sets, and four unlike good values.
KEPT = [
    ("LITELLM_BASE_URL", "litellm_base_url", [f"http://127.0.0.{n}:8765" for n in range(1, 5)]),
    ("LITELLM_MASTER_KEY", "master_key", ["key-one", "key-two", "key-three", "key-four"]),
    ("SUPERMEMORY_API_KEY", "supermemory_api_key", ["sm_1", "sm_2", "sm_3", "sm_4"]),
    ("PROXY_HOST", "host", [f"127.0.0.{n}" for n in range(2, 6)]),
    ("PROXY_PORT", "port", [9001, 9002, 9003, 9004]),
    ("MEMORY_TTL_SECONDS", "memory_ttl_seconds", [1, 2, 3, 4]),
    ("MAX_CONTEXT_MESSAGES", "max_context_messages", [1, 2, 3, 4]),
    ("LOG_LEVEL", "log_level", ["debug", "warning", "error", "critical"]),
    ("MEMORY_PROXY_STORE", "store", [f"sqlite:////srv/{n}.db" for n in "abcd"]),
    ("MEMORY_PROXY_RECALL_DEADLINE_MS", "recall_deadline_ms", [1, 2, 3, 4]),
]


@pytest.mark.parametrize(("variable", "name", "values"), KEPT)
def test_the_command_line_wins_over_the_environment_over_dotenv_over_the_file(
    workplace: Workplace, variable: str, name: str, values: list[object]
) -> None:
    section, _, key = TABLE[name].key.partition(".")
    on_command_line, in_environment, in_dotenv, in_file = values

    def outcome(**overrides: object) -> tuple[object, str]:
        # Not launching: a key in the file may then differ from the one in the environment.
        settings = workplace.load(launch_litellm=False, **overrides)
        return getattr(settings, name), settings.sources[name]

    if name != "master_key":
        workplace.environ["LITELLM_MASTER_KEY"] = "sk-needed-by-serve"
    workplace.write_config(f"{section}: {{{key}: {in_file!r}}}")
    assert outcome() == (in_file, f"config.yaml: {section}.{key}")
    workplace.write_dotenv(f"{variable}={in_dotenv}")
    assert outcome() == (in_dotenv, f".env {variable}")
    workplace.environ[variable] = str(in_environment)
    assert outcome() == (in_environment, f"environment {variable}")
    assert outcome(**{name: str(on_command_line)}) == (on_command_line, "command line")


def test_json_logs_follows_the_same_order(workplace: Workplace) -> None:
    assert not workplace.load().json_logs
    workplace.write_config("memory_proxy: {json_logs: true}")
    assert workplace.load().json_logs
    workplace.write_dotenv("JSON_LOGS=false")
    assert not workplace.load().json_logs
    workplace.environ["JSON_LOGS"] = "1"
    assert workplace.load().json_logs
    assert not workplace.load(json_logs=False).json_logs


def test_the_config_file_is_named_by_flag_then_variable_then_found_here(
    workplace: Workplace, tmp_path: Path
) -> None:
    here = workplace.folder / "config.yaml"
    for name in ("flag", "variable"):
        (tmp_path / f"{name}.yaml").write_text(here.read_text())
    assert workplace.load().config_path == here
    workplace.environ["LITELLM_CONFIG"] = "variable.yaml"
    assert workplace.load().config_path == tmp_path / "variable.yaml"
    assert workplace.load(config_path="flag.yaml").config_path == tmp_path / "flag.yaml"


def test_without_any_file_the_packaged_one_serves(workplace: Workplace) -> None:
    (workplace.folder / "config.yaml").unlink()
    settings = workplace.load()

    assert settings.config_path.is_file()
    assert settings.usable_models == ("demo",)
    assert settings.sources["config_path"] == "default"


def test_defaults_stand_where_nothing_is_said(workplace: Workplace) -> None:
    workplace.environ["MEMORY_PROXY_HOME"] = str(workplace.folder / "a home")
    settings = workplace.load()

    assert (settings.host, settings.port, settings.litellm_port) == ("127.0.0.1", 8764, 8765)
    assert settings.litellm_base_url == "http://127.0.0.1:8765"
    assert settings.store == f"sqlite:///{workplace.folder}/a%20home/memory.db"
    assert settings.master_key == ""
    assert settings.sources["port"] == "default"


def test_litellms_url_follows_its_port(workplace: Workplace) -> None:
    assert workplace.load(litellm_port="9876").litellm_base_url == "http://127.0.0.1:9876"


def test_an_empty_variable_is_not_set(workplace: Workplace) -> None:
    workplace.environ["PROXY_PORT"] = ""
    workplace.write_dotenv("PROXY_PORT=9100")

    assert workplace.load().port == 9100


def test_our_own_name_for_a_setting_wins_over_the_general_one(workplace: Workplace) -> None:
    workplace.environ |= {"PROXY_PORT": "9000", "MEMORY_PROXY_PORT": "9001"}

    assert workplace.load().port == 9001


def test_the_environment_wins_over_dotenv_whatever_the_name(workplace: Workplace) -> None:
    workplace.environ["PROXY_PORT"] = "9000"
    workplace.write_dotenv("MEMORY_PROXY_PORT=9001")

    assert workplace.load().port == 9000


def test_dotenv_reaches_launched_processes_but_never_our_own_environment(
    workplace: Workplace,
) -> None:
    workplace.environ["PATH"] = "/bin"
    workplace.write_dotenv("OPENAI_API_KEY=sk-$from-dotenv\nPATH=/elsewhere\n")
    before = dict(os.environ)
    settings = workplace.load()

    assert settings.environment["OPENAI_API_KEY"] == "sk-$from-dotenv"
    assert settings.environment["PATH"] == "/bin"
    assert dict(os.environ) == before


def test_relative_paths_begin_at_their_own_folder(workplace: Workplace) -> None:
    folder = workplace.folder / "etc"
    folder.mkdir()
    text = workplace.write_config("memory_proxy: {store: 'sqlite:///kept.db'}").read_text()
    (folder / "other.yaml").write_text(text)
    settings = workplace.load(config_path="etc/other.yaml", home="here")

    assert settings.home == workplace.folder / "here"
    assert settings.store == f"sqlite:///{folder}/kept.db"


def test_the_folder_of_an_embedder_is_relative_to_its_file(workplace: Workplace) -> None:
    model = workplace.folder / "model"
    model.mkdir()
    for name in ("model.onnx", "tokenizer.json"):
        (model / name).write_bytes(b"")
    workplace.write_config("memory_proxy: {embedder: 'path:model'}")

    assert workplace.load().embedder == f"path:{model}"


def test_the_file_may_take_values_from_the_environment(workplace: Workplace) -> None:
    workplace.write_config("memory_proxy: {supermemory_api_key: os.environ/MY_KEY}")
    workplace.environ["MY_KEY"] = "sm_key"

    assert workplace.load().supermemory_api_key == "sm_key"


def test_lists_are_written_with_commas_or_as_yaml_lists(workplace: Workplace) -> None:
    workplace.environ["MEMORY_PROXY_ALLOWED_HOSTS"] = "chat.example.com, [::1]"
    workplace.write_config("memory_proxy: {cors_origins: ['https://App.example.com/']}")
    settings = workplace.load()

    assert settings.allowed_hosts == ("chat.example.com", "::1")
    assert settings.cors_origins == ("https://app.example.com",)
