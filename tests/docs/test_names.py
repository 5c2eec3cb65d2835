"""What the pages name in code font exists: files, commands, options, settings, headers, classes."""

import re
from functools import cache
from pathlib import Path

import pytest

from memory_proxy.config.table import TABLE
from memory_proxy.wire import WIRE_FORMATS
from tests.docs.pages import ALL, ROOT, WITH_BLOCKS, all_blocks, inline_code, name_of

each_page = pytest.mark.parametrize("page", ALL, ids=name_of)

OF_OTHERS = {
    # programs that the pages tell how to set up
    "ANTHROPIC_BASE_URL", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS",
    "OPENAI_BASE_URL", "OPENAI_API_KEY",
    "ANTHROPIC_API_KEY", "GEMINI_API_KEY",
    # kept for later versions; MIGRATION_GUIDE.md says that this one does not read them
    "REDIS_URL", "DATABASE_URL", "ENABLE_RATE_LIMITING", "MAX_REQUESTS_PER_MINUTE",
}  # fmt: skip
"""Names of the environment that are no settings of ours."""

OPTIONS_OF_OTHERS = {"--quick", "--num_workers", "--require-hashes", "--collect-only"}


@each_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    for code in inline_code(page):
        if re.fullmatch(r"(src|tests|docs|benchmarks|examples|requirements)/[\w./*-]*", code):
            assert list(ROOT.glob(code.rstrip("/"))), code
        elif re.fullmatch(r"[\w/]+\.py", code):
            assert list((ROOT / "src/memory_proxy").glob(f"**/{code}")), code


@each_page
def test_every_make_target_that_is_named_is_there(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for code in inline_code(page):
        if found := re.fullmatch(r"make (\w+)", code):
            assert re.search(rf"(?m)^{found[1]}:", makefile), code


@each_page
def test_every_option_that_is_named_is_known(page: Path) -> None:
    for code in inline_code(page):
        if "--" in code and not code.startswith(("uv ", "npm ", "litellm ")):
            named = set(re.findall(r"--[a-z][\w-]*", code.replace("--[no-]", "--")))
            assert named <= options() | OPTIONS_OF_OTHERS, code


@each_page
def test_every_variable_that_is_named_is_read(page: Path) -> None:
    for code in inline_code(page):
        if found := re.fullmatch(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(=.*)?", code):
            known = found[1] in OF_OTHERS | variables()
            assert known or re.search(rf"\b{found[1]}\b", code_text()), code


IN_CODE = (r"x-(?!litellm)[a-z-]+[a-z]", r"memory_proxy_[a-z_]+", r"[A-Z]\w*[a-z][A-Z]\w*(\(\))?")
"""Headers, metrics, classes."""


@pytest.mark.parametrize("page", [*WITH_BLOCKS, ROOT / "CHANGELOG.md"], ids=name_of)
def test_every_header_metric_and_class_that_is_named_is_in_the_code(page: Path) -> None:
    for code in inline_code(page):
        for pattern in IN_CODE:
            if re.fullmatch(pattern, code):
                name = re.sub(r"\(\)$|_total$", "", code)
                assert name in code_text(), code


def test_environment_names_of_later_versions_are_really_not_read() -> None:
    for name in ("REDIS_URL", "DATABASE_URL", "ENABLE_RATE_LIMITING", "MAX_REQUESTS_PER_MINUTE"):
        assert name not in variables()


def test_the_overview_names_every_layer() -> None:
    layers = re.search(r"\nlayers = \[(.*?)\]", (ROOT / "pyproject.toml").read_text("utf-8"), re.S)
    assert layers is not None
    named = set(inline_code(ROOT / "docs/architecture/OVERVIEW.md"))

    assert set(re.findall(r"\w+", layers[1])) <= named


def test_the_wire_formats_with_memory_are_the_ones_that_the_readme_names() -> None:
    assert {wire.name for wire in WIRE_FORMATS} == {"openai_chat", "anthropic_messages"}
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "OpenAI chat completions" in readme
    assert "Anthropic messages" in readme


def test_the_documented_requests_name_models_of_the_configuration() -> None:
    configured = set(re.findall(r"model_name: (\S+)", (ROOT / "config.yaml").read_text("utf-8")))
    for block in all_blocks("bash", "python", "javascript"):
        for name in re.findall(r'"?model"?[:=] ?"([^"]+)"', block.text):
            assert name in configured or name == "no-such-model", f"{block}: {name}"


@cache
def code_text() -> str:
    files = [*(ROOT / "src").rglob("*.py"), *(ROOT / "tests").glob("*.py")]
    return "\n".join(path.read_text("utf-8") for path in files)


@cache
def variables() -> frozenset[str]:
    return frozenset(name for row in TABLE.values() for name in row.variables)


@cache
def options() -> frozenset[str]:
    """Of `memory-proxy`, each of its commands, and `start-proxies`."""
    known = {"--version", "--help", "--json", "--budget", "--messages", "--out", "--user"}
    known.update(row.flag for row in TABLE.values() if row.flag)
    known.update(row.flag.replace("--", "--no-") for row in TABLE.values() if row.is_switch)
    return frozenset({*known, "--memoryproxy-port"})
