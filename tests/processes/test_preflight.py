import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from memory_proxy.core.errors import BuildRefused
from memory_proxy.processes.preflight import inspect_build
from tests.processes.fakes import an_environment

DISTUTILS = (
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; "
    "enabled = os.environ.get(var, 'local') == 'local'; enabled and"
    " __import__('_distutils_hack').add_shim(); \n"
)


def packages_of(litellm: Path) -> Path:
    (found,) = litellm.parent.parent.glob("lib/*/site-packages")
    return found


def test_a_sound_environment_is_accepted_with_its_version(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv", version="1.108.11")

    assert inspect_build(litellm).version == "1.108.11"


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8", "1.107.0", "1.107.0.post1", "1.107.0rc2"])
def test_trojaned_releases_are_refused_and_said_to_steal(tmp_path: Path, version: str) -> None:
    litellm = an_environment(tmp_path / "venv", version=version)

    with pytest.raises(BuildRefused, match=rf"LiteLLM {version}, a release known to steal"):
        inspect_build(litellm)


@pytest.mark.parametrize("version", ["1.83.9", "0.9", "1.5.10", "nonsense"])
def test_old_and_unreadable_versions_are_refused_with_the_cure(
    tmp_path: Path, version: str
) -> None:
    litellm = an_environment(tmp_path / "venv", version=version)

    with pytest.raises(BuildRefused, match=r"older than 1\.84\.0; .*--litellm-command"):
        inspect_build(litellm)


def test_a_version_that_the_metadata_contradict_is_refused(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv")
    (packages_of(litellm) / "litellm-1.109.1.dist-info" / "METADATA").write_text(
        "Version: 1.82.8\n"
    )

    with pytest.raises(BuildRefused, match=r"found: 1\.109\.1, 1\.82\.8"):
        inspect_build(litellm)


def test_two_versions_in_one_environment_are_refused(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv")
    (packages_of(litellm) / "litellm-1.82.8.dist-info").mkdir()

    with pytest.raises(BuildRefused, match=r"1\.109\.1, 1\.82\.8"):
        inspect_build(litellm)


def test_an_environment_without_litellm_is_refused(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv")
    (packages_of(litellm) / "litellm-1.109.1.dist-info").rename(tmp_path / "elsewhere")

    with pytest.raises(BuildRefused, match=r"no single LiteLLM \(found: none\)"):
        inspect_build(litellm)


def code_in_pth(packages: Path) -> str:
    (packages / "litellm_init.pth").write_text("import os; os.system('steal')\n")
    return "litellm_init.pth"


def code_after_paths(packages: Path) -> str:
    (packages / "a.pth").write_text("# harmless\n/somewhere\nimport\tsteal\n")
    return "a.pth"


def code_after_a_known_line(packages: Path) -> str:
    (packages / "distutils-precedence.pth").write_text(DISTUTILS + "import steal\n")
    return "distutils-precedence.pth"


def code_in_a_hidden_pth(packages: Path) -> str:
    (packages / ".pth").write_text("import steal\n")
    return ".pth"


def sitecustomize(packages: Path) -> str:
    (packages / "sitecustomize.py").write_text("import steal\n")
    return "sitecustomize.py"


def usercustomize_package(packages: Path) -> str:
    (packages / "usercustomize").mkdir()
    return "usercustomize"


def sitecustomize_in_an_added_folder(packages: Path) -> str:
    (packages / "added").mkdir()
    (packages / "added" / "sitecustomize.py").write_text("import steal\n")
    (packages / "paths.pth").write_text("added\n")
    return "added/sitecustomize.py"


def start_file(packages: Path) -> str:
    (packages / "steal.start").write_text("steal:main\n")
    return "steal.start"


@pytest.mark.parametrize(
    "plant",
    [
        code_in_pth,
        code_after_paths,
        code_after_a_known_line,
        code_in_a_hidden_pth,
        sitecustomize,
        usercustomize_package,
        sitecustomize_in_an_added_folder,
        start_file,
    ],
)
def test_code_that_runs_at_every_start_of_python_is_refused_by_name(
    tmp_path: Path, plant: Callable[[Path], str]
) -> None:
    litellm = an_environment(tmp_path / "venv")
    planted = packages_of(litellm) / plant(packages_of(litellm))

    with pytest.raises(BuildRefused) as refusal:
        inspect_build(litellm)

    assert str(refusal.value).startswith(f"{planted} runs at every start of that Python")
    assert "--litellm-command" in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("distutils-precedence.pth", DISTUTILS),
        ("distutils-precedence.pth", DISTUTILS.replace("'local')", "'stdlib')")),
        ("_virtualenv.pth", "import _virtualenv"),
        ("editable.pth", "/home/ann/important-project/src\n"),
    ],
)
def test_startup_files_of_known_tools_are_no_reason_to_refuse(
    tmp_path: Path, name: str, content: str
) -> None:
    litellm = an_environment(tmp_path / "venv")
    (packages_of(litellm) / name).write_text(content)

    assert inspect_build(litellm).version == "1.109.1"


def test_nothing_of_the_environment_is_run(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv")
    (tmp_path / "venv" / "bin" / "python").unlink()
    trap = tmp_path / "venv" / "bin" / "python"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/was-run\n")
    trap.chmod(0o755)

    inspect_build(litellm)

    assert not (tmp_path / "was-run").exists()


def test_a_link_to_the_script_leads_to_its_environment(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "pipx" / "venv", version="1.82.8")
    (tmp_path / "litellm").symlink_to(litellm)

    with pytest.raises(BuildRefused, match=r"1\.82\.8"):
        inspect_build(tmp_path / "litellm")


def test_a_script_with_a_long_path_is_understood(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "with space", version="1.107.0")
    python = tmp_path / "with space" / "bin" / "python"
    litellm.write_text(f"#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\nimport sys\n")

    with pytest.raises(BuildRefused, match=r"1\.107\.0"):
        inspect_build(litellm)


def test_env_in_the_first_line_is_followed_through_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm = an_environment(tmp_path / "venv", version="1.107.0")
    litellm.write_text("#!/usr/bin/env python\n")
    monkeypatch.setenv("PATH", str(litellm.parent), prepend=os.pathsep)

    with pytest.raises(BuildRefused, match=r"1\.107\.0"):
        inspect_build(litellm)


@pytest.mark.parametrize("content", [b"\x7fELF\x02\x01", b"#!/usr/bin/env bash\npyenv exec\n", b""])
def test_a_program_whose_environment_cannot_be_seen_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    litellm = tmp_path / "litellm"
    litellm.write_bytes(content)

    with pytest.raises(BuildRefused, match=r"its LiteLLM is unknown; .*--litellm-command"):
        inspect_build(litellm)


def test_a_python_outside_any_virtual_environment_is_searched_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    prefix = tmp_path / "usr"
    litellm = an_environment(prefix)
    (prefix / "pyvenv.cfg").unlink()
    (prefix / "bin" / "python").unlink()
    (prefix / "bin" / "python").write_text("")
    assert inspect_build(litellm).version == "1.109.1"

    user = tmp_path / ".local" / "lib" / "python3.11" / "site-packages"
    user.mkdir(parents=True)
    (user / "steal.pth").write_text("import steal\n")

    with pytest.raises(BuildRefused, match=r"\.local/lib/python3\.11/site-packages/steal\.pth"):
        inspect_build(litellm)


def test_what_an_environment_shares_with_the_system_is_searched_too(tmp_path: Path) -> None:
    litellm = an_environment(tmp_path / "venv")
    (packages_of(litellm) / "litellm-1.109.1.dist-info").rename(tmp_path / "elsewhere")
    system = an_environment(tmp_path / "usr", version="1.107.0")
    (tmp_path / "usr" / "pyvenv.cfg").unlink()
    python = system.with_name("python")
    python.unlink()
    python.write_text("")
    litellm.with_name("python").unlink()
    litellm.with_name("python").symlink_to(python)
    (tmp_path / "venv" / "pyvenv.cfg").write_text("include-system-site-packages = true\n")

    with pytest.raises(BuildRefused, match=r"1\.107\.0"):
        inspect_build(litellm)


def test_our_own_process_never_imports_litellm() -> None:
    import memory_proxy.start_proxies  # noqa: F401

    assert not [name for name in sys.modules if name.partition(".")[0] == "litellm"]
