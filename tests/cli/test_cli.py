"""`memory-proxy`: arguments, output and exit codes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from memory_proxy import __version__
from memory_proxy.cli import main
from memory_proxy.config.table import TABLE

MODEL = "model_list: [{model_name: local, litellm_params: {model: ollama/llama3}}]\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, and an environment that says nothing."""
    monkeypatch.chdir(tmp_path)
    for setting in TABLE.values():
        for variable in setting.variables:
            monkeypatch.delenv(variable, raising=False)
    return tmp_path


def run(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "memory_proxy", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_module_is_the_command(folder: Path) -> None:
    done = run("--version", folder=folder)

    assert (done.returncode, done.stdout) == (0, f"memory-proxy {__version__}\n")


def test_the_exit_code_reaches_the_shell(folder: Path) -> None:
    done = run("up", "--port", "none", folder=folder)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "memory-proxy: --port: 'none' must be a valid integer, unable to parse string as an"
        " integer\n"
    )


@pytest.mark.parametrize("command", [[], ["up"], ["serve"], ["check"]])
def test_help_is_there_for_every_command(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])

    assert ended.value.code == 0
    assert f"usage: {' '.join(['memory-proxy', *command])}" in capsys.readouterr().out


def test_help_teaches_by_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out

    assert "memory-proxy up --demo" in text
    assert "exit codes:\n  0  " in text
    for word in ("up", "serve", "check", "OPENAI_API_KEY", ".env", "8764"):
        assert word in text


def test_no_secret_has_an_option() -> None:
    secrets = [setting for setting in TABLE.values() if setting.is_secret]

    assert secrets
    assert not any(setting.flag for setting in secrets)


@pytest.mark.parametrize(
    ("command", "option"),
    [("up", "--litellm-url"), ("serve", "--demo"), ("serve", "--litellm-port"), ("up", "--por")],
)
def test_an_option_that_means_nothing_to_a_command_is_refused(
    command: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, option, "1"])

    assert ended.value.code == 2
    assert "unrecognized arguments" in capsys.readouterr().err


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([])

    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err


def test_serve_says_when_litellms_key_is_missing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--litellm-url", "http://127.0.0.1:4000"]) == 2
    assert capsys.readouterr().err == (
        "memory-proxy: no key for the LiteLLM at http://127.0.0.1:4000: set LITELLM_MASTER_KEY to"
        " its master key\n"
    )


def test_up_refuses_a_wrong_file_before_it_starts_anything(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yaml").write_text(MODEL + "memory_proxy: {prot: 1, prt: 2}\n")

    assert main(["up", "--home", "home"]) == 2
    assert capsys.readouterr().err.startswith("memory-proxy: 2 problems:\n  - ")
    assert not (folder / "home").exists()


def test_check_shows_the_settings_and_ends_well(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "config.yaml").write_text(MODEL)

    assert main(["check", "--port", "9000"]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["port", "9000", "command", "line"] in rows
    assert not list(folder.glob("*.db"))


def test_check_names_the_problems_and_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--config", "absent.yaml"]) == 2
    assert f"Problems\n  - {folder}/absent.yaml: no such file" in capsys.readouterr().out


def test_check_speaks_json(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "config.yaml").write_text(MODEL)
    (folder / ".env").write_text("LITELLM_MASTER_KEY=sk-a-long-hidden-master-key\n")

    assert main(["check", "--json", "--no-demo"]) == 0
    text = capsys.readouterr().out
    values = {entry["name"]: entry for entry in json.loads(text)["settings"]}
    assert values["demo"] == {"name": "demo", "value": False, "source": "command line"}
    assert values["master_key"]["source"] == ".env LITELLM_MASTER_KEY"
    assert "hidden" not in text


def test_check_speaks_json_about_problems_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "--json", "--config", "absent.yaml"]) == 2
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is False
    assert len(report["problems"]) == 1


def test_check_accepts_a_litellm_that_already_runs(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LITELLM_MASTER_KEY", "sk-theirs")

    assert main(["check", "--litellm-url", "http://127.0.0.1:4000"]) == 0
    assert "those of the LiteLLM at http://127.0.0.1:4000" in capsys.readouterr().out
