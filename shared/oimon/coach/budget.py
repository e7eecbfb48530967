"""What a coach's questions cost in a day, counted in the log: one budget, however many replicas ask.

Source: bus contract, 2 (``oi.budget``) and 12.
"""

import asyncio
import contextlib
import math
from typing import Any

from oimon.bus import Bus, Use
from oimon.calendar import day_of
from oimon.clock import Clock
from oimon.errors import BusDown
from oimon.llm.limits import SPENT, UNKNOWN, NoBudget, Taken
from oimon.terms import Coach

PURSE = "llm"
LOOK_EVERY_S = 5.0


class Budget:
    """Questions and money of one day in India, of a coach and all its replicas. What may be spent is taken before the question goes out.

    Between two questions it knows what the log last said; ``watch`` hears what the other replicas take.

    Args:
        bus: has the purse.
        coach: whose budget it is.
        calls: most questions a day.
        inr: most rupees a day.
        usd_inr: rupees for a dollar.
        clock: says which day it is.
    """

    def __init__(
        self, bus: Bus, coach: Coach, *, calls: int, inr: float, usd_inr: float, clock: Clock
    ) -> None:
        self._bus, self._coach, self._clock = bus, coach, clock
        self._inr, self._usd_inr = inr, usd_inr
        self._limit = Use(calls=calls, usd=inr / usd_inr)
        self._day, self._used = "", Use()

    def is_spent(self) -> bool:
        """Say whether nothing is left for another question, as far as was heard today."""
        used = self._heard()
        return used is not None and (used.calls >= self._limit.calls or used.usd >= self._limit.usd)

    async def take(self, usd: float) -> Taken:
        """Take a question and what it may cost at most, in dollars.

        Raises:
            NoBudget: nothing is left, or the log cannot say.
        """
        day = self._today()
        try:
            is_taken = await self._spend(day, Use(calls=1, usd=usd), self._limit)
        except BusDown as error:
            raise NoBudget(UNKNOWN) from error
        if not is_taken:
            raise NoBudget(SPENT)
        return Taken(day, usd)

    async def settle(self, taken: Taken, cost_usd: float | None, tokens: int = 0) -> None:
        """Correct what was taken by what it came to; an unknown cost leaves it, and so does a log that is away."""
        usd = 0.0 if cost_usd is None else cost_usd - taken.usd
        with contextlib.suppress(BusDown):
            await self._spend(taken.day, Use(tokens=tokens, usd=usd))

    async def watch(self) -> None:
        """Hear every few seconds what all replicas have used, until cancelled.

        Raises:
            ConfigError: this user may not have the purse.
        """
        while True:
            with contextlib.suppress(BusDown):
                await self._spend(self._today(), Use(), Use())  # of nothing, nothing is taken
            await asyncio.sleep(LOOK_EVERY_S)

    def used(self) -> float:
        """Return the share of the day's questions or money that is used, whichever is greater; of nothing, nothing is.

        Not a number before anything was heard of the day.
        """
        used, limit = self._heard(), self._limit
        if used is None:
            return math.nan
        return max(
            used.calls / limit.calls if limit.calls else 0.0,
            used.usd / limit.usd if limit.usd else 0.0,
        )

    def status(self) -> dict[str, Any]:
        """Return the day's use of all replicas as last heard, ``None`` before."""
        used = self._heard()
        return {
            "calls": used and used.calls,
            "calls_limit": self._limit.calls,
            "tokens": used and used.tokens,
            "inr": used and round(used.usd * self._usd_inr, 2),
            "inr_limit": self._inr,
        }

    async def _spend(self, day: str, use: Use, limit: Use | None = None) -> bool:
        is_taken, used = await self._bus.spend(PURSE, day, self._coach, use, limit)
        if day >= self._day:  # what was taken yesterday may be settled today
            self._day, self._used = day, used
        return is_taken

    def _heard(self) -> Use | None:
        return self._used if self._day == self._today() else None

    def _today(self) -> str:
        return f"{day_of(self._clock.now_us()):%Y%m%d}"
