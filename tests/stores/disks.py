"""Disks that fill up and files that may not be opened, for tests that run as root or not."""

import os
import resource
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534
_SIZE = 4 * 2**20
_ROOM = 400 * 2**10


class Disk(ABC):
    def __init__(self, directory: Path) -> None:
        self.directory = directory

    @abstractmethod
    def fill_up(self) -> None:
        """Leave room for a few hundred kilobytes."""

    @abstractmethod
    def make_space(self) -> None:
        """Undo `fill_up`."""


class _SmallFileSystem(Disk):
    def fill_up(self) -> None:
        used = sum(file.stat().st_size for file in self.directory.iterdir())
        (self.directory / "ballast").write_bytes(b"\1" * (_SIZE - used - _ROOM))

    def make_space(self) -> None:
        (self.directory / "ballast").unlink()


class _LimitedFiles(Disk):
    """No file of this process may grow: what a disk quota does, without root."""

    def fill_up(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, hard))

    def make_space(self) -> None:
        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))


@contextmanager
def limited_disk(tmp_path: Path) -> Generator[Disk]:
    """A file system of its own where that may be mounted, else a limit on the size of files."""
    directory = tmp_path / "disk"
    directory.mkdir()
    if _mounted(directory):
        try:
            yield _SmallFileSystem(directory)
        finally:
            subprocess.run(["umount", str(directory)], check=True)
    else:
        disk = _LimitedFiles(directory)
        try:
            yield disk
        finally:
            disk.make_space()


@contextmanager
def as_nobody() -> Generator[None]:
    """Without root's power to open everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def _mounted(directory: Path) -> bool:
    if os.geteuid() != 0:
        return False
    options = ["mount", "-t", "tmpfs", "-o", f"size={_SIZE}", "tmpfs", str(directory)]
    return subprocess.run(options, check=False, capture_output=True).returncode == 0
