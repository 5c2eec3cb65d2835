"""The comparison of what a page shows with what came."""

import pytest

from tests.docs.shown import is_json, is_text


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ("one\ntwo\n", "one\r\ntwo  \r\n\r\n", True),
        ("one", "one\ntwo", False),
        ("…\ntwo", "zero\none\ntwo", True),
        ("date: …", "date: today", True),
        ("a.c", "abc", False),
        ("one\n…", "one", True),
    ],
)
def test_text_is_compared_line_by_line(shown: str, actual: str, same: bool) -> None:
    assert is_text(shown, actual) == same


@pytest.mark.parametrize(
    ("shown", "actual", "same"),
    [
        ({"a": 1}, {"a": 2.5}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": False}, False),
        ({"a": None}, {"a": None}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ({"a": 1, "…": "…"}, {"a": 1, "b": 1}, True),
        ({"a": 1, "…": "…"}, {"b": 1}, False),
        ([{"id": "x-…"}], [{"id": "x-1"}], True),
        ([1], [1, 2], False),
        ("teal", "blue", False),
        ({"a": 1}, [1], False),
    ],
)
def test_json_is_compared_member_by_member(shown: object, actual: object, same: bool) -> None:
    assert is_json(shown, actual) == same
