"""Where values stand in a JSON body, and how text gets in without touching any other byte.

msgspec hands out the members of an object and the items of a list as raw bytes, in their order. An
offset is found by walking over them: every value is compared with the body at the place where it
must begin, so that a walk which reaches the end proves every offset on its way. A key that comes
twice breaks the walk (parsers disagree on which one counts), and then nothing is written.
"""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress

import msgspec

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.wire.base import ChatRequest, Slot

Members = Mapping[str, msgspec.Raw]

# DecodeError has no common ancestor with the other two, which msgspec lets through.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_SPACE = rb"[ \t\n\r]*"
_KEY = re.compile(_SPACE + rb'[{,]%b"[^"\\]*(?:\\.[^"\\]*)*"%b:%b' % (_SPACE, _SPACE, _SPACE))
_OBJECT_END = re.compile(_SPACE + rb"\}")
_BETWEEN_ITEMS = re.compile(rb"[ \t\n\r,]*")

_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_text = msgspec.json.Decoder(str | None)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_integer = msgspec.json.Decoder(int)


def members_of(body: bytes) -> Members:
    """The top level of `body`; raises InvalidRequest when it is no JSON object."""
    try:
        return _object.decode(body)
    except UNREADABLE as error:
        raise InvalidRequest(f"the body is not a JSON object: {error}") from error


def items_of(members: Members, name: str) -> list[msgspec.Raw]:
    """Raises InvalidRequest when there is no such member, one of UNREADABLE when it is no list."""
    if name not in members:
        raise InvalidRequest(f"the body has no {name!r}")
    return _list.decode(members[name])


def count_of(members: Members, name: str) -> int:
    """How many items the list `name` has; 0 for anything else."""
    with suppress(*UNREADABLE):
        return len(_list.decode(members[name])) if name in members else 0
    return 0


def integer_of(members: Members, name: str) -> int | None:
    """None when there is no such member, or no integer in it."""
    with suppress(*UNREADABLE):
        return _integer.decode(members[name]) if name in members else None
    return None


def text_of(members: Members, name: str) -> str | None:
    """None when there is no such member or it is null; raises one of UNREADABLE for no string."""
    return _text.decode(members[name]) if name in members else None


def locate_slot(
    body: bytes,
    members: Members,
    items: Sequence[msgspec.Raw],
    *,
    opening: int,
    humans: Mapping[int, int],
) -> Slot | None:
    """The places in `body` around the items of its `messages`.

    History goes before item `opening`. `humans` are items with a person's words, by the index of
    their message; the newest is left out if a key comes twice in it.
    """
    if opening == len(items):
        return None
    at = _value_at(body, 0, members, "messages")
    if at is None:
        return None
    starts = _item_starts(body, at, items)
    spans = {
        index: (starts[item], starts[item] + len(items[item])) for index, item in humans.items()
    }
    if spans and _note_place(body, spans[max(spans)]) is None:
        return None
    return Slot(starts[opening], spans)


def written(
    request: ChatRequest,
    *,
    history: Sequence[Mapping[str, object]],
    notes: Mapping[int, str],
) -> bytes:
    """`request.raw` with the given messages and notes in its slot."""
    slot = request.slot
    if slot is None:
        return request.raw
    inserts: list[tuple[int, bytes]] = []
    if history:
        inserts.append((slot.history_at, msgspec.json.encode(history)[1:-1] + b","))
    for index, note in sorted(notes.items()):
        place = _note_place(request.raw, slot.humans[index]) if index in slot.humans else None
        if note and place is not None:
            inserts.append((place, _note(note, into_text=request.raw[place] == ord('"'))))
    return _spliced(request.raw, inserts) if inserts else request.raw


def _note_place(body: bytes, span: tuple[int, int]) -> int | None:
    """The closing quote or bracket of a message's content; None when a key comes twice."""
    start, end = span
    message = _object.decode(body[start:end])
    at = _value_at(body, start, message, "content")
    return None if at is None else at + len(message["content"]) - 1


def _value_at(body: bytes, start: int, members: Members, name: str) -> int | None:
    """Where the value of `name` begins, in the object that begins at or after `start`.

    None if the walk over the whole object fails, because some key comes twice.
    """
    at, found = start, None
    for key, value in members.items():
        opened = _KEY.match(body, at)
        if opened is None:
            return None
        at = opened.end()
        if not body.startswith(bytes(value), at):
            return None
        if key == name:
            found = at
        at += len(value)
    return found if _OBJECT_END.match(body, at) else None


def _item_starts(body: bytes, start: int, items: Sequence[msgspec.Raw]) -> list[int]:
    """Where each item begins, in the list that begins at `start`."""
    starts: list[int] = []
    at = start + 1
    for item in items:
        between = _BETWEEN_ITEMS.match(body, at)
        at = between.end() if between else at
        starts.append(at)
        at += len(item)
    return starts


def _note(note: str, *, into_text: bool) -> bytes:
    if into_text:
        return msgspec.json.encode("\n\n" + note)[1:-1]
    return b"," + msgspec.json.encode({"type": "text", "text": note})


def _spliced(body: bytes, inserts: Sequence[tuple[int, bytes]]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for at, data in inserts:
        pieces += (body[done:at], data)
        done = at
    return b"".join((*pieces, body[done:]))
