"""Stops asking a memory that keeps failing, so that a broken store costs a chat nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic


@dataclass(slots=True)
class Breaker:
    """Opens after `failures_to_open` failures in a row; tries again after `pause_s` seconds."""

    failures_to_open: int = 5
    pause_s: float = 5.0
    now: Callable[[], float] = monotonic
    _failures: int = field(default=0, init=False)
    _retry_at: float = field(default=0.0, init=False)

    @property
    def is_open(self) -> bool:
        return self._failures >= self.failures_to_open and self.now() < self._retry_at

    def succeeded(self) -> None:
        self._failures = 0

    def failed(self) -> None:
        self._failures += 1
        self._retry_at = self.now() + self.pause_s
