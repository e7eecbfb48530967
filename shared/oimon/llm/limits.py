"""What keeps a model from costing too much, in money or in waiting.

Source: analytics specification, 11.1 (breaker); bus contract, 12 (budget).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from oimon.clock import Clock

FAILURES, OPEN_S = 5, 60.0
SPENT, UNKNOWN = "budget", "budget_unknown"
"""Why no question went out: the day's budget is used up; nobody could say whether it is."""


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


class NoBudget(Exception):  # noqa: N818 - what happened
    """No question may go out; says why: ``SPENT`` or ``UNKNOWN``."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken for one question: of which day's budget, and how many dollars."""

    day: str
    usd: float


class Budget(Protocol):
    """What a model's questions may cost: ``oimon.coach`` has the real one."""

    def is_spent(self) -> bool:
        """Say whether nothing is left for another question, as far as is known."""
        ...

    async def take(self, usd: float) -> Taken:
        """Take a question and what it may cost at most, before it goes out.

        Raises:
            NoBudget: it may not go out.
        """
        ...

    async def settle(self, taken: Taken, cost_usd: float | None, tokens: int = 0) -> None:
        """Correct what was taken by what the question came to; an unknown cost leaves it. Never raises but when cancelled."""
        ...

    def status(self) -> Mapping[str, Any]:
        """Return what ``/status`` says of it."""
        ...
