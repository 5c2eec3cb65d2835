import shutil
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.docs.pages import ROOT
from tests.docs.reader import Ports, Reader
from tests.live.launched import Launched, launched


@pytest.fixture(scope="package")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like this one after `make run`, whose `.memory-proxy` is its own."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / ".memory-proxy").mkdir(mode=0o700)
    (folder / ".venv").symlink_to(sys.prefix)
    (folder / "examples").symlink_to(ROOT / "examples")
    (folder / "tests").mkdir()
    (folder / "tests" / "data").symlink_to(ROOT / "tests" / "data")
    shutil.copy(ROOT / "config.yaml", folder)
    shutil.copytree(ROOT / "docs", folder / "docs")
    if (ROOT / "node_modules").exists():
        (folder / "node_modules").symlink_to(ROOT / "node_modules")
    return folder


@pytest.fixture(scope="package")
async def stack(checkout: Path, litellm_command: str) -> AsyncGenerator[Launched]:
    """`memory-proxy up --demo` with the key that it makes itself, as a reader has it."""
    arguments = ["--demo", "--config", str(ROOT / "config.yaml")]
    own_key = {"LITELLM_MASTER_KEY": ""}
    async with launched(
        checkout / ".memory-proxy", litellm_command, arguments, environment=own_key
    ) as running:
        yield running


@pytest.fixture(scope="package")
async def reader(checkout: Path, stack: Launched) -> Reader:
    async with aiohttp.ClientSession() as client, client.get(f"{stack.url}/health") as reply:
        litellm = (await reply.json())["litellm_base_url"]
    return Reader(checkout, Ports(_port(stack.url), _port(litellm)))


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])
