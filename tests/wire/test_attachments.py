import json
from typing import Any

import pytest

from memory_proxy.wire import WIRE_FORMATS, WireFormat

each_format = pytest.mark.parametrize("wire", WIRE_FORMATS, ids=lambda wire: wire.name)
TEXT = {"type": "text", "text": "see this"}


def text_of(wire: WireFormat, *parts: Any) -> str:
    body = {"model": "m", "messages": [{"role": "user", "content": list(parts)}]}
    return wire.read(json.dumps(body).encode()).messages[-1].text


@each_format
def test_an_image_is_its_digest_and_its_caption_and_never_its_bytes(wire: WireFormat) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 5000}}
    text = text_of(wire, TEXT, image, {**image, "alt": "a red door"})

    said, first, second = text.split("\n")
    assert said == "see this"
    assert first.startswith("[image ")
    assert second.endswith(" a red door]")
    assert "QUJD" not in text


@each_format
def test_the_same_image_has_the_same_digest_and_another_has_not(wire: WireFormat) -> None:
    one = {"type": "image", "source": {"type": "base64", "data": "A" * 100_000}}
    other = {"type": "image", "source": {"type": "base64", "data": "A" * 100_004}}

    assert text_of(wire, one) == text_of(wire, one)
    assert text_of(wire, one) != text_of(wire, other)


@each_format
def test_a_file_has_its_name(wire: WireFormat) -> None:
    openai = {"type": "file", "file": {"filename": "plan.pdf", "file_data": "x"}}
    anthropic = {"type": "document", "title": "plan.pdf", "source": {"data": "x"}}

    assert text_of(wire, openai).endswith(" plan.pdf]")
    assert text_of(wire, anthropic).endswith(" plan.pdf]")


@each_format
def test_odd_parts_are_no_trouble(wire: WireFormat) -> None:
    odd = [{"type": "image", "title": 7}, {"type": "hologram"}, {"type": "file", "file": None}]

    assert text_of(wire, TEXT, *odd).startswith("see this")
