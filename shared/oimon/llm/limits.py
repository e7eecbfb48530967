"""What keeps a model from costing too much, in money or in waiting.

Source: analytics specification, 11.1 (breaker); bus contract, 12 (budget).
"""

from datetime import date
from typing import Any

from oimon.calendar import day_of
from oimon.clock import Clock

FAILURES, OPEN_S = 5, 60.0


class Breaker:
    """Opens for a minute after five failures in a row; then one more failure opens it again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0
        self._until_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether nothing may be asked now."""
        return self._failures >= FAILURES and self._clock.monotonic_s() < self._until_s

    def note(self, *, is_good: bool) -> None:
        """Learn how a question ended."""
        self._failures = 0 if is_good else self._failures + 1
        if self._failures >= FAILURES:
            self._until_s = self._clock.monotonic_s() + OPEN_S


class Budget:
    """Questions and money of one day in India. What may be spent is taken before the question goes out.

    Args:
        calls: most questions a day.
        inr: most rupees a day.
        usd_inr: rupees for a dollar.
        clock: says which day it is.
    """

    def __init__(self, *, calls: int, inr: float, usd_inr: float, clock: Clock) -> None:
        self._calls, self._inr, self._usd_inr, self._clock = calls, inr, usd_inr, clock
        self._day: date | None = None
        self._asked = 0
        self._spent_inr = 0.0

    def is_spent(self) -> bool:
        """Say whether nothing is left for another question."""
        self._turn()
        return self._asked >= self._calls or self._spent_inr >= self._inr

    def take(self, usd: float) -> None:
        """Count a question and what it may cost at most, before it goes out."""
        self._turn()
        self._asked += 1
        self._spent_inr += usd * self._usd_inr

    def settle(self, taken_usd: float, cost_usd: float | None) -> None:
        """Correct what was taken by what it cost; an unknown cost leaves it."""
        if cost_usd is not None:
            self._spent_inr = max(0.0, self._spent_inr + (cost_usd - taken_usd) * self._usd_inr)

    def used(self) -> float:
        """Return the share of the day's questions or money that is used, whichever is greater; of nothing, nothing is."""
        self._turn()
        return max(
            self._asked / self._calls if self._calls else 0.0,
            self._spent_inr / self._inr if self._inr else 0.0,
        )

    def status(self) -> dict[str, Any]:
        """Return the day's use."""
        self._turn()
        return {
            "calls": self._asked,
            "calls_limit": self._calls,
            "inr": round(self._spent_inr, 2),
            "inr_limit": self._inr,
        }

    def _turn(self) -> None:
        today = day_of(self._clock.now_us())
        if today != self._day:
            self._day, self._asked, self._spent_inr = today, 0, 0.0
