"""Where the body of a request ends, followed byte by byte and strictly (RFC 9112 section 7.1)."""

import re
from collections.abc import Mapping
from typing import Protocol

from memory_proxy.core.errors import InvalidRequest

_FIRST_FRAME = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_NEXT_FRAME = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})\r\n")
_BEGINNING = re.compile(rb"(?:\r\n|)[0-9A-Fa-f]{0,8}\r?|\r")


class Body(Protocol):
    """The body of one request, as far as it has come."""

    complete: bool

    def accept(self, data: bytes) -> int:
        """How many bytes at the front of `data` belong to this body beyond doubt.

        The rest belongs to the next request when `complete`; otherwise it is to be offered again,
        before what comes next. Raises InvalidRequest.
        """
        ...


def body_after(found: Mapping[bytes, bytes]) -> Body:
    """The body that checked headers announce."""
    if b"transfer-encoding" in found:
        return ChunkedBody()
    return SizedBody(int(found.get(b"content-length", 0)))


class SizedBody:
    def __init__(self, size_bytes: int) -> None:
        self._left = size_bytes
        self.complete = size_bytes == 0

    def accept(self, data: bytes) -> int:
        taken = min(self._left, len(data))
        self._left -= taken
        self.complete = self._left == 0
        return taken


class ChunkedBody:
    """Takes no chunk extensions and no trailers: nobody sends the first, and a parser that merges
    the second into the headers lets a client write headers after they were checked."""

    def __init__(self) -> None:
        self._left = 0  # of the data of this chunk
        self._frame = _FIRST_FRAME
        self._last = False  # the chunk of size zero came
        self.complete = False

    def accept(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.complete:
            taken = self._accept_end(data[at:]) if self._last else self._accept_chunk(data, at)
            if taken == 0:
                break
            at += taken
        return at

    def _accept_chunk(self, data: bytes, at: int) -> int:
        if self._left:
            taken = min(self._left, len(data) - at)
            self._left -= taken
            return taken
        match = self._frame.match(data, at)
        if match is None:
            return _wait_for_frame(data[at:])
        self._frame = _NEXT_FRAME
        self._left = int(match[1], 16)
        self._last = self._left == 0
        return match.end() - at

    def _accept_end(self, rest: bytes) -> int:
        if rest.startswith(b"\r\n"):
            self.complete = True
            return 2
        if rest == b"\r":
            return 0
        raise InvalidRequest("trailers after a chunked body are not accepted")


def _wait_for_frame(rest: bytes) -> int:
    """0: the frame may still become right; raises InvalidRequest where it cannot."""
    if _BEGINNING.fullmatch(rest):
        return 0
    raise InvalidRequest("the chunked body is malformed")
