"""Images, audio and files of a message, as the short text that stands for them in memory.

Their bytes are neither stored nor searched: `[image 3f2a91c07b5d]` says that there was one, and
that it is the same as another with that digest. A file has its name, an image its caption if any.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

_KINDS = {
    "image": "image", "image_url": "image", "input_image": "image",
    "audio": "audio", "input_audio": "audio",
    "video": "video", "video_url": "video",
    "file": "file", "input_file": "file", "document": "file", "container_upload": "file",
}  # fmt: skip
_SAMPLE_BYTES = 32_768


class _File(msgspec.Struct):
    filename: str | None = None


class _Part(msgspec.Struct):
    """What names a part, in any format."""

    type: str = ""
    title: str | None = None
    filename: str | None = None
    caption: str | None = None
    alt: str | None = None
    file: _File | None = None


class _Message(msgspec.Struct):
    content: list[msgspec.Raw]


_part = msgspec.json.Decoder(_Part)
_message = msgspec.json.Decoder(_Message)


def with_attachments(text: str, message: msgspec.Raw, kinds: Iterable[str]) -> str:
    """`text`, and a line for each attachment among the content parts of `message`.

    `kinds` are the types of its parts: those without attachments are not looked at again.
    """
    if _KINDS.keys().isdisjoint(kinds):
        return text
    lines = [line for part in _message.decode(message).content if (line := _line(bytes(part)))]
    return "\n".join([text, *lines] if text else lines)


def _line(raw: bytes) -> str | None:
    try:
        part = _part.decode(raw)
    except msgspec.DecodeError:
        return None
    kind = _KINDS.get(part.type)
    if kind is None:
        return None
    names = (part.title, part.filename, part.file.filename if part.file else None,
             part.caption, part.alt)  # fmt: skip
    name = next((name.strip() for name in names if name and name.strip()), "")
    return " ".join(word for word in (f"[{kind}", _digest(raw), name[:200]) if word) + "]"


def _digest(raw: bytes) -> str:
    """Of the length, the beginning and the end: a photo is not hashed whole inside a request."""
    digest = blake2b(len(raw).to_bytes(8, "big"), digest_size=6)
    digest.update(raw[:_SAMPLE_BYTES])
    digest.update(raw[-_SAMPLE_BYTES:])
    return digest.hexdigest()
