import os
import signal
import sys
from pathlib import Path

import psutil

from memory_proxy.processes.child import Child, start_child
from tests.processes.fakes import eventually


async def running(code: str, said: list[str], **environment: str) -> Child:
    return await start_child(
        [sys.executable, "-I", "-c", code],
        environment={"PATH": os.environ["PATH"], **environment},
        on_line=said.append,
    )


async def test_what_a_child_writes_arrives_as_harmless_lines(said: list[str]) -> None:
    code = (
        r"import sys; print('one\x1b[31m red\x1b]0;title\x07\r\ntwo\x08\x9b');"
        "sys.stderr.write('end')"
    )
    child = await running(code, said)

    await child.exited.wait()
    await child.last_lines()
    await child.end(grace_s=0)

    assert sorted(said) == ["end", "one red", r"two\x08\x9b"]


async def test_a_child_that_floods_is_never_held_up_by_us(said: list[str]) -> None:
    child = await running("import os\nfor _ in range(3000): os.write(1, b'x' * 10_000)", said)

    await child.exited.wait()
    lines = await child.last_lines()
    await child.end(grace_s=0)

    assert child.status == 0
    assert sum(map(len, said)) == 30_000_000
    assert max(map(len, said)) <= 8_192
    assert len(lines) < 300_000


async def test_a_program_that_does_not_exist_ends_at_once_and_says_so(said: list[str]) -> None:
    child = await start_child(["/no/such/program"], environment={}, on_line=said.append)

    await child.exited.wait()

    assert "cannot run /no/such/program: No such file or directory" in await child.last_lines()
    assert child.ending == "it ended with status 127"
    await child.end(grace_s=0)


async def test_a_child_gets_the_given_environment_and_no_input(said: list[str]) -> None:
    code = "import os, sys; print(sorted(os.environ)); print(repr(sys.stdin.read()))"
    child = await running(code, said, TOKEN="1")

    await child.exited.wait()
    await child.last_lines()
    await child.end(grace_s=0)

    assert "TOKEN" in said[0]
    assert "HOME" not in said[0]
    assert said[1] == "''"


async def test_a_child_is_asked_to_end_before_it_is_killed(said: list[str]) -> None:
    code = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit('drained'))\n"
        "print('up', flush=True)\n"
        "time.sleep(1000)"
    )
    child = await running(code, said)
    await eventually(lambda: said == ["up"])

    await child.end(grace_s=20)

    assert child.status == 1
    assert said == ["up", "drained"]


async def test_a_child_that_ignores_the_request_is_killed(said: list[str]) -> None:
    code = (
        "import signal, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('up', flush=True)\n"
        "time.sleep(1000)"
    )
    child = await running(code, said)
    await eventually(lambda: said == ["up"])

    await child.end(grace_s=0.2)

    assert child.ending == "it was ended by SIGKILL"


FAMILY = (
    "import subprocess, sys, time\n"
    "sleep = [sys.executable, '-c', 'import time; time.sleep(1000)']\n"
    "ours = [subprocess.Popen(sleep), subprocess.Popen(sleep, start_new_session=True)]\n"
    "print('up', flush=True)\n"
)


async def test_descendants_end_with_the_child_even_those_that_left_its_session(
    said: list[str],
) -> None:
    child = await running(FAMILY + "time.sleep(1000)", said)
    await eventually(lambda: said == ["up"])
    family = child.processes()

    await child.end(grace_s=0)

    assert len(family) == 3
    assert not any(process.is_running() for process in family)


async def test_descendants_end_when_the_child_ends_by_itself(said: list[str]) -> None:
    child = await running(FAMILY + "input() if False else sys.exit(7)", said)

    await child.exited.wait()

    assert child.status == 7
    assert child.processes() == []
    await child.end(grace_s=0)


async def test_killing_the_keeper_kills_what_it_keeps(said: list[str]) -> None:
    child = await running(FAMILY.replace(", start_new_session=True", "") + "time.sleep(1000)", said)
    await eventually(lambda: said == ["up"])
    family = child.processes()
    keeper = psutil.Process(family[0].ppid())

    keeper.send_signal(signal.SIGKILL)

    await child.exited.wait()
    await eventually(lambda: not any(process.is_running() for process in family))
    await child.end(grace_s=0)


async def test_no_signal_meant_for_us_reaches_the_child(said: list[str], tmp_path: Path) -> None:
    child = await running("print('up', flush=True); import time; time.sleep(1000)", said)
    await eventually(lambda: said == ["up"])
    (program,) = child.processes()

    keeper = psutil.Process(program.ppid())
    keeper.send_signal(signal.SIGTERM)
    keeper.send_signal(signal.SIGINT)

    assert os.getsid(program.pid) != os.getsid(0)
    assert os.getpgid(program.pid) != os.getpgid(0)
    assert keeper.is_running()
    assert program.is_running()
    await child.end(grace_s=0)
