from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.security.bodies import Body, ChunkedBody, SizedBody

CHUNKS = st.lists(st.binary(min_size=1, max_size=40), max_size=6)


def _encoded(chunks: list[bytes]) -> bytes:
    frames = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(frames) + b"0\r\n\r\n"


def _rest_after(body: Body, data: bytes, cuts: list[int]) -> bytes:
    """What is left when `data` comes in pieces, each offered with what was not taken before."""
    held = b""
    edges = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, end in pairwise(edges):
        held += data[start:end]
        if not body.complete:
            held = held[body.accept(held) :]
    return held


@given(chunks=CHUNKS, after=st.binary(max_size=30), cuts=st.lists(st.integers(0, 400)))
def test_a_chunked_body_ends_at_the_same_byte_however_it_is_cut(
    chunks: list[bytes], after: bytes, cuts: list[int]
) -> None:
    body = ChunkedBody()

    rest = _rest_after(body, _encoded(chunks) + after, cuts)

    assert body.complete
    assert rest == after


@given(data=st.binary(max_size=60), size=st.integers(0, 60), cuts=st.lists(st.integers(0, 60)))
def test_a_sized_body_ends_at_its_size(data: bytes, size: int, cuts: list[int]) -> None:
    body = SizedBody(size)

    rest = _rest_after(body, data, cuts)

    assert rest == data[size:]
    assert body.complete == (len(data) >= size)


@given(
    chunks=CHUNKS,
    trailer=st.binary(min_size=1, max_size=20).filter(lambda data: not data.startswith(b"\r\n")),
    cuts=st.lists(st.integers(0, 400)),
)
def test_anything_between_the_last_chunk_and_the_end_is_refused(
    chunks: list[bytes], trailer: bytes, cuts: list[int]
) -> None:
    whole = _encoded(chunks).removesuffix(b"\r\n") + trailer + b"\r\n\r\n"

    with pytest.raises(InvalidRequest):
        _rest_after(ChunkedBody(), whole, cuts)
