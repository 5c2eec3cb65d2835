import asyncio
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from memory_proxy.processes.ports import free_port
from tests.processes.fakes import a_program, eventually

PARENT = """
import asyncio, sys
from memory_proxy.processes.readiness import Probe
from memory_proxy.processes.supervisor import Program, Supervisor
from memory_proxy.upstream import Gate

async def main(port, *command):
    probe = Probe("litellm", port, "/health/readiness", port_setting="--litellm-port")
    async with Supervisor(Program(command, {}, probe), gate=Gate(), report=lambda _: None):
        print("ready", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main(int(sys.argv[1]), *sys.argv[2:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can adopt orphans")
async def test_sigkill_of_the_parent_leaves_no_orphan_and_frees_the_port(tmp_path: Path) -> None:
    for start in range(0, 20, 5):
        await asyncio.gather(*(kill_one(tmp_path / str(start + each)) for each in range(5)))


async def kill_one(folder: Path) -> None:
    folder.mkdir()
    port = free_port()
    command = a_program(folder, port, "family").command
    parent = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARENT, str(port), *command), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    assert await asyncio.wait_for(parent.stdout.readline(), 60) == b"ready\n"
    family = psutil.Process(parent.pid).children(recursive=True)
    assert len(family) == 4  # keeper, program, a child of it, and one that left the session

    parent.kill()
    await parent.wait()

    await eventually(lambda: not any(process.is_running() for process in family))
    with socket.create_server(("127.0.0.1", port)):
        pass
