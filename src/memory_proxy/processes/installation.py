"""Where LiteLLM comes from: the user's command, an environment of our own, or PATH."""

import asyncio
import fcntl
import hashlib
import re
import shlex
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uv

from memory_proxy.core.errors import BinaryNotFound
from memory_proxy.processes.child import start_child
from memory_proxy.processes.preflight import inspect_build

LOCK = Path(__file__).with_name("litellm.txt")
_PROGRESS_EVERY_S = 2.0
_STEP_LIMIT_S = 1_800.0

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LiteLLMCommand:
    """How to start LiteLLM, and the version that the preflight has let pass."""

    words: tuple[str, ...]
    version: str


class _InstallationFailed(Exception):
    """Our own environment could not be made; the text is the installer's."""


async def ensure_litellm(home: Path, *, command: str | None, report: Report) -> LiteLLMCommand:
    """`command` if given, else our own environment, made now if need be, else `litellm` on PATH.

    Raises BinaryNotFound when there is none, BuildRefused when it must not be started.
    """
    if command is not None:
        return _examined(shlex.split(command))
    try:
        return _examined([str(await _own_litellm(home, report))])
    except _InstallationFailed as failure:
        found = shutil.which("litellm")
        if found is None:
            raise BinaryNotFound(
                f"LiteLLM could not be installed, and PATH has none: {failure}\n"
                "connect to a package index and start again, or name one with --litellm-command"
            ) from failure
        report(f"LiteLLM could not be installed; using {found} instead: {failure}")
        return _examined([found])


def _examined(words: Sequence[str]) -> LiteLLMCommand:
    program = shutil.which(words[0]) if words else None
    if program is None:
        named = words[0] if words else ""
        raise BinaryNotFound(
            f"there is no program {named!r}; correct --litellm-command, or leave it out"
        )
    build = inspect_build(Path(program))
    return LiteLLMCommand((program, *words[1:]), build.version)


async def _own_litellm(home: Path, report: Report) -> Path:
    """Our own environment's `litellm`. Each lock has its own, so an upgrade never mixes two."""
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    environment = home / f"litellm-{digest}"
    if not _is_complete(environment):
        async with _alone(environment.with_suffix(".lock"), report):
            if not _is_complete(environment):
                await _install(environment, report)
    return environment / "bin" / "litellm"


def _is_complete(environment: Path) -> bool:
    """Whether all was installed, and the Python that it was made from is still there."""
    return (environment / "complete").is_file() and (environment / "bin" / "python").exists()


@asynccontextmanager
async def _alone(path: Path, report: Report) -> AsyncGenerator[None]:
    """Hold a lock that the system lets go of if we die; says when another start holds it."""
    _make_private_folder(path.parent)
    with path.open("w", encoding="utf-8") as file:
        waited_s = 0.0
        while not _locked(file.fileno()):
            if waited_s % _PROGRESS_EVERY_S == 0:
                report(f"another start is installing LiteLLM: waiting, {waited_s:.0f} s")
            await asyncio.sleep(0.25)
            waited_s += 0.25
        yield


def _make_private_folder(path: Path) -> None:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


async def _install(environment: Path, report: Report) -> None:
    """Made where it will be used, since its scripts name their Python by its full path."""
    report(f"installing LiteLLM {_locked_version()} into {environment} (750 MB, only once)")
    await asyncio.to_thread(shutil.rmtree, environment, ignore_errors=True)
    clock = asyncio.get_running_loop().time
    started = clock()

    def progress() -> None:
        report(f"installing LiteLLM: {clock() - started:.0f} s")

    await _uv("venv", "--python", sys.executable, environment, progress=progress)
    await _uv(
        *("pip", "sync", "--require-hashes", "--compile-bytecode"),
        *("--python", environment, LOCK),
        progress=progress,
    )
    (environment / "complete").touch()


def _locked_version() -> str:
    match = re.search(r"(?m)^litellm==(\S+)", LOCK.read_text("utf-8"))
    assert match is not None, "the lock pins litellm"
    return match[1]


async def _uv(*arguments: str | Path, progress: Callable[[], None]) -> None:
    child = await start_child([_uv_program(), *arguments], environment=None, on_line=_ignored)
    try:
        async with asyncio.timeout(_STEP_LIMIT_S):
            while not await child.exited_within(_PROGRESS_EVERY_S):
                progress()
        if child.status != 0:
            raise _InstallationFailed(f"uv failed, and wrote:{await child.last_lines()}")
    except TimeoutError as error:
        raise _InstallationFailed(f"uv was not done after {_STEP_LIMIT_S:.0f} s") from error
    finally:
        await child.end(grace_s=0)


def _uv_program() -> str:
    try:
        return uv.find_uv_bin()
    except FileNotFoundError as error:
        raise _InstallationFailed(str(error)) from error


def _ignored(_line: str) -> None:
    """Kept by the child itself, for the case that it fails."""
