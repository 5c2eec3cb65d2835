"""Times that a question names: `last week`, `in May`, `3 days ago`, `on 7 May 2023`.

A time without its year is the last one that has begun.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

_MONTHS: Final = (
    "january february march april may june july august september october november december".split()
)
_WEEKDAYS: Final = {
    day: number
    for number, day in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())
}
_COUNTS: Final = {
    "a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "few": 3, "couple of": 2, "several": 4,
}  # fmt: skip
_UNIT_DAYS: Final = {"day": 1, "week": 7, "month": 30, "year": 365}

_MONTH: Final = (
    r"(?P<month>january|february|march|april|may|june|july|august|september|october|november"
    r"|december|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec)"
)
_YEAR: Final = r"(?P<year>(?:19|20)\d\d)"
_DAY: Final = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th)?"
_COUNT: Final = (
    r"(?P<count>\d{1,3}|an?|one|two|three|four|five|six|seven|eight|nine|ten"
    r"|(?:a )?few|(?:a )?couple of|several)"
)
_UNIT: Final = r"(?P<unit>day|week|month|year)s?"


@dataclass(frozen=True, slots=True)
class Period:
    """From `start` up to `end`, which is no longer in it."""

    start: datetime
    end: datetime


def periods_in(text: str, now: datetime) -> list[Period]:
    """The times that `text` names, seen from `now`; what no calendar has is left out."""
    lower = text.lower()
    return [
        period
        for pattern, read in _READERS
        for match in pattern.finditer(lower)
        for period in _possible(read, match, now)
    ]


_Reader = Callable[[re.Match[str], datetime], Period]


def _possible(read: _Reader, match: re.Match[str], now: datetime) -> Iterator[Period]:
    try:
        yield read(match, now)
    except (ValueError, OverflowError):  # the 31st of June; the year 0
        return


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _days(start: datetime, count: int = 1) -> Period:
    return Period(start, start + timedelta(days=count))


def _near_day(match: re.Match[str], now: datetime) -> Period:
    back = {"the day before yesterday": 2, "yesterday": 1, "last night": 1}.get(match.group(), 0)
    return _days(_midnight(now) - timedelta(days=back))


def _unit_around(match: re.Match[str], now: datetime) -> Period:
    """`last week`, `this month`: by the calendar."""
    back = 0 if match["which"] == "this" else 1
    today = _midnight(now)
    match match["unit"]:
        case "week":
            return _days(today - timedelta(days=today.weekday() + 7 * back), 7)
        case "weekend":
            return _weekend(today, back)
        case "month":
            month = today.year * 12 + today.month - 1 - back
            return _month(month // 12, month % 12 + 1, now)
        case _:
            return _year(today.year - back, now)


def _weekend(today: datetime, back: int) -> Period:
    """On a weekday `this weekend` is the coming one; `last` is the one before, in either case."""
    saturday = today + timedelta(days=5 - today.weekday())
    return _days(saturday - timedelta(days=7 * back), 2)


def _lately(match: re.Match[str], now: datetime) -> Period:
    """`the past 3 weeks`."""
    days = _count(match["count"]) * _UNIT_DAYS[match["unit"]]
    return Period(_midnight(now) - timedelta(days=days), now + timedelta(days=1))


def _ago(match: re.Match[str], now: datetime) -> Period:
    """`3 weeks ago`: as exact as its unit."""
    unit = _UNIT_DAYS[match["unit"]]
    start = _midnight(now) - timedelta(days=_count(match["count"]) * unit + unit // 2)
    return _days(start, unit)


def _weekday(match: re.Match[str], now: datetime) -> Period:
    """The last day of that name before today."""
    today = _midnight(now)
    back = (today.weekday() - _WEEKDAYS[match["weekday"]] - 1) % 7 + 1
    return _days(today - timedelta(days=back))


def _date(match: re.Match[str], now: datetime) -> Period:
    month, day = _number_of(match["month"]), int(match["day"])
    if match["year"]:
        return _days(_midnight(now).replace(year=int(match["year"]), month=month, day=day))
    this_year = _midnight(now).replace(month=month, day=day)
    return _days(this_year if this_year <= now else this_year.replace(year=now.year - 1))


def _named_month(match: re.Match[str], now: datetime) -> Period:
    return _month(int(match["year"]), _number_of(match["month"]), now)


def _last_month_named(match: re.Match[str], now: datetime) -> Period:
    month = _number_of(match["month"])
    return _month(now.year if month <= now.month else now.year - 1, month, now)


def _iso_date(match: re.Match[str], now: datetime) -> Period:
    year, month, day = (int(match[name]) for name in ("year", "month", "day"))
    return _days(_midnight(now).replace(year=year, month=month, day=day))


def _named_year(match: re.Match[str], now: datetime) -> Period:
    return _year(int(match["year"]), now)


def _month(year: int, month: int, now: datetime) -> Period:
    start = _midnight(now).replace(year=year, month=month, day=1)
    return _days(start, monthrange(year, month)[1])


def _year(year: int, now: datetime) -> Period:
    start = _midnight(now).replace(year=year, month=1, day=1)
    return Period(start, start.replace(year=year + 1))


def _number_of(month: str) -> int:
    return next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(month[:3]))


def _count(word: str) -> int:
    return int(word) if word.isdigit() else _COUNTS[word.removeprefix("a ") or word]


_READERS: Final[tuple[tuple[re.Pattern[str], _Reader], ...]] = tuple(
    (re.compile(rf"\b(?:{pattern})\b"), read)
    for pattern, read in (
        (r"the day before yesterday|(?<!before )yesterday|last night|today|tonight", _near_day),
        (r"(?P<which>last|this|past|previous) (?P<unit>weekend|week|month|year)", _unit_around),
        (rf"(?:last|past|previous) {_COUNT} {_UNIT}", _lately),
        (rf"{_COUNT} {_UNIT} ago", _ago),
        (rf"(?:on|last|this|past) (?P<weekday>{'|'.join(_WEEKDAYS)})", _weekday),
        (rf"{_MONTH}\.? {_DAY}(?:,? {_YEAR})?", _date),
        (rf"{_DAY} (?:of )?{_MONTH}(?:,? {_YEAR})?", _date),
        (rf"{_MONTH},? {_YEAR}", _named_month),
        (rf"(?:in|during|last|this|since|until|early|late) {_MONTH}(?!,? \d)", _last_month_named),
        (rf"{_YEAR}-(?P<month>\d\d)-(?P<day>\d\d)", _iso_date),
        (rf"(?:in|during|since|of|from) {_YEAR}", _named_year),
    )
)
