import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.processes.lines import (
    MAX_LINE_BYTES,
    LinePrinter,
    LineSplitter,
    line_printer,
    printable,
)


@given(st.lists(st.binary(max_size=50)))
def test_lines_do_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    apart, whole = LineSplitter(), LineSplitter()

    assert [line for chunk in chunks for line in apart.feed(chunk)] + apart.finish() == [
        *whole.feed(b"".join(chunks)),
        *whole.finish(),
    ]


@given(st.text())
def test_no_control_character_is_shown_as_it_came(text: str) -> None:
    assert not set(printable(text)) & {"\x1b", "\r", "\n", "\x9b", "\u202e", "\U000e0041"}


@pytest.mark.parametrize(
    ("received", "shown"),
    [
        ("\x1b[1;32mgreen\x1b[0m", "green"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1bb", r"a\x1bb"),
        ("tab\tstays, é and 語 too", "tab\tstays, é and 語 too"),
    ],
)
def test_terminal_codes_vanish_and_text_stays(received: str, shown: str) -> None:
    assert printable(received) == shown


def test_a_line_without_an_end_never_grows_in_memory() -> None:
    splitter = LineSplitter()

    pieces = [piece for _ in range(1000) for piece in splitter.feed(b"x" * 1000)]

    assert len("".join(pieces)) > 1_000_000 - 2 * MAX_LINE_BYTES
    assert {len(piece) for piece in pieces} == {MAX_LINE_BYTES}


def test_a_reader_that_does_not_read_holds_nobody_up() -> None:
    reading, writing = os.pipe()
    printer = LinePrinter(writing)
    thread = threading.Thread(target=printer.write_all)
    thread.start()

    for _ in range(20_000):
        printer("x" * 100)
    printer.end()
    with open(reading, "rb", buffering=0) as reader:
        received = b""
        while b"lines left out)" not in received:
            received = received[-100:] + reader.read(100_000)
            printer("once more")
    printer.end()
    os.close(writing)
    thread.join(timeout=20)

    assert not thread.is_alive()


def test_lines_are_written_whole_and_in_order() -> None:
    reading, writing = os.pipe()
    with line_printer(writing) as printer:
        printer("one")
        printer("two")
    os.close(writing)

    with open(reading, "rb") as reader:
        assert reader.read() == b"one\ntwo\n"
