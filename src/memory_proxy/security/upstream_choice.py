"""Keeps the choice of the upstream ours: drops what a request says about where LiteLLM shall go,
with which credentials, and to whom it shall report."""

import re
from operator import is_
from urllib.parse import unquote_plus

import msgspec

from memory_proxy.core.errors import InvalidRequest
from memory_proxy.security.form_fields import form_fields
from memory_proxy.security.upstream_params import (
    COMMON_PARAMS,
    METADATA,
    PAYLOAD,
    PRICE_INFIX,
    UPSTREAM_PARAMS,
)

_OUTSIDE_METADATA = UPSTREAM_PARAMS | COMMON_PARAMS
_MAX_DEPTH = 64

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_STRING = msgspec.json.Decoder(str)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

_OBJECT, _LIST, _TEXT = b'{["'
_CONTAINERS = frozenset(b"{[")
_BEFORE_JSON = frozenset(b"{[ \\")  # what a string of JSON may begin with
_ESCAPED_ASCII = re.compile(rb"\\u00([0-7][0-9A-Fa-f])")
_KEY = re.compile(rb'"([A-Za-z0-9_-]+)"\s*:')
_URL_AS_MODEL = "model: a URL is not accepted; name a model of the configuration"
_BRACKETS = re.compile(r"[\[\]]+")


def without_upstream_choice(body: bytes, content_type: str) -> bytes:
    """`body` without the members that choose LiteLLM's upstream; the same object if there are none.

    What stays keeps its bytes. LiteLLM reads every body that is not a form as JSON, whatever its
    content type. Raises InvalidRequest where such a name cannot be cut out: in a form, an
    unreadable body or JSON inside a string; and for a model that is a URL.
    """
    if not body:
        return body
    fields = form_fields(body, content_type)
    if fields is None:
        return _without_choice(body)
    for name, value in fields:
        _check_field(name, value)
    return body


def without_upstream_choice_query(query: str) -> str:
    """A raw query without such parameters; the same object if there are none."""
    if not query:
        return query
    parts = query.split("&")
    kept = [part for part in parts if not _chooses(unquote_plus(part.partition("=")[0]))]
    return query if len(kept) == len(parts) else "&".join(kept)


def _without_choice(body: bytes) -> bytes:
    try:
        members = _MEMBERS.decode(body)
        kept = _kept(members, in_metadata=False, depth=1)
    except _UNREADABLE:
        _check_unreadable(body)
        return body
    if "model" in members:
        _check_model(members["model"])
    return body if kept is members else msgspec.json.encode(kept)


def _chooses(name: str, *, in_metadata: bool = False) -> bool:
    if in_metadata:
        return name in UPSTREAM_PARAMS
    return name in _OUTSIDE_METADATA or PRICE_INFIX in name


def _kept(
    members: dict[str, msgspec.Raw], *, in_metadata: bool, depth: int
) -> dict[str, msgspec.Raw]:
    """The members that may stay, cleaned; `members` itself where nothing is to be done."""
    changed: dict[str, msgspec.Raw | None] = {}
    for name in members.keys() - PAYLOAD:
        raw = members[name]
        if _chooses(name, in_metadata=in_metadata):
            changed[name] = None
        elif _may_hold(raw):
            inside = in_metadata or name in METADATA
            clean = _clean(raw, in_metadata=inside, depth=depth)
            if clean is not raw:
                changed[name] = clean
    if not changed:
        return members
    merged = {**members, **changed}
    return {name: raw for name, raw in merged.items() if raw is not None}


def _may_hold(raw: msgspec.Raw) -> bool:
    """Whether a value is an object, a list or perhaps a string of JSON; most are none of them."""
    view = memoryview(raw)
    kind = view[0]
    return kind in _CONTAINERS or (kind == _TEXT and view[1] in _BEFORE_JSON)


def _clean(raw: msgspec.Raw, *, in_metadata: bool, depth: int) -> msgspec.Raw:
    """A value without such members at any depth; `raw` itself where there are none."""
    kind = memoryview(raw)[0]
    if kind == _TEXT:
        _check_text(raw, in_metadata=in_metadata, depth=depth)
        return raw
    if depth == _MAX_DEPTH:
        raise InvalidRequest(f"the body is nested more than {_MAX_DEPTH} levels deep")
    if kind == _OBJECT:
        members = _MEMBERS.decode(raw)
        kept = _kept(members, in_metadata=in_metadata, depth=depth + 1)
        return raw if kept is members else msgspec.Raw(msgspec.json.encode(kept))
    items = _ITEMS.decode(raw)
    clean = [
        _clean(item, in_metadata=in_metadata, depth=depth + 1) if _may_hold(item) else item
        for item in items
    ]
    return raw if all(map(is_, clean, items)) else msgspec.Raw(msgspec.json.encode(clean))


def _check_text(raw: msgspec.Raw, *, in_metadata: bool, depth: int) -> None:
    """LiteLLM reads some strings as JSON, `"metadata": "{...}"` for one."""
    text = _STRING.decode(raw).strip()
    if text[:1] in ("{", "["):
        _check_json_text(text.encode(), in_metadata=in_metadata, depth=depth)


def _check_json_text(text: bytes, *, in_metadata: bool, depth: int) -> None:
    try:
        inner = msgspec.Raw(text)
        clean = _clean(inner, in_metadata=in_metadata, depth=depth + 1)
    except _UNREADABLE:
        _check_unreadable(text)
        return
    if clean is not inner:
        raise InvalidRequest("JSON in a string names a parameter that is not accepted")


def _check_field(name: str, value: bytes) -> None:
    words = _BRACKETS.split(name)
    in_metadata = words[0] in METADATA
    if any(_chooses(word, in_metadata=in_metadata) for word in words):
        raise InvalidRequest(f"form field {name[:64]!r} is not accepted")
    text = value.strip()
    if text[:1] in (b"{", b"[") and name not in PAYLOAD:
        _check_json_text(text, in_metadata=in_metadata, depth=1)
    if name == "model" and b"://" in value:
        raise InvalidRequest(_URL_AS_MODEL)


def _check_model(raw: msgspec.Raw) -> None:
    """Some of LiteLLM's providers take a URL for a model, and go there."""
    if memoryview(raw)[0] == _TEXT and "://" in _STRING.decode(raw):
        raise InvalidRequest(_URL_AS_MODEL)


def _check_unreadable(body: bytes) -> None:
    """What does not parse may pass, for LiteLLM to answer, if no reader can find such a name."""
    if b"\\u00" in body:
        body = _ESCAPED_ASCII.sub(lambda match: bytes((int(match[1], 16),)), body)
    for match in _KEY.finditer(body):
        if _chooses(match[1].decode()):
            raise InvalidRequest(
                f"the body is not valid JSON and names {match[1].decode()}, which is not accepted"
            )
