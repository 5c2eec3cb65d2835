"""What a child writes, as lines that are harmless to show: bounded, without control characters."""

import os
import queue
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager

MAX_LINE_BYTES = 8_192
_MAX_WAITING_LINES = 5_000

# ECMA-48: control sequences (colours, cursor), and strings that a terminal acts on (titles, links).
_TERMINAL_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)")
# C0 and C1 controls, and Unicode's invisible, reordering and tag characters.
_UNSAFE = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """`text` without terminal codes; other control characters are shown as escapes."""
    return _UNSAFE.sub(
        lambda match: match[0].encode("unicode_escape").decode("ascii"),
        _TERMINAL_CODES.sub("", text),
    )


class LineSplitter:
    """Cuts received bytes into lines; a longer one than MAX_LINE_BYTES comes in pieces."""

    def __init__(self) -> None:
        self._unfinished = b""

    def feed(self, received: bytes) -> list[str]:
        """The lines that these bytes complete, empty ones left out."""
        *whole, rest = (self._unfinished + received).replace(b"\r", b"\n").split(b"\n")
        *full, self._unfinished = _pieces(rest)
        return [
            printable(piece.decode("utf-8", "backslashreplace"))
            for line in [*whole, *full]
            if line.strip()
            for piece in _pieces(line)
        ]

    def finish(self) -> list[str]:
        """The last line, if it never ended."""
        return self.feed(b"\n")


def _pieces(line: bytes) -> list[bytes]:
    return [
        line[start : start + MAX_LINE_BYTES] for start in range(0, len(line), MAX_LINE_BYTES)
    ] or [b""]


class LinePrinter:
    """Writes lines to a descriptor from a thread: whoever calls never waits for a slow terminal.

    Lines that find `_MAX_WAITING_LINES` others waiting are dropped, and counted in the output.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._waiting: queue.Queue[str | None] = queue.Queue(_MAX_WAITING_LINES)
        self._dropped = 0

    def __call__(self, line: str) -> None:
        try:
            self._waiting.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def write_all(self) -> None:
        """Write until the end is asked for, or nobody can read us any more."""
        while (line := self._waiting.get()) is not None:
            dropped, self._dropped = self._dropped, 0
            note = f"({dropped} lines left out)\n" if dropped else ""
            try:
                _write(self._descriptor, f"{note}{line}\n".encode("utf-8", "backslashreplace"))
            except OSError:
                return

    def end(self) -> None:
        """No more lines; if the queue is full its writer is stuck, and ends with our process."""
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return


@contextmanager
def line_printer(descriptor: int) -> Generator[LinePrinter]:
    """A LinePrinter with its thread; at the end, a second is left for what still waits."""
    printer = LinePrinter(descriptor)
    thread = threading.Thread(target=printer.write_all, name="line-printer", daemon=True)
    thread.start()
    try:
        yield printer
    finally:
        printer.end()
        thread.join(timeout=1)


def _write(descriptor: int, text: bytes) -> None:
    while text:
        text = text[os.write(descriptor, text) :]
