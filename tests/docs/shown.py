"""Whether what a page shows is what really came; `…` stands for whatever may differ."""

import re
from typing import Any

_ANYTHING = "…"


def is_text(shown: str, actual: str) -> bool:
    """A line of `…` alone stands for any number of lines."""
    lines = [line.rstrip() + "\n" for line in actual.strip().splitlines()]
    return re.fullmatch(_lines(shown), "".join(lines)) is not None


def is_json(shown: Any, actual: Any) -> bool:
    """The same members and items, and equal values, but for numbers: of those only the type counts.

    A member called `…` allows others beside those that are shown.
    """
    if isinstance(shown, dict):
        return isinstance(actual, dict) and _is_object(shown, actual)
    if isinstance(shown, list):
        return (
            isinstance(actual, list)
            and len(shown) == len(actual)
            and all(map(is_json, shown, actual))
        )
    if isinstance(shown, str):
        return isinstance(actual, str) and re.fullmatch(_line(shown), actual) is not None
    if isinstance(shown, bool) or shown is None:
        return actual is shown
    return isinstance(actual, int | float) and not isinstance(actual, bool)


def _is_object(shown: dict[str, Any], actual: dict[str, Any]) -> bool:
    named = shown.keys() - {_ANYTHING}
    return (named == actual.keys() or (_ANYTHING in shown and named <= actual.keys())) and all(
        is_json(shown[name], actual[name]) for name in named
    )


def _lines(shown: str) -> str:
    return "".join(
        "(?:.*\n)*" if line.strip() == _ANYTHING else _line(line.rstrip()) + "\n"
        for line in shown.strip().splitlines()
    )


def _line(shown: str) -> str:
    return ".*".join(map(re.escape, shown.split(_ANYTHING)))
