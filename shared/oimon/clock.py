"""Time as an argument: the machine's clock, or one that a test turns by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """Source of the present instant."""

    def now_us(self) -> int:
        """Return microseconds since the epoch (UTC)."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds on a clock that is never set back."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_us(self) -> int:
        """Return microseconds since the epoch (UTC)."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Return seconds on a clock that is never set back."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is turned."""

    def __init__(self, now_us: int = 0) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Return microseconds since the epoch (UTC)."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Return the same instant in seconds."""
        return self._now_us / 1e6

    def advance(self, seconds: float) -> None:
        """Turn the clock forward."""
        self._now_us += round(seconds * 1e6)
