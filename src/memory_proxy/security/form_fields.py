"""The fields of a form, as any reader of it could understand them."""

import re
from collections.abc import Iterator
from urllib.parse import unquote_plus

from memory_proxy.core.errors import InvalidRequest

_MAX_PART_HEAD_BYTES = 16 * 1024

_BOUNDARY = re.compile(r';\s*boundary\s*=\s*(?:"([^"\\]+)"|([^\s;,"]+))', re.IGNORECASE)
_CHARSET = re.compile(r';\s*charset\s*=\s*"?(?!utf-?8|us-ascii)', re.IGNORECASE)
_NAME = re.compile(rb'(?<!file)name\s*=\s*(?:"((?:[^"\\]|\\.)*)"?|([^;\s]*))', re.IGNORECASE)
_ENCODED_NAME = re.compile(rb"(?<!file)name\*", re.IGNORECASE)
_FILE = re.compile(rb"filename\*?\s*=", re.IGNORECASE)


def form_fields(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]] | None:
    """Names and values of a form's fields, None for what is no form; a file's value is empty.

    Reading them raises InvalidRequest where two readers could see different fields.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        return _parts(body, content_type)
    if kind == "application/x-www-form-urlencoded":
        return _pairs(body)
    return None


def _pairs(body: bytes) -> Iterator[tuple[str, bytes]]:
    for pair in re.split(rb"[&;]", body):  # some readers part at either
        name, _, value = pair.decode("latin-1").partition("=")
        yield unquote_plus(name), unquote_plus(value).encode()


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, bytes]]:
    match = _BOUNDARY.search(content_type)
    if match is None or _CHARSET.search(content_type):
        raise InvalidRequest("content-type: multipart needs a plain boundary, and UTF-8")
    boundary = (match[1] or match[2]).encode("latin-1", "replace")
    for part in body.split(b"--" + boundary):
        yield from _fields_of(part)


def _fields_of(part: bytes) -> Iterator[tuple[str, bytes]]:
    """A part is looked at wherever the boundary stands, so one inside a header hides nothing."""
    head, _, value = part.partition(b"\r\n\r\n")
    if len(head) > _MAX_PART_HEAD_BYTES or _ENCODED_NAME.search(head):
        raise InvalidRequest("multipart: the header of a part is too long or encoded")
    value = b"" if _FILE.search(head) else value
    for match in _NAME.finditer(head):
        name = (match[1] if match[1] is not None else match[2]).replace(b"\\", b"")
        yield name.decode("utf-8", "replace"), value
