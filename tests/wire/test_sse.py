"""Server-sent events, whatever their line ends and however they are split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.wire.sse import MAX_EVENT_BYTES, EventDecoder

STREAM = (
    "\ufeff: hello\n"
    "event: greeting\n"
    "data: one\n"
    "\n"
    "data:two\n"
    "data:  three\n"
    "data:\n"
    "id: 7\n"
    "\n"
    ": nothing in this one\n"
    "\n"
    "retry: 10\n"
    'data: {"a": "\u00e9\u2028\x0b"}\n'
    "\n"
    "data: [DONE]\n"
    "\n"
    "data: never ended\n"
).encode()
EVENTS = [b"one", b"two\n three\n", '{"a": "\u00e9\u2028\x0b"}'.encode(), b"[DONE]"]


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
@given(cuts=st.sets(st.integers(0, 200), max_size=12))
def test_any_line_end_and_any_split_give_the_same_events(line_end: bytes, cuts: set[int]) -> None:
    stream = STREAM.replace(b"\n", line_end)
    bounds = [0, *sorted(cuts), len(stream)]
    chunks = [stream[start:end] for start, end in pairwise(bounds)]

    assert _events(chunks) == EVENTS


@pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n"])
def test_byte_by_byte_gives_the_same_events(line_end: bytes) -> None:
    stream = STREAM.replace(b"\n", line_end)

    assert _events([stream[at : at + 1] for at in range(len(stream))]) == EVENTS


def test_an_event_is_complete_with_its_blank_line_and_not_before() -> None:
    decoder = EventDecoder()

    assert decoder.feed(b"data: x\r\n") == []
    assert decoder.feed(b"\r") == [b"x"]
    assert decoder.feed(b"\ndata: y\r\n\r\n") == [b"y"]


@pytest.mark.parametrize("lines", [1, 1000])
def test_an_event_of_almost_ten_megabytes_comes_whole(lines: int) -> None:
    line = b"x" * (9_900_000 // lines)
    stream = b"".join(b"data: " + line + b"\n" for _ in range(lines)) + b"\n"

    events = _events([stream[at : at + 4096] for at in range(0, len(stream), 4096)])

    assert events == [b"\n".join([line] * lines)]


@pytest.mark.parametrize("lines", [1, 1000])
def test_an_event_that_is_too_long_is_dropped_and_the_next_one_heard(lines: int) -> None:
    line = b"x" * (MAX_EVENT_BYTES // lines + 1)
    stream = (
        b"".join(b"data: " + line + b"\n" for _ in range(lines)) + b"data: end\n\ndata: next\n\n"
    )

    assert _events([stream[at : at + 65536] for at in range(0, len(stream), 65536)]) == [b"next"]


def _events(chunks: list[bytes]) -> list[bytes]:
    decoder = EventDecoder()
    return [event for chunk in chunks for event in decoder.feed(chunk)]
