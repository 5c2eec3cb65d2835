"""The files that people read agree with the code."""

import re
from pathlib import Path

import yaml

from memory_proxy.config import load_settings
from memory_proxy.config.reference import reference_page
from memory_proxy.config.sources import packaged_config
from memory_proxy.config.table import TABLE
from memory_proxy.routing.memory_router import MemoryRouter
from tests.config.support import Workplace

ROOT = Path(__file__).parents[2]


def test_the_reference_page_is_what_the_code_makes() -> None:
    page = (ROOT / "docs/reference/CONFIGURATION.md").read_text(encoding="utf-8")

    assert page == reference_page(), "run: python -m memory_proxy.config > <that page>"


def test_every_setting_is_on_the_reference_page() -> None:
    assert all(f"| `{name}` |" in reference_page() for name in TABLE)


def test_the_packaged_file_works_as_it_is(tmp_path: Path) -> None:
    settings = load_settings({}, environ={}, cwd=tmp_path)

    assert settings.config_path == packaged_config()
    assert settings.needs_demo
    assert settings.usable_models == ("demo",)


def test_the_packaged_file_uses_each_providers_key(tmp_path: Path) -> None:
    keys = dict.fromkeys(("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GEMINI_API_KEY"), "key")
    settings = load_settings({}, environ=keys, cwd=tmp_path)

    assert len(settings.usable_models) == 3
    assert settings.warnings == ()


def test_the_packaged_files_commented_settings_are_right_and_say_the_defaults(
    workplace: Workplace,
) -> None:
    """So that whoever removes a `#` gets what they had."""
    _, _, section = packaged_config().read_text(encoding="utf-8").partition("\nmemory_proxy:\n")
    text = "memory_proxy:\n" + re.sub("^  # ", "  ", section, flags=re.MULTILINE)
    workplace.write_config(text)
    settings = workplace.load()
    written = set(yaml.safe_load(text)["memory_proxy"])

    assert len(written) >= 6
    defaults = Workplace(workplace.folder / "elsewhere").load()
    for name in written:
        assert settings.sources[name] == f"config.yaml: memory_proxy.{name}"
        assert getattr(settings, name) == getattr(defaults, name)


def test_the_packaged_files_commented_supermemory_model_is_right(workplace: Workplace) -> None:
    text = packaged_config().read_text(encoding="utf-8")
    workplace.environ |= {"SUPERMEMORY_API_KEY": "sm_key", "ANTHROPIC_API_KEY": "sk-key"}
    start = text.index("  # - model_name: claude-with-supermemory")
    end = text.index("\n\n", start)
    models = "model_list:\n" + text[start:end].replace("  # ", "  ")
    workplace.write_config("", models=models)
    settings = workplace.load()

    router = MemoryRouter.from_config({"model_list": list(settings.model_list)})
    assert settings.usable_models == ("claude-with-supermemory",)
    assert router.should_use_supermemory("claude-with-supermemory")
    assert router.supermemory_headers("claude-with-supermemory") == {
        "x-supermemory-api-key": "sm_key"
    }


def test_the_example_dotenv_is_right_in_every_line(workplace: Workplace) -> None:
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    assignments = [
        line.removeprefix("# ") for line in lines if line.startswith("# ") and "=" in line
    ]
    workplace.write_dotenv("\n".join(assignments))
    settings = workplace.load()

    defaults = Workplace(workplace.folder / "elsewhere").load()
    for name in TABLE:
        if name != "config_path":
            assert getattr(settings, name) == getattr(defaults, name)
    assert settings.warnings == ()
