from pathlib import Path

import pytest

from memory_proxy.core.errors import ConfigurationError
from memory_proxy.stores.opening import open_store
from tests.stores.exchanges import exchange


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:///memory.db", "memory.db"),
        ("sqlite:///some/where/memory.db", "some/where/memory.db"),
        ("sqlite:///with%20space%3F.db", "with space?.db"),
        ("sqlite:///{cwd}/absolute.db", "absolute.db"),
    ],
)
async def test_a_sqlite_url_names_a_file(
    url: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with open_store(url.format(cwd=tmp_path)) as store:
        await store.append(exchange("e"))

    assert (tmp_path / expected).is_file()


async def test_a_memory_url_forgets_when_it_is_left() -> None:
    async with open_store("memory://") as store:
        await store.append(exchange("e"))
        assert await store.session_count() == 1
    async with open_store("memory://") as store:
        assert await store.session_count() == 0


@pytest.mark.parametrize(
    ("url", "scheme"), [("mysql://root:secret@host/db", "mysql"), ("memory.db", ""), ("", "")]
)
def test_another_scheme_is_refused_with_what_there_is(url: str, scheme: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        open_store(url)

    assert str(refusal.value) == f"no store for scheme '{scheme}'; have: memory, sqlite"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite://a.db", "sqlite:///a.db?x=1"])
def test_a_sqlite_url_without_a_plain_path_is_refused_with_the_right_form(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"sqlite:///relative\.db"):
        open_store(url)
