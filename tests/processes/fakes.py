"""Small real programs that stand for LiteLLM, and waiting for what they do."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from memory_proxy.processes.readiness import Probe
from memory_proxy.processes.supervisor import Program

DEADLINE_S = 60.0

# Answers like LiteLLM where we ask it. `--behaviour` is any of the words below, `--port` its port.
# Each request line, with its Authorization header, is appended to `--seen`. A chat with the words
# "wait for the end" is streamed: one event, and the end once the file `--release` exists.
SERVER = """
import argparse, http.server, os, signal, subprocess, sys, threading, time

arguments = argparse.ArgumentParser()
arguments.add_argument("--port", type=int)
arguments.add_argument("--behaviour", default="")
arguments.add_argument("--seen", default=os.devnull)
arguments.add_argument("--release", default="/")
options, _ = arguments.parse_known_args()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("content-length") or 0)
        asked = self.rfile.read(length)
        with open(options.seen, "a") as seen:
            seen.write(f"{self.command} {self.path} {self.headers.get('authorization')}\\n")
        if b"wait for the end" in asked:
            return self.stream()
        body = b'{"choices": [{"message": {"role": "assistant", "content": "ok"}}]}'
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def stream(self):
        self.close_connection = True
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        event = b'data: {"choices": [{"index": 0, "delta": {"content": "%s"}}]}\\n\\n'
        self.wfile.write(event % b"first")
        while not os.path.exists(options.release):
            time.sleep(0.01)
        self.wfile.write(event % b"last" + b"data: [DONE]\\n\\n")

    def log_message(self, *_):
        pass


def flood():
    while True:
        sys.stdout.write("noise " * 2000 + "\\n")


print("hello from the program", flush=True)
if "dies" in options.behaviour:
    sys.exit("cannot start: no such model")
if "mute" in options.behaviour:
    time.sleep(1000)
if "stubborn" in options.behaviour:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "family" in options.behaviour:
    sleep = [sys.executable, "-c", "import time; time.sleep(1000)"]
    for apart in (False, True):
        subprocess.Popen(sleep, start_new_session=apart)
if "flood" in options.behaviour:
    threading.Thread(target=flood, daemon=True).start()
server = http.server.ThreadingHTTPServer(("127.0.0.1", options.port), Answers)
server.serve_forever()
"""


def a_program(folder: Path, port: int, behaviour: str = "", *, name: str = "litellm") -> Program:
    script = folder / "server.py"
    script.write_text(SERVER)
    command = (sys.executable, "-I", str(script), "--port", str(port), "--behaviour", behaviour)
    return Program(
        (*command, "--seen", str(folder / "seen.txt")),
        {"PATH": os.environ["PATH"]},
        Probe(name, port, "/health/readiness", port_setting="--litellm-port"),
    )


def the_program(command: str = "server.py", *, below: int | None = None) -> psutil.Process:
    """The one descendant (of process `below`, else ours) that runs `command`."""
    (found,) = [
        process
        for process in psutil.Process(below).children(recursive=True)
        if any(command in word for word in process.cmdline())
        and not any("keeper.py" in word for word in process.cmdline())
    ]
    return found


async def eventually(condition: Callable[[], bool], *, within_s: float = DEADLINE_S) -> None:
    """Wait until `condition` holds; fails after a generous deadline."""
    async with asyncio.timeout(within_s):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def an_environment(folder: Path, *, version: str = "1.109.1", script: str = SERVER) -> Path:
    """The `litellm` of a virtual environment made by hand: files, and a link to our Python."""
    packages = folder / "lib" / "python3.11" / "site-packages"
    metadata = packages / f"litellm-{version}.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.4\nName: litellm\nVersion: {version}\n"
    )
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(sys.executable)
    (folder / "pyvenv.cfg").write_text(f"home = {Path(sys.executable).resolve().parent}\n")
    litellm = folder / "bin" / "litellm"
    litellm.write_text(f"#!{folder}/bin/python\n{script}")
    litellm.chmod(0o755)
    return litellm
