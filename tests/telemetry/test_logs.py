import io
import json
import logging

import pytest

from memory_proxy.telemetry.logs import logging_to, request_id_of_context

logger = logging.getLogger("memory_proxy.test")


def written(*, as_json: bool = True, level: str = "info") -> list[str]:
    """The lines that a few log calls make."""
    stream = io.StringIO()
    token = request_id_of_context.set("req-1")
    with logging_to(stream, level=level, as_json=as_json):
        logger.debug("not shown at info")
        logger.info("answered", extra={"status": 200, "route": "openai_chat"})
        logger.warning("odd", extra={"error": "a\r\nb\x1b[31m"})
        try:
            raise ValueError("a bug")
        except ValueError:
            logger.exception("failed")
    request_id_of_context.reset(token)
    return stream.getvalue().splitlines()


def test_each_json_line_holds_its_fields_and_the_requests_id() -> None:
    lines = [json.loads(line) for line in written()]

    assert [line["event"] for line in lines] == ["answered", "odd", "failed"]
    assert lines[0] | {"status": 200, "route": "openai_chat", "level": "info"} == lines[0]
    assert {line["request_id"] for line in lines} == {"req-1"}
    assert "ValueError: a bug" in lines[2]["exception"]
    assert lines[0]["timestamp"].endswith("Z")


def test_readable_lines_hold_the_same() -> None:
    text = "\n".join(written(as_json=False))

    assert "answered" in text
    assert "status=200" in text
    assert "request_id=req-1" in text


@pytest.mark.parametrize("as_json", [True, False])
def test_no_field_can_begin_a_line_or_move_the_cursor(as_json: bool) -> None:
    text = "\n".join(written(as_json=as_json))

    assert "\x1b" not in text
    assert "\r" not in text
    assert not any(line.startswith("b") for line in text.splitlines())


def test_the_level_decides_what_is_written() -> None:
    assert len(written(level="debug")) == len(written()) + 1
    assert len([line for line in written(level="error") if line.startswith("{")]) == 1


def test_logging_is_as_before_when_the_context_ends() -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    written()

    assert (logging.getLogger().handlers, logging.getLogger().level) == before
