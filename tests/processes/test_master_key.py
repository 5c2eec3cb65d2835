from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.processes.master_key import master_key


def test_a_configured_key_is_used_and_nothing_written(tmp_path: Path) -> None:
    assert master_key("sk-mine", home=tmp_path / "home") == "sk-mine"
    assert not (tmp_path / "home").exists()


def test_a_random_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"

    key = master_key("", home=home)

    assert key.startswith("sk-")
    assert len(key) == 35
    assert master_key("", home=home) == key
    assert (home / "master.key").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in home.iterdir()] == ["master.key"]
    assert master_key("", home=tmp_path / "other") != key


def test_many_first_starts_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as starters:
        keys = list(starters.map(lambda _: master_key("", home=tmp_path), range(64)))

    assert len(set(keys)) == 1


def test_a_kept_key_that_others_could_read_is_closed_to_them(tmp_path: Path) -> None:
    kept = tmp_path / "master.key"
    kept.write_text("sk-kept\n")
    kept.chmod(0o644)

    assert master_key("", home=tmp_path) == "sk-kept"
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("content", "flaw"), [("", "empty"), (" \n", "empty"), ("sk-1234", "key")])
def test_a_kept_key_that_anybody_could_guess_is_refused(
    tmp_path: Path, content: str, flaw: str
) -> None:
    (tmp_path / "master.key").write_text(content)

    with pytest.raises(ConfigurationError, match=rf"master\.key is .*{flaw}.*; remove it"):
        master_key("", home=tmp_path)


def test_the_key_of_litellms_examples_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the configured master key is the key of LiteLLM"):
        master_key("sk-1234", home=tmp_path)
