import os
import shlex
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from memory_proxy.processes.installation import ensure_litellm

# A busy machine is no failing test.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": False}


@pytest.fixture(scope="session")
async def litellm_command() -> str:
    """The pinned LiteLLM, installed on first use where `make run` has it too."""
    root = Path(__file__).parents[1]
    home = Path(os.environ.get("MEMORY_PROXY_HOME") or root / ".memory-proxy")
    found = await ensure_litellm(home, command=None, report=lambda _: None)
    return shlex.join(found.words)
