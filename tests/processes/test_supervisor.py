import asyncio
import http.server
import re
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import psutil
import pytest

from memory_proxy.core.errors import ExitedEarly, PortInUse, StartTimeout
from memory_proxy.processes.supervisor import Limits, Program, Supervisor, backoff_s
from memory_proxy.upstream import Gate
from tests.processes.fakes import a_program, eventually, the_program

QUICK = Limits(start_s=60, stop_s=30, probe_every_s=0.1, silent_s=60, longest_backoff_s=0.5)


def supervised(
    program: Program, said: list[str], *, gate: Gate | None = None, limits: Limits = QUICK
) -> Supervisor:
    return Supervisor(program, gate=gate or Gate(), report=said.append, limits=limits)


async def test_the_gate_is_open_exactly_while_the_program_answers(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()

    async with supervised(a_program(tmp_path, port), said, gate=gate):
        assert gate.is_open
        async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{port}") as ok:
            assert ok.status == 200

    assert not gate.is_open
    assert "litellm | hello from the program" in said
    assert re.fullmatch(r"litellm: ready after \d+\.\d s", said[1])


async def test_leaving_frees_the_port_and_leaves_no_process(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    async with supervised(a_program(tmp_path, port, "family"), said):
        family = psutil.Process().children(recursive=True)

    assert len(family) == 4
    assert not any(process.is_running() for process in family)
    with socket.create_server(("127.0.0.1", port)):
        pass


async def test_a_crash_is_noticed_at_once_and_the_program_started_again(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()
    slow = replace(QUICK, probe_every_s=1000)  # so that only the crash itself can be noticed
    async with supervised(a_program(tmp_path, port), said, gate=gate, limits=slow):
        crashed = the_program()
        crashed.kill()
        await eventually(lambda: not gate.is_open)
        await eventually(lambda: gate.is_open)

        assert the_program() != crashed
        assert "litellm: it was ended by SIGKILL; starting it again" in said


async def test_a_crash_leaves_none_of_its_workers_on_the_port(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()
    async with supervised(a_program(tmp_path, port, "family"), said, gate=gate):
        workers = the_program().children(recursive=True)
        the_program().kill()
        await eventually(lambda: not gate.is_open)
        await eventually(lambda: gate.is_open)

        assert not any(worker.is_running() for worker in workers)


async def test_a_program_that_keeps_dying_is_tried_again_until_it_lives(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()
    program = a_program(tmp_path, port)
    script = Path(program.command[2])
    good = script.read_text(encoding="utf-8")
    async with supervised(program, said, gate=gate):
        script.write_text("raise SystemExit('broken build')", encoding="utf-8")
        the_program().kill()
        await eventually(lambda: sum("did not start" in line for line in said) >= 3)
        assert not gate.is_open
        script.write_text(good, encoding="utf-8")
        await eventually(lambda: gate.is_open)

    failure = next(line for line in said if "did not start" in line)
    assert failure.endswith("it ended with status 1; it wrote:\n    broken build")


def test_the_wait_before_a_start_doubles_from_a_quarter_second_to_thirty_with_jitter() -> None:
    longest = [backoff_s(failures, Limits(), chance=0) for failures in range(9)]
    shortest = [backoff_s(failures, Limits(), chance=1) for failures in range(9)]

    assert longest == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert shortest == [0.25, 0.25, 0.5, 1, 2, 4, 8, 15, 15]
    assert backoff_s(10**9, Limits(), chance=0) == 30


async def test_a_program_that_is_alive_but_stopped_is_replaced(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()
    limits = replace(QUICK, silent_s=0.8)
    async with supervised(a_program(tmp_path, port), said, gate=gate, limits=limits):
        stopped = the_program()
        stopped.suspend()
        await eventually(lambda: any("no answer for" in line for line in said))
        await eventually(lambda: gate.is_open)

        assert not stopped.is_running()


async def test_a_program_that_is_only_busy_is_left_alone(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    program = a_program(tmp_path, port)
    script = Path(program.command[2])
    blocking = script.read_text(encoding="utf-8").replace(
        "        length = int", "        while '/busy' in self.path: pass\n        length = int"
    )
    single = blocking.replace("http.server.ThreadingHTTPServer", "http.server.HTTPServer")
    script.write_text(single, encoding="utf-8")
    patient = replace(QUICK, silent_s=0.8, busy_s=3)
    async with supervised(program, said, limits=patient), aiohttp.ClientSession() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get(f"http://127.0.0.1:{port}/busy")

    reason = next(line for line in said if "no answer for" in line)
    assert int(reason.split()[4]) >= 3


async def test_a_flood_of_output_holds_nobody_up(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    lines = 0

    def count(_: str) -> None:
        nonlocal lines
        lines += 1

    gate = Gate()
    program = a_program(tmp_path, port, "flood")
    async with Supervisor(program, gate=gate, report=count, limits=QUICK):
        async with aiohttp.ClientSession() as client:
            for _ in range(5):
                async with client.get(f"http://127.0.0.1:{port}/x") as answer:
                    assert answer.status == 200

        assert gate.is_open
    assert lines > 10


async def test_a_program_that_ends_while_starting_is_told_with_its_last_words(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    with pytest.raises(ExitedEarly) as failure:
        async with supervised(a_program(tmp_path, port, "dies"), said):
            pass

    assert str(failure.value) == (
        "litellm did not start: it ended with status 1; it wrote:"
        "\n    hello from the program\n    cannot start: no such model"
    )


async def test_a_program_that_never_gets_ready_is_given_up(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    with pytest.raises(StartTimeout, match=r"not ready after 0\.5 s; it wrote:\n    hello"):
        async with supervised(
            a_program(tmp_path, port, "mute"), said, limits=replace(QUICK, start_s=0.5)
        ):
            pass


async def test_a_stubborn_program_is_killed_after_the_limit(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    async with supervised(
        a_program(tmp_path, port, "stubborn"), said, limits=replace(QUICK, stop_s=0.2)
    ):
        stubborn = the_program()

    assert not stubborn.is_running()


async def test_a_busy_port_is_told_with_its_owner_before_anything_starts(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    with socket.create_server(("127.0.0.1", port)), pytest.raises(PortInUse) as failure:
        async with supervised(a_program(tmp_path, port), said):
            pass

    me = psutil.Process()
    assert f"port {port} is in use by {me.name()} (pid {me.pid})" in str(failure.value)
    assert "--litellm-port" in str(failure.value)
    assert said == []


async def test_a_squatter_that_takes_the_port_meanwhile_never_hears_the_key(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    async def with_the_key(session: aiohttp.ClientSession) -> None:
        await session.post(f"http://127.0.0.1:{port}/v1", headers={"authorization": "sk-secret"})

    gate = Gate()
    program = a_program(tmp_path, port, "mute")  # never binds, so the squatter can
    limits = replace(QUICK, start_s=1000)
    supervisor = Supervisor(
        program, gate=gate, report=said.append, warm_up=with_the_key, limits=limits
    )
    starting = asyncio.ensure_future(supervisor.__aenter__())
    await eventually(lambda: "litellm | hello from the program" in said)
    with squatter(port) as heard, pytest.raises(PortInUse, match=rf"port {port} is in use by"):
        await starting

    assert heard
    assert "authorization" not in "".join(heard).lower()
    assert not gate.is_open


@contextmanager
def squatter(port: int) -> Generator[list[str]]:
    """Answers everything with 200, and what it heard."""
    heard: list[str] = []

    class Answers(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.requestline}\n{self.headers}")
            self.send_response(200)
            self.end_headers()

        do_POST = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", port), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield heard
        finally:
            server.shutdown()
            thread.join()


async def test_the_first_request_comes_before_the_gate_opens_and_may_fail(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    gate = Gate()
    states: list[bool] = []

    async def first_request(_: aiohttp.ClientSession) -> None:
        states.append(gate.is_open)
        raise aiohttp.ClientError("no such route")

    async with Supervisor(
        a_program(tmp_path, port), gate=gate, report=said.append, warm_up=first_request
    ):
        assert gate.is_open

    assert states == [False]
    assert "litellm: its first request failed (ClientError no such route)" in said


async def test_an_error_of_the_caller_ends_the_program_and_comes_out_unchanged(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    with pytest.raises(ZeroDivisionError):
        async with supervised(a_program(tmp_path, port), said):
            raise ZeroDivisionError


async def test_cancelling_while_it_starts_leaves_nothing(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    starting = asyncio.ensure_future(
        supervised(a_program(tmp_path, port, "mute"), said).__aenter__()
    )
    await eventually(lambda: "litellm | hello from the program" in said)

    starting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await starting
    assert psutil.Process().children(recursive=True) == []


async def test_cancelling_while_it_runs_lets_the_program_end_by_itself(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    ready = asyncio.Event()

    async def use() -> None:
        async with supervised(a_program(tmp_path, port), said):
            ready.set()
            await asyncio.sleep(1000)

    using = asyncio.ensure_future(use())
    await ready.wait()
    using.cancel()

    with pytest.raises(asyncio.CancelledError):
        await using
