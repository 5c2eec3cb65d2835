"""Both processes as a user starts them, with a small program in LiteLLM's place."""

import asyncio
import json
import re
import shlex
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import psutil
import pytest

from memory_proxy.processes.ports import free_port
from memory_proxy.processes.supervisor import Supervisor
from memory_proxy.upstream import Gate
from tests.processes.fakes import (
    DEADLINE_S,
    a_program,
    an_environment,
    eventually,
    the_program,
)

CONFIG = """
model_list:
  - model_name: demo
    litellm_params: {model: openai/demo, api_base: os.environ/MEMORY_PROXY_DEMO_URL}
"""
START = "import sys; from memory_proxy.start_proxies import main; sys.exit(main(sys.argv[1:]))"


@dataclass
class Started:
    """A running `start-proxies`."""

    folder: Path
    port: int
    litellm_port: int
    process: asyncio.subprocess.Process

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def output(self) -> str:
        return (self.folder / "stdout").read_text()

    @property
    def errors(self) -> str:
        return (self.folder / "stderr").read_text()

    @property
    def key(self) -> str:
        return (self.folder / "home" / "master.key").read_text().strip()

    def family(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def litellm(self) -> psutil.Process:
        return the_program("bin/litellm", below=self.process.pid)

    async def is_up(self) -> None:
        await eventually(
            lambda: "Ctrl-C ends it" in self.output or self.process.returncode is not None
        )
        assert self.process.returncode is None, self.errors

    async def ended(self) -> int:
        return await asyncio.wait_for(self.process.wait(), DEADLINE_S)

    async def assert_nothing_is_left(self, family: list[psutil.Process]) -> None:
        await eventually(lambda: not any(process.is_running() for process in family))
        for port in (self.port, self.litellm_port):
            with socket.create_server(("127.0.0.1", port)):
                pass


@asynccontextmanager
async def started(folder: Path, behaviour: str = "", **more: str) -> AsyncGenerator[Started]:
    litellm = an_environment(folder / "venv")
    (folder / "config.yaml").write_text(CONFIG)
    command = [str(litellm), "--seen", str(folder / "seen"), "--release", str(folder / "release")]
    environment = {
        "PATH": "/usr/bin:/bin",
        "MEMORY_PROXY_HOME": str(folder / "home"),
        "MEMORY_PROXY_LITELLM_COMMAND": shlex.join([*command, "--behaviour", behaviour]),
        "GITHUB_TOKEN": "not for LiteLLM",
        **more,
    }
    port, litellm_port = free_port(), free_port()
    arguments = ["--litellm-port", str(litellm_port), "--memoryproxy-port", str(port)]
    with (folder / "stdout").open("w") as stdout, (folder / "stderr").open("w") as stderr:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", START, *arguments, "--config", str(folder / "config.yaml")),
            env=environment,
            cwd=folder,
            stdout=stdout,
            stderr=stderr,
        )
    try:
        yield Started(folder, port, litellm_port, process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_what_is_printed_can_be_pasted(tmp_path: Path) -> None:
    async with started(tmp_path) as proxies:
        await proxies.is_up()

        assert re.search(rf"^memory proxy +{proxies.url}$", proxies.output, re.MULTILINE)
        assert re.search(rf"^key +{proxies.key}$", proxies.output, re.MULTILINE)
        first, second = [line for line in proxies.output.splitlines() if line.startswith("curl ")]
        assert '"My favourite colour is teal"' in first
        assert '"What is my favourite colour?"' in second
        for line in (first, second):
            pasted = await asyncio.create_subprocess_shell(line, stdout=subprocess.PIPE)
            answer, _ = await asyncio.wait_for(pasted.communicate(), DEADLINE_S)
            assert b'"content": "ok"' in answer
        proxies.process.terminate()
        assert await proxies.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_everything_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    async with started(tmp_path) as proxies:
        await proxies.is_up()
        family = proxies.family()

        proxies.process.send_signal(number)

        assert await proxies.ended() == 0
        assert len(family) == 4  # LiteLLM and the demo provider, each with its keeper
        await proxies.assert_nothing_is_left(family)
        assert proxies.errors.endswith("stopped\n")


async def test_running_streams_finish_before_the_end_and_new_requests_find_nobody(
    tmp_path: Path,
) -> None:
    async with started(tmp_path) as proxies, aiohttp.ClientSession() as client:
        await proxies.is_up()
        streams = [await a_stream(client, proxies) for _ in range(20)]

        proxies.process.terminate()
        await eventually(lambda: "stopping" in proxies.errors)
        await eventually(lambda: refuses(proxies.port))
        (tmp_path / "release").touch()

        for stream in streams:
            assert (await stream.content.read()).endswith(b"data: [DONE]\n\n")
        assert await proxies.ended() == 0


async def test_streams_that_never_finish_are_cut_at_the_limit(tmp_path: Path) -> None:
    async with (
        started(tmp_path, MEMORY_PROXY_STOP_TIMEOUT_S="1") as proxies,
        aiohttp.ClientSession() as client,
    ):
        await proxies.is_up()
        await a_stream(client, proxies)
        family = proxies.family()

        proxies.process.terminate()

        assert await proxies.ended() == 0
        await proxies.assert_nothing_is_left(family)


async def test_a_second_signal_cuts_them_at_once(tmp_path: Path) -> None:
    async with started(tmp_path) as proxies, aiohttp.ClientSession() as client:
        await proxies.is_up()
        await a_stream(client, proxies)
        family = proxies.family()

        proxies.process.send_signal(signal.SIGINT)
        await eventually(lambda: "stopping" in proxies.errors)
        proxies.process.send_signal(signal.SIGINT)

        assert await proxies.ended() == 130
        await proxies.assert_nothing_is_left(family)


async def test_a_signal_during_the_start_leaves_nothing(tmp_path: Path) -> None:
    async with started(tmp_path, "mute") as proxies:
        await eventually(lambda: "litellm | hello" in proxies.errors)
        family = proxies.family()

        proxies.process.terminate()

        assert await proxies.ended() == 0
        await proxies.assert_nothing_is_left(family)


async def test_sigkill_leaves_no_orphan(tmp_path: Path) -> None:
    async with started(tmp_path, "family") as proxies:
        await proxies.is_up()
        family = proxies.family()

        proxies.process.kill()

        await proxies.ended()
        await proxies.assert_nothing_is_left(family)


async def test_a_crash_of_litellm_is_survived_by_requests_that_can_wait(tmp_path: Path) -> None:
    async with started(tmp_path) as proxies, aiohttp.ClientSession() as client:
        await proxies.is_up()
        proxies.litellm().kill()
        await eventually(lambda: "starting it again" in proxies.errors)

        async with client.post(
            f"{proxies.url}/v1/chat/completions", json=a_chat(), headers=authorized(proxies)
        ) as answer:
            assert answer.status == 200


async def test_no_secret_is_in_any_arguments_and_litellm_gets_no_other_variable(
    tmp_path: Path,
) -> None:
    async with started(tmp_path, OPENAI_API_KEY="sk-of-openai") as proxies:
        await proxies.is_up()

        arguments = " ".join(word for process in proxies.family() for word in process.cmdline())
        variables = proxies.litellm().environ()

    assert proxies.key not in arguments
    assert "sk-of-openai" not in arguments
    assert variables["OPENAI_API_KEY"] == "sk-of-openai"
    assert variables["LITELLM_MASTER_KEY"] == proxies.key
    assert sorted(set(variables) - {"LC_CTYPE"}) == [
        "LITELLM_LOCAL_MODEL_COST_MAP",
        "LITELLM_LOG",
        "LITELLM_MASTER_KEY",
        "LITELLM_MODE",
        "LITELLM_SUPPRESS_STARTUP_OUTPUT",
        "MEMORY_PROXY_DEMO_URL",
        "OPENAI_API_KEY",
        "PATH",
    ]


@pytest.mark.parametrize("which", ["port", "litellm_port"])
async def test_a_busy_port_ends_the_start_naming_its_owner(tmp_path: Path, which: str) -> None:
    me = psutil.Process()
    async with started(tmp_path) as proxies:
        port: int = getattr(proxies, which)
        with socket.create_server(("127.0.0.1", port)) as squatter:
            assert await proxies.ended() == 3
            squatter.setblocking(False)
            with pytest.raises(BlockingIOError):
                squatter.accept()  # nobody ever came

    assert f"port {port} is in use by {me.name()} (pid {me.pid})" in proxies.errors
    assert not (tmp_path / "seen").exists()


@pytest.mark.parametrize(
    ("spoil", "exit_code", "message"),
    [
        (lambda folder: (folder / "config.yaml").write_text("a: ["), 2, "config.yaml"),
        (lambda folder: (folder / "venv" / "bin" / "litellm").unlink(), 3, "--litellm-command"),
    ],
)
async def test_a_start_that_cannot_succeed_says_why_and_leaves_nothing(
    tmp_path: Path, spoil: Callable[[Path], object], exit_code: int, message: str
) -> None:
    async with started(tmp_path) as proxies:
        spoil(tmp_path)

        assert await proxies.ended() == exit_code

    assert message in proxies.errors
    assert "Traceback" not in proxies.errors


async def test_a_litellm_that_cannot_start_ends_the_demo_provider_too(tmp_path: Path) -> None:
    async with started(tmp_path, "dies") as proxies:
        assert await proxies.ended() == 3

    assert "demo: ready" in proxies.errors
    assert "litellm did not start: it ended with status 1" in proxies.errors
    assert "cannot start: no such model" in proxies.errors
    assert "Traceback" not in proxies.errors
    await proxies.assert_nothing_is_left([])


async def test_with_json_logs_every_line_is_json(tmp_path: Path) -> None:
    async with started(tmp_path, JSON_LOGS="true", LOG_LEVEL="warning") as proxies:
        await proxies.is_up()
        proxies.process.terminate()
        await proxies.ended()

    lines = [json.loads(line) for line in proxies.errors.splitlines()]
    assert "litellm | hello from the program" in [line.get("line") for line in lines]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the test's certificate needs openssl")
async def test_clients_are_served_over_tls(tmp_path: Path) -> None:
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", key, "-out", certificate),
        ],
        check=True,
        capture_output=True,
    )
    trust = ssl.create_default_context(cafile=certificate)
    tls = {"MEMORY_PROXY_TLS_CERT": str(certificate), "MEMORY_PROXY_TLS_KEY": str(key)}
    async with started(tmp_path, **tls) as proxies, aiohttp.ClientSession() as client:
        await proxies.is_up()
        url = f"https://127.0.0.1:{proxies.port}"

        assert url in proxies.output
        async with client.get(f"{url}/health/live", ssl=trust) as answer:
            assert answer.status == 200


async def test_the_proxy_alone_stands_in_front_of_a_litellm_that_runs_already(
    tmp_path: Path, port: int, said: list[str]
) -> None:
    own_port = free_port()
    serve = (
        "import sys; from memory_proxy.cli import main;"
        f"sys.exit(main(['serve', '--port', '{own_port}', '--litellm-url', sys.argv[1]]))"
    )
    environment = {"MEMORY_PROXY_HOME": str(tmp_path / "home"), "LITELLM_MASTER_KEY": "sk-theirs"}
    async with Supervisor(a_program(tmp_path, port), gate=Gate(), report=said.append):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", serve, f"http://127.0.0.1:{port}"),
            env=environment,
            cwd=tmp_path,
            stdout=subprocess.PIPE,
        )
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readuntil(f":{own_port}\n".encode()), DEADLINE_S)
        async with (
            aiohttp.ClientSession() as client,
            client.post(
                f"http://127.0.0.1:{own_port}/v1/chat/completions",
                json=a_chat(),
                headers={"authorization": "Bearer sk-theirs"},
            ) as answer,
        ):
            assert answer.status == 200
        process.terminate()
        await process.communicate()

    assert process.returncode == 0


async def a_stream(client: aiohttp.ClientSession, proxies: Started) -> aiohttp.ClientResponse:
    """A streamed chat whose first event has come."""
    answer = await client.post(
        f"{proxies.url}/v1/chat/completions",
        json={**a_chat("wait for the end"), "stream": True},
        headers=authorized(proxies),
    )
    assert b"first" in await answer.content.readline()
    return answer


def a_chat(text: str = "hello") -> dict[str, object]:
    return {"model": "demo", "messages": [{"role": "user", "content": text}]}


def authorized(proxies: Started) -> dict[str, str]:
    return {"authorization": f"Bearer {proxies.key}"}


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return True
    return False
