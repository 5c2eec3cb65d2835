"""A clock that moves only when it is told to."""

from datetime import UTC, datetime, timedelta

_START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)


class FrozenClock:
    """Called, it says what time it is: always the same, until `advance`."""

    def __init__(self, at: datetime = _START) -> None:
        self._now = at.astimezone(UTC)

    def __call__(self) -> datetime:
        return self._now

    def advance(self, by: timedelta | float) -> datetime:
        """Move on by `by` (a number means seconds); the new time."""
        self._now += by if isinstance(by, timedelta) else timedelta(seconds=by)
        return self._now
