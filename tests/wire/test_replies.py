"""What a reader keeps of replies that are too long, or not what they should be."""

import json

from memory_proxy.wire.anthropic_messages import AnthropicMessages
from memory_proxy.wire.openai_chat import OpenAIChat


def _chunk(delta: object) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": delta}]}).encode() + b"\n\n"


def test_a_very_long_reply_is_kept_to_its_first_million_characters() -> None:
    reader = OpenAIChat().reply_reader(stream=True)
    for _ in range(60):
        reader.feed(_chunk({"content": "0123456789" * 2_000}))
    reader.feed(_chunk({"tool_calls": [{"index": 0, "id": "c", "function": {"arguments": "{}"}}]}))
    reader.feed(b"data: [DONE]\n\n")

    assert reader.message is not None
    assert reader.message.text == "0123456789" * 100_000
    assert reader.complete


def test_a_reply_calls_a_thousand_tools_at_most() -> None:
    reader = OpenAIChat().reply_reader(stream=True)
    for index in range(1_100):
        reader.feed(_chunk({"tool_calls": [{"index": index, "id": f"c{index}"}]}))

    assert reader.message is not None
    assert len(reader.message.tool_calls) == 1_000


def test_a_body_of_more_than_ten_megabytes_is_not_read() -> None:
    reader = OpenAIChat().reply_reader(stream=False)
    said = {"choices": [{"message": {"content": "x" * 1_000}}], "padding": "x" * 11_000_000}
    body = json.dumps(said).encode()
    for at in range(0, len(body), 65536):
        reader.feed(body[at : at + 65536])

    assert reader.message is None
    assert not reader.complete


def test_a_whole_reply_is_asked_for_its_choice_zero_wherever_it_stands() -> None:
    reader = OpenAIChat().reply_reader(stream=False)
    choices = [{"index": 1, "message": {"content": "b"}}, {"index": 0, "message": {"content": "a"}}]
    reader.feed(json.dumps({"choices": choices}).encode())

    assert reader.message is not None
    assert reader.message.text == "a"


def test_choices_without_an_index_count_from_zero() -> None:
    reader = OpenAIChat().reply_reader(stream=False)
    choices = [{"message": {"content": "a"}}, {"message": {"content": "b"}}]
    reader.feed(json.dumps({"choices": choices}).encode())

    assert reader.message is not None
    assert reader.message.text == "a"


def test_a_tool_input_that_comes_whole_is_kept() -> None:
    reader = AnthropicMessages().reply_reader(stream=True)
    block = {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1}}
    event = {"type": "content_block_start", "index": 0, "content_block": block}
    reader.feed(b"data: " + json.dumps(event).encode() + b"\n\n")

    assert reader.message is not None
    assert json.loads(reader.message.tool_calls[0].arguments) == {"a": 1}


def test_an_empty_reply_has_no_message() -> None:
    for wire in (OpenAIChat(), AnthropicMessages()):
        for stream in (True, False):
            reader = wire.reply_reader(stream=stream)
            reader.feed(b"")

            assert reader.message is None
            assert not reader.complete
            assert reader.usage.input_tokens is None
