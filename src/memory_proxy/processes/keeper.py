"""Runs one program and ends it with all its descendants: when asked, or when our parent is gone.

Started as a file by a bare interpreter: `python -I -S keeper.py PROGRAM [ARGUMENT ...]`. Standard
input is the leash, held by the parent: a byte asks the program to end (SIGTERM); the end of input,
which even a SIGKILL of the parent causes, kills everything. The keeper itself ignores SIGTERM and
Ctrl-C, and exits as a shell would: with the program's status, or 128 + the signal that ended it.
"""

import ctypes
import os
import select
import signal
import sys
import time
from pathlib import Path
from types import FrameType

_LEASH = 0
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>
_PR_SET_CHILD_SUBREAPER = 36
_KILL_LIMIT_S = 5.0


def main(command: list[str]) -> int:
    adopt_orphans()
    wake = wake_on_signals()
    program = launch(command)
    status = watch(program, wake)
    kill_descendants(program)
    return 128 - status if status < 0 else status


def adopt_orphans() -> None:
    """Descendants whose own parent ends become our children, so that none can get away (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_on_signals() -> int:
    """A descriptor that becomes readable when a child ends; SIGTERM and Ctrl-C do no more."""
    wake, notify = os.pipe()
    os.set_blocking(notify, False)
    signal.set_wakeup_fd(notify, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, wake_only)  # unlike SIG_IGN, not inherited by the program
    return wake


def wake_only(number: int, frame: FrameType | None) -> None:
    """Its number has been written to the descriptor: that is all it is for."""


def launch(command: list[str]) -> int:
    keeper = os.getpid()
    program = os.fork()
    if program == 0:
        become(command, keeper)
    return program


def become(command: list[str], keeper: int) -> None:
    """Replace this fresh copy of ourselves by the program, in a process group of its own."""
    try:
        os.setpgid(0, 0)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and exec would keep that
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == keeper:
            os.dup2(os.open(os.devnull, os.O_RDONLY), _LEASH)
            os.execvp(command[0], command)
    except OSError as error:
        sys.stderr.write(f"cannot run {command[0]}: {error.strerror}\n")
        sys.stderr.flush()
    finally:
        os._exit(127)


def watch(program: int, wake: int) -> int:
    """The program's status once it has ended (-N: by signal N), or -SIGKILL when the leash ends."""
    while True:
        status = reap(program)
        if status is not None:
            return status
        readable, _, _ = select.select([_LEASH, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
        if _LEASH in readable:
            if not os.read(_LEASH, 1):
                return -signal.SIGKILL
            os.kill(program, signal.SIGTERM)


def reap(program: int) -> int | None:
    """Bury every child that has ended; the program's status if it was among them."""
    found = None
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return found
        if pid == 0:
            return found
        if pid == program:
            found = os.waitstatus_to_exitcode(status)


def kill_descendants(program: int) -> None:
    deadline = time.monotonic() + _KILL_LIMIT_S
    while (living := descendants(program)) and time.monotonic() < deadline:
        for pid in living:
            kill(pid)
        time.sleep(0.002)
        reap(program)


def descendants(program: int) -> list[int]:
    """Process ids below us; where there is no /proc: the program's group, while it has members."""
    if sys.platform != "linux":
        return [-program] if kill(-program) else []
    parents = dict(filter(None, map(pid_and_parent, Path("/proc").glob("[0-9]*/stat"))))
    family = {os.getpid()}
    while found := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= found
    return sorted(family - {os.getpid()})


def pid_and_parent(stat: Path) -> tuple[int, int] | None:
    """From /proc/PID/stat: `PID (NAME) STATE PARENT ...`, where NAME may hold anything."""
    try:
        fields = stat.read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(stat.parent.name), int(fields[1])


def kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    # No finalisation: the parent learns of the end as soon as there is nothing left to kill.
    os._exit(main(sys.argv[1:]))
