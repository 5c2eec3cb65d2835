from collections.abc import Generator

import psutil
import pytest

from memory_proxy.processes.ports import free_port


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture(autouse=True)
def nothing_is_left_running() -> Generator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    assert set(psutil.Process().children(recursive=True)) - before == set()
