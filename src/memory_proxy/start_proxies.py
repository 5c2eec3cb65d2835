"""Launches LiteLLM and the memory proxy, keeps them running, and ends both without a trace left.

`run_both` is `memory-proxy up`, `run_memory_proxy` is `memory-proxy serve`; the coroutines that
they run are there for programs with a loop of their own. Whoever cancels one has it drain; a second
cancellation cuts what still runs.
"""

import argparse
import logging
import socket
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from typing import Any

import aiohttp

from memory_proxy.assembly import build_app
from memory_proxy.config import Settings, load_settings
from memory_proxy.core.errors import ConfigurationError, MemoryProxyError
from memory_proxy.processes import ports
from memory_proxy.processes.environment import demo_environment, litellm_environment
from memory_proxy.processes.installation import ensure_litellm
from memory_proxy.processes.lines import line_printer
from memory_proxy.processes.master_key import master_key
from memory_proxy.processes.readiness import Probe
from memory_proxy.processes.running import run_until_stopped
from memory_proxy.processes.serving import ServerOptions, serve
from memory_proxy.processes.supervisor import Program, Supervisor
from memory_proxy.processes.warm_up import warm_up
from memory_proxy.processes.welcome import address, first_steps, url
from memory_proxy.security.guard import guarded_protocol
from memory_proxy.telemetry.logs import logging_to
from memory_proxy.upstream import Gate

Report = Callable[[str], None]

_logger = logging.getLogger(__name__)
_STDERR = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """The console script `start-proxies`: `memory-proxy up` under its other name."""
    parser = argparse.ArgumentParser(
        prog="start-proxies", description="Launch LiteLLM, and the memory proxy in front of it."
    )
    parser.add_argument("--litellm-port", metavar="PORT", help="default: 8765")
    parser.add_argument("--memoryproxy-port", metavar="PORT", dest="port", help="default: 8764")
    parser.add_argument("--config", metavar="FILE", dest="config_path", help="for both processes")
    try:
        return run_both(load_settings(vars(parser.parse_args(arguments)), launch_litellm=True))
    except ConfigurationError as error:
        return _failed(error)


def run_both(settings: Settings) -> int:
    """Run LiteLLM and the memory proxy until SIGTERM or Ctrl-C.

    Returns the exit code: 0, 2 for wrong settings, 3 for a process that could not be started, 130
    or 143 when a second signal cut it short.
    """
    return _run(settings, lambda report: start_both(settings, report=report))


def run_memory_proxy(settings: Settings) -> int:
    """Run the memory proxy alone until SIGTERM or Ctrl-C; exit codes as of `run_both`."""
    return _run(settings, lambda report: start_memory_proxy(settings, report=report))


async def start_both(settings: Settings, *, report: Report) -> None:
    """Everything that is needed, in order; nothing is left running when a part cannot start."""
    settings = _with_master_key(settings)
    gate = Gate(is_open=False)
    with ports.listen(settings.host, settings.port, setting="--port") as listening:
        async with start_litellm_proxy(settings, gate=gate, report=report):
            text = first_steps(
                _url(settings),
                key=settings.master_key,
                model=next(iter(settings.usable_models), "MODEL"),
            )
            await start_memory_proxy(
                settings, gate=gate, report=report, listening=listening, welcome=text
            )


@asynccontextmanager
async def start_litellm_proxy(
    settings: Settings, *, gate: Gate, report: Report
) -> AsyncGenerator[Supervisor]:
    """LiteLLM, ready, and with the demo provider if one is needed; ended when the context ends.

    `gate` is open while LiteLLM answers. Raises ProcessError or ConfigurationError.
    """
    settings = _with_master_key(settings)
    ports.require_free(settings.litellm_port, setting="--litellm-port")
    litellm = await ensure_litellm(settings.home, command=settings.litellm_command, report=report)
    report(f"litellm: starting version {litellm.version}")
    async with AsyncExitStack() as running:
        demo_url = None
        if settings.needs_demo:
            demo_url = await running.enter_async_context(_demo_provider(settings, report))
        yield await running.enter_async_context(
            Supervisor(
                _litellm_program(settings, litellm.words, demo_url),
                gate=gate,
                report=report,
                warm_up=_first_request(settings),
            )
        )


async def start_memory_proxy(
    settings: Settings,
    *,
    report: Report,
    gate: Gate | None = None,
    listening: socket.socket | None = None,
    welcome: str | None = None,
) -> None:
    """Serve until cancelled, on `listening` if the port is taken already by its caller.

    `welcome` is written to standard output once it answers.
    """
    settings = _with_master_key(settings)
    app = build_app(settings, gate=gate)
    identity = settings.user_id_mappings.get("custom_header")
    options = ServerOptions(
        guarded_protocol(identity_headers=[identity] if identity else []),
        drain_s=settings.stop_timeout_s,
        tls_cert=settings.tls_cert,
        tls_key=settings.tls_key,
    )
    with listening or ports.listen(settings.host, settings.port, setting="--port") as taken:
        text = welcome or address(_url(settings))
        await serve(app, taken, options, on_ready=partial(_say, text), report=report)


@asynccontextmanager
async def _demo_provider(settings: Settings, report: Report) -> AsyncGenerator[str]:
    """Its address for LiteLLM."""
    port = ports.free_port()
    program = Program(
        (sys.executable, "-P", "-m", "memory_proxy.demo", "--port", str(port)),
        demo_environment(settings.environment),
        Probe("demo", port, "/health", port_setting="port"),
    )
    async with Supervisor(program, gate=Gate(is_open=False), report=report):
        yield f"http://{ports.LOOPBACK}:{port}/v1"


def _litellm_program(settings: Settings, words: Sequence[str], demo_url: str | None) -> Program:
    port = settings.litellm_port
    command = (
        *words,
        *("--config", str(settings.config_path)),
        *("--host", ports.LOOPBACK, "--port", str(port)),
        *("--num_workers", str(settings.litellm_workers)),
    )
    environment = litellm_environment(
        settings.environment,
        config_text=settings.config_path.read_text("utf-8"),
        master_key=settings.master_key,
        demo_url=demo_url,
    )
    # /health would call every model for real; this one only says that it could.
    probe = Probe("litellm", port, "/health/readiness", port_setting="--litellm-port")
    return Program(command, environment, probe)


def _first_request(settings: Settings) -> Callable[[aiohttp.ClientSession], Awaitable[None]] | None:
    """What warms LiteLLM up: a request for the demo model, else for the first that has its key."""
    demo = [model.name for model in settings.models if model.is_demo and settings.needs_demo]
    models = (*demo, *settings.usable_models)
    if not models:
        return None
    return partial(
        warm_up,
        base_url=f"http://{ports.LOOPBACK}:{settings.litellm_port}",
        key=settings.master_key,
        model=models[0],
        is_demo=bool(demo),
    )


def _with_master_key(settings: Settings) -> Settings:
    key = master_key(settings.master_key, home=settings.home)
    return settings.model_copy(update={"master_key": key})


def _url(settings: Settings) -> str:
    return url(settings.host, settings.port, tls_cert=settings.tls_cert)


def _say(text: str) -> None:
    sys.stdout.write(f"\n{text}\n\n")
    sys.stdout.flush()


def _run(settings: Settings, start: Callable[[Report], Coroutine[Any, Any, None]]) -> int:
    try:
        with (
            logging_to(None, level=settings.log_level, as_json=settings.json_logs),
            _reporting(settings) as report,
        ):
            return run_until_stopped(start(report), report=report)
    except MemoryProxyError as error:
        return _failed(error)


@contextmanager
def _reporting(settings: Settings) -> Generator[Report]:
    """Where lines of the processes go: to standard error, or as JSON among our own log lines."""
    if settings.json_logs:
        _logger.setLevel(logging.INFO)  # log_level is about our own lines
        yield lambda line: _logger.info("process", extra={"line": line})
    else:
        with line_printer(_STDERR) as printer:
            yield printer


def _failed(error: MemoryProxyError) -> int:
    sys.stderr.write(f"memory-proxy: {error}\n")
    return 2 if isinstance(error, ConfigurationError) else 3
