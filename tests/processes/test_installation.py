import asyncio
import fcntl
import hashlib
import os
from pathlib import Path

import pytest

from memory_proxy.core.errors import BinaryNotFound, BuildRefused
from memory_proxy.processes.installation import LOCK, ensure_litellm
from tests.processes.fakes import an_environment, eventually


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty-cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")


def our_environment(home: Path) -> Path:
    return home / f"litellm-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"


async def test_a_given_command_is_used_with_its_arguments(tmp_path: Path, said: list[str]) -> None:
    litellm = an_environment(tmp_path / "venv", version="1.100.0")

    found = await ensure_litellm(
        tmp_path / "home", command=f"{litellm} --detailed_debug", report=said.append
    )

    assert found.words == (str(litellm), "--detailed_debug")
    assert found.version == "1.100.0"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("command", ["/no/such/litellm", "no-such-litellm --x", ""])
async def test_a_given_command_that_does_not_exist_is_told(
    tmp_path: Path, said: list[str], command: str
) -> None:
    with pytest.raises(BinaryNotFound, match="correct --litellm-command"):
        await ensure_litellm(tmp_path, command=command, report=said.append)


async def test_without_a_network_the_litellm_on_path_is_used(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm = an_environment(tmp_path / "venv", version="1.100.0")
    monkeypatch.setenv("PATH", str(litellm.parent), prepend=os.pathsep)

    found = await ensure_litellm(tmp_path / "home", command=None, report=said.append)

    assert found.words == (str(litellm),)
    assert said[0].startswith("installing LiteLLM 1.")
    assert f"using {litellm} instead" in said[-1]


async def test_a_bad_litellm_on_path_is_refused_also_when_it_is_the_only_one(
    tmp_path: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    litellm = an_environment(tmp_path / "venv", version="1.82.8")
    monkeypatch.setenv("PATH", str(litellm.parent), prepend=os.pathsep)

    with pytest.raises(BuildRefused, match="known to steal"):
        await ensure_litellm(tmp_path / "home", command=None, report=said.append)


async def test_without_a_network_and_without_any_litellm_the_cure_is_told(
    tmp_path: Path, said: list[str]
) -> None:
    with pytest.raises(BinaryNotFound) as failure:
        await ensure_litellm(tmp_path / "home", command=None, report=said.append)

    assert "connect to a package index" in str(failure.value)
    assert "--litellm-command" in str(failure.value)
    assert "offline" in str(failure.value) or "network" in str(failure.value)
    assert not (our_environment(tmp_path / "home") / "complete").exists()


async def test_an_environment_that_is_complete_is_used_without_any_installing(
    tmp_path: Path, said: list[str]
) -> None:
    litellm = an_environment(our_environment(tmp_path))
    (our_environment(tmp_path) / "complete").touch()

    found = await ensure_litellm(tmp_path, command=None, report=said.append)

    assert found.words == (str(litellm),)
    assert said == []


async def test_a_half_made_environment_is_not_used_but_made_anew(
    tmp_path: Path, said: list[str]
) -> None:
    half_made = an_environment(our_environment(tmp_path))

    with pytest.raises(BinaryNotFound):  # it could not be made anew without a network
        await ensure_litellm(tmp_path, command=None, report=said.append)

    assert not half_made.exists()


async def test_an_environment_tampered_with_is_refused(tmp_path: Path, said: list[str]) -> None:
    an_environment(our_environment(tmp_path))
    (our_environment(tmp_path) / "complete").touch()
    (our_environment(tmp_path) / "lib/python3.11/site-packages/x.pth").write_text("import x\n")

    with pytest.raises(BuildRefused, match=r"x\.pth runs at every start"):
        await ensure_litellm(tmp_path, command=None, report=said.append)


async def test_a_second_start_waits_for_the_one_that_installs(
    tmp_path: Path, said: list[str]
) -> None:
    lock = our_environment(tmp_path).with_suffix(".lock")
    with lock.open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = asyncio.ensure_future(ensure_litellm(tmp_path, command=None, report=said.append))
        await eventually(lambda: said == ["another start is installing LiteLLM: waiting, 0 s"])
        litellm = an_environment(our_environment(tmp_path))
        (our_environment(tmp_path) / "complete").touch()

    assert (await second).words == (str(litellm),)
