"""Writing into any JSON body changes what it must and no other byte."""

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memory_proxy.core.types import Message, Role
from memory_proxy.wire import WIRE_FORMATS, WireFormat
from tests.wire.recorded import place_of_insertion, with_note

each_format = pytest.mark.parametrize("wire", WIRE_FORMATS, ids=lambda wire: wire.name)

HISTORY = (Message(Role.USER, 'said "before"'), Message(Role.ASSISTANT, "answered\n"))
TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
TRICKY = st.sampled_from(
    ['"', "\\", '\\"', "messages", '"messages":[]', '","messages":[{"role":"user"}]', "}", "]", ","]
)
LEAVES = st.none() | st.booleans() | st.integers() | TEXT | TRICKY
KEYS = st.sampled_from(["messages", "content", "role", "a", "\u00e9", '"', "\\"]) | TEXT
JSON = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
WORDS = (TEXT | TRICKY).map(lambda text: "w" + text)
PARTS = st.lists(
    st.builds(lambda text: {"type": "text", "text": text}, WORDS)
    | st.just({"type": "image", "source": {"content": "x", "role": "user"}}),
    min_size=1,
    max_size=3,
)


@st.composite
def chats(draw: st.DrawFn) -> dict[str, Any]:
    """A body with one system message, then turns of which the last is a person's."""
    spoken = [*draw(st.lists(st.sampled_from(["user", "assistant"]), max_size=4)), "user"]
    messages: list[dict[str, Any]] = [{"role": "system", "content": "s"}]
    for role in spoken:
        message = {"role": role, "content": draw(WORDS | PARTS), "x": draw(JSON)}
        names = draw(st.permutations(list(message)))
        messages.append({name: message[name] for name in names})
    body = draw(st.dictionaries(KEYS, JSON, max_size=4)) | {"messages": messages, "model": "m"}
    for name in ("system", "metadata", "stream", "tools"):
        body.pop(name, None)
    return {name: body[name] for name in draw(st.permutations(list(body)))}


def printed(value: Any, rng: Random) -> str:
    """`value` as JSON with whitespace anywhere, and characters escaped or not."""
    if isinstance(value, dict):
        members = [f"{printed(k, rng)}:{printed(v, rng)}" for k, v in value.items()]
        text = "{" + (",".join(members) or _space(rng)) + "}"
    elif isinstance(value, list):
        text = "[" + (",".join(printed(item, rng) for item in value) or _space(rng)) + "]"
    elif isinstance(value, str) and rng.random() < 0.3:
        units = value.encode("utf-16-be").hex()
        text = '"' + "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4)) + '"'
    else:
        text = json.dumps(value, ensure_ascii=rng.random() < 0.5)
    return _space(rng) + text + _space(rng)


def _space(rng: Random) -> str:
    return "".join(rng.choices(" \t\r\n", k=rng.choice([0, 0, 0, 1, 2])))


def bodies() -> st.SearchStrategy[bytes]:
    return st.builds(
        lambda chat, seed: printed(chat, Random(seed)).encode(), chats(), st.integers(0, 2**32)
    )


@each_format
@given(body=bodies(), note=WORDS)
def test_the_written_body_means_the_same_with_history_and_note_in_it(
    wire: WireFormat, body: bytes, note: str
) -> None:
    written = with_note(wire, wire.read(body), note, HISTORY)

    expected = json.loads(body)
    _append(expected["messages"][-1], note)
    expected["messages"][1:1] = [{"role": m.role, "content": m.text} for m in HISTORY]
    assert json.loads(written) == expected


@each_format
@given(body=bodies(), note=WORDS)
def test_every_byte_outside_the_inserted_ones_stays_as_it_was(
    wire: WireFormat, body: bytes, note: str
) -> None:
    request = wire.read(body)
    slot = request.slot
    assert slot is not None

    noted = with_note(wire, request, note)
    remembering = wire.write(request, history=HISTORY, notes={})
    both = with_note(wire, request, note, HISTORY)

    history = _inserted(body, remembering, at=slot.history_at)
    note_at = place_of_insertion(body, noted)
    words = _inserted(body, noted, at=note_at)
    between = body[slot.history_at : note_at]
    assert both == (body[: slot.history_at] + history + between + words + body[note_at:])


@each_format
@given(body=bodies(), note=WORDS)
def test_every_human_message_may_take_a_note_of_its_own(
    wire: WireFormat, body: bytes, note: str
) -> None:
    request = wire.read(body)
    assert request.slot is not None
    notes = {index: f"{index} {note}" for index in request.slot.humans}
    written = json.loads(wire.write(request, history=(), notes=notes))

    expected = json.loads(body)
    humans = [m for m in expected["messages"] if m["role"] == "user"]
    for message, one in zip(humans, notes.values(), strict=True):
        _append(message, one)
    assert written == expected


def _duplicated(spell: Callable[[str], str], first: Sequence[Any], last: Sequence[Any]) -> bytes:
    return b"{%b:%b,%b:%b}" % (
        b'"messages"',
        json.dumps(first).encode(),
        spell("messages").encode(),
        json.dumps(last).encode(),
    )


ONE = [{"role": "user", "content": "one"}]
TWO = [{"role": "user", "content": "two"}]


@each_format
@pytest.mark.parametrize(
    "body",
    [
        _duplicated(json.dumps, ONE, TWO),
        _duplicated(json.dumps, ONE, ONE),
        _duplicated(lambda name: '"\\u006d' + name[1:] + '"', ONE, TWO),
        b'{"a":1,"messages":[{"role":"user","content":"x"}],"a":12}',
        b'{"a":1,"messages":[{"role":"user","content":"x"}],"a":1}',
        b'{"messages":[{"role":"user","content":"x","content":"y"}]}',
    ],
)
def test_a_body_whose_keys_come_twice_is_never_written_to(wire: WireFormat, body: bytes) -> None:
    request = wire.read(body)

    assert request.slot is None
    assert with_note(wire, request, "note", HISTORY) is body


@each_format
@given(first=JSON, last=bodies())
@example(first="x", last=b'{"messages":[{"role":"user","content":"x"}]}')
def test_of_two_conversations_in_one_body_the_last_is_read_as_parsers_do(
    wire: WireFormat, first: Any, last: bytes
) -> None:
    rest = last.strip()
    body = b'{"messages":' + json.dumps(first).encode() + b"," + rest[1:]

    assert wire.read(body).messages == wire.read(last).messages
    assert with_note(wire, wire.read(body), "n", HISTORY) is body


def _append(message: dict[str, Any], note: str) -> None:
    if isinstance(message["content"], str):
        message["content"] += "\n\n" + note
    else:
        message["content"].append({"type": "text", "text": note})


def _inserted(body: bytes, written: bytes, *, at: int) -> bytes:
    added = len(written) - len(body)
    assert written[:at] == body[:at]
    assert written[at + added :] == body[at:]
    return written[at : at + added]
