"""Every wire format, over every body recorded for it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.wire import WIRE_FORMATS, WireFormat
from tests.wire.recorded import (
    HISTORY,
    NOTE,
    Case,
    cases,
    described_reply,
    described_request,
    place_of_insertion,
    with_note,
)

each_case = pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
each_format = pytest.mark.parametrize("wire", WIRE_FORMATS, ids=lambda wire: wire.name)


@each_format
def test_a_format_has_at_least_eight_recorded_bodies(wire: WireFormat) -> None:
    assert sum(case.wire is wire for case in cases()) >= 8


@each_case
def test_a_request_is_understood(case: Case) -> None:
    request = case.wire.read(case.request)

    assert described_request(request) == case.expected("understood.json")


@each_case
def test_nothing_to_add_sends_the_identical_bytes_object(case: Case) -> None:
    body = case.request

    assert case.wire.write(case.wire.read(body), history=(), notes={}) is body


@each_case
def test_history_and_note_are_written_byte_for_byte_as_recorded(case: Case) -> None:
    request = case.wire.read(case.request)

    assert with_note(case.wire, request, NOTE, HISTORY) == case.upstream


@each_case
def test_taking_the_inserted_bytes_out_again_leaves_the_original(case: Case) -> None:
    request = case.wire.read(case.request)
    slot = request.slot
    assert slot is not None
    noted = with_note(case.wire, request, NOTE)
    remembering = case.wire.write(request, history=HISTORY, notes={})

    if request.newest_human is None:
        assert noted is request.raw
    else:
        place_of_insertion(request.raw, noted)
    assert _without(remembering, len(request.raw), at=slot.history_at) == request.raw


@each_case
def test_what_was_written_is_read_again_as_the_same_conversation_with_more_in_it(
    case: Case,
) -> None:
    request = case.wire.read(case.request)
    again = case.wire.read(with_note(case.wire, request, NOTE, HISTORY))

    assert again.newest_is_human == request.newest_is_human
    added = len(again.messages) - len(request.messages)
    assert added == sum(bool(m.tool_call_id or m.text.strip() or m.tool_calls) for m in HISTORY[1:])
    assert sum(NOTE in message.text for message in again.messages) == (
        request.newest_human is not None
    )


@each_case
def test_a_reply_is_overheard(case: Case) -> None:
    assert _overheard(case, [case.reply]) == case.expected("overheard.json")


@each_case
def test_a_reply_is_overheard_alike_however_it_is_split(case: Case) -> None:
    reply = case.reply
    expected = case.expected("overheard.json")

    for size in (1, 2, 3, 7, 64):
        chunks = [reply[at : at + size] for at in range(0, len(reply), size)]
        assert _overheard(case, chunks) == expected
    for at in range(len(reply)):
        assert _overheard(case, [reply[:at], reply[at:]]) == expected


@each_case
def test_a_reader_that_is_asked_after_every_chunk_hears_the_same(case: Case) -> None:
    reader = case.wire.reply_reader(stream=case.is_stream)
    reply = case.reply
    for at in range(0, len(reply), 11):
        reader.feed(reply[at : at + 11])
        described_reply(reader)

    assert described_reply(reader) == case.expected("overheard.json")


@each_case
def test_a_reply_without_its_end_is_never_complete(case: Case) -> None:
    """The end of an OpenAI stream is its last finish_reason; what follows only counts tokens."""
    end = max(case.reply.rfind(mark) for mark in (b"finish_reason", b"message_stop", b"}"))
    if case.is_stream:
        end = max(case.reply.rfind(mark) for mark in (b'finish_reason":"', b'"message_stop"'))
    reader = case.wire.reply_reader(stream=case.is_stream)
    reader.feed(case.reply[: max(end, 0)])

    assert not reader.complete


@each_format
@given(body=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_a_body_that_is_something_else_is_an_invalid_request(wire: WireFormat, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.read(body)


@each_format
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"messages":{}}',
        b'{"messages":"hello"}',
        b'{"messages":[1]}',
        b'{"messages":[{"content":"no role"}]}',
        b'{"messages":[{"role":"user","content":7}]}',
        b'{"messages":[],"model":7}',
        b'{"messages":[{"role":"user","content":"\xff"}]}',
        b'{"messages":[{"role":"user","content":"\\ud800"}]}',
        b'{"messages":[]} trailing',
        b'\xef\xbb\xbf{"messages":[]}',
        b'{"messages":[],"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
    ids=repr,
)
def test_a_malformed_body_is_an_invalid_request(wire: WireFormat, body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        wire.read(body)


@each_format
def test_a_request_without_a_conversation_is_read_and_never_written_to(wire: WireFormat) -> None:
    request = wire.read(b'{"model":"m","messages":[{"role":"system","content":"Only this."}]}')

    assert request.slot is None
    assert not request.newest_is_human
    assert with_note(wire, request, NOTE, HISTORY) is request.raw


@each_format
@given(chunks=st.lists(st.binary(max_size=60), max_size=20), stream=st.booleans())
def test_a_reader_never_raises_whatever_the_bytes(
    wire: WireFormat, chunks: list[bytes], stream: bool
) -> None:
    reader = wire.reply_reader(stream=stream)
    for chunk in chunks:
        reader.feed(chunk)

    described_reply(reader)


_KEYS = st.sampled_from(
    "type index message content_block delta content usage choices error text tool_calls id name "
    "function arguments custom input partial_json refusal finish_reason input_tokens".split()
)
_LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
_TYPES = st.sampled_from(
    "message message_start message_delta message_stop content_block_start content_block_delta "
    "error text tool_use".split()
)
_DOCUMENTS = st.recursive(
    _LEAVES | _TYPES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=6),
    max_leaves=25,
)


@each_format
@given(documents=st.lists(_DOCUMENTS, max_size=4), stream=st.booleans())
def test_a_reader_never_raises_whatever_the_documents(
    wire: WireFormat, documents: list[Any], stream: bool
) -> None:
    reader = wire.reply_reader(stream=stream)
    for document in documents:
        data = json.dumps(document).encode()
        reader.feed(b"data: " + data + b"\n\n" if stream else data)

    described_reply(reader)


def _overheard(case: Case, chunks: list[bytes]) -> dict[str, Any]:
    reader = case.wire.reply_reader(stream=case.is_stream)
    for chunk in chunks:
        reader.feed(chunk)
    return described_reply(reader)


def _without(written: bytes, size_bytes: int, *, at: int) -> bytes:
    """`written` without what was inserted at `at`, which made it longer than `size_bytes`."""
    return written[:at] + written[at + len(written) - size_bytes :]
