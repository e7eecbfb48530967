"""How often each of the broker's endpoints may be asked: the published limits as data, and the pace that keeps to them.

The broker counts in rolling windows, so requests are spread evenly: a burst now would be paid for with a refusal later.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from aiolimiter import AsyncLimiter

from oimon.clock import Clock

SLACK_S = 0.1
"""Added to each interval: two requests sent a second apart may arrive less than a second apart."""
BACK_OFF_S = (1.0, 60.0)
"""First and longest wait after an answer that says there were too many requests. Source: smartapi, 3.2."""
HOUR_S = 3600.0


class Endpoint(StrEnum):
    """What the broker is asked for."""

    LOGIN = "loginByPassword"
    LOGOUT = "logout"
    RENEW = "generateTokens"
    QUOTE = "quote"
    OI = "getOIData"
    GREEKS = "optionGreek"
    PCR = "putCallRatio"


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """Requests that an endpoint answers, for each client code; ``None``: not published."""

    second: int | None
    minute: int | None = None
    hour: int | None = None

    @property
    def interval_s(self) -> float:
        """Least seconds between two requests that keeps to all of it in every window."""
        spans = ((1.0, self.second), (60.0, self.minute), (HOUR_S, self.hour))
        return max(span / most for span, most in spans if most) + SLACK_S


PUBLISHED: Mapping[Endpoint, Limit] = {
    Endpoint.LOGIN: Limit(second=1),
    Endpoint.LOGOUT: Limit(second=1),
    Endpoint.RENEW: Limit(second=1, hour=1000),
    Endpoint.QUOTE: Limit(second=10, minute=500, hour=5000),
    Endpoint.OI: Limit(second=1, minute=180, hour=5000),  # not published; counted with the candles
    Endpoint.GREEKS: Limit(second=1),
    Endpoint.PCR: Limit(second=1),  # not published
}
"""Source: smartapi, 3.2."""

KEPT: Mapping[Endpoint, Limit] = {
    **PUBLISHED,
    # One page of the broker's papers says 10 a second, another 1; the smaller is right by both.
    Endpoint.QUOTE: Limit(second=1, minute=500, hour=5000),
}
"""What is kept to, where the papers leave a choice."""


class Pace:
    """The turns of one endpoint.

    Args:
        limit: what to keep to.
        clock: for what was asked in the last hour, and for waiting after a refusal.
        jitter: gives 0 to 1.
    """

    def __init__(
        self, limit: Limit, clock: Clock, jitter: Callable[[], float] = random.random
    ) -> None:
        self._limiter = AsyncLimiter(1, limit.interval_s)
        self._limit, self._clock, self._jitter = limit, clock, jitter
        self._asked_s: deque[float] = deque(maxlen=limit.hour or 10_000)
        self._refusals = 0
        self._not_before_s = 0.0

    async def turn(self) -> None:
        """Wait until the endpoint may be asked, and count the request."""
        while (wait_s := self.back_off_s()) > 0:  # noqa: ASYNC110 - another refusal may have come meanwhile
            await asyncio.sleep(wait_s)
        await self._limiter.acquire()
        self._asked_s.append(self._clock.monotonic_s())

    def back_off_s(self) -> float:
        """Return the seconds that are left to wait after a refusal."""
        return max(0.0, self._not_before_s - self._clock.monotonic_s())

    def throttled(self) -> None:
        """Note that there were too many requests: 1, 2, 4 … seconds of silence, a part of it by chance."""
        first, longest = BACK_OFF_S
        wait_s = min(longest, first * 2.0 ** min(self._refusals, 10))
        self._refusals += 1
        self._not_before_s = self._clock.monotonic_s() + wait_s * (0.75 + self._jitter() / 2)

    def answered(self) -> None:
        """Note an answer: the next refusal is the first again."""
        self._refusals = 0

    def left(self) -> int | None:
        """Return how many requests of this hour are left, as far as this process knows; ``None``: without such a limit."""
        if self._limit.hour is None:
            return None
        since_s = self._clock.monotonic_s() - HOUR_S
        return self._limit.hour - sum(at_s > since_s for at_s in self._asked_s)


class Limits:
    """A pace for each endpoint."""

    def __init__(
        self,
        clock: Clock,
        limits: Mapping[Endpoint, Limit] = KEPT,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._paces = {endpoint: Pace(limit, clock, jitter) for endpoint, limit in limits.items()}

    def __getitem__(self, endpoint: Endpoint) -> Pace:
        return self._paces[endpoint]

    def left(self) -> dict[str, int]:
        """Return how many requests of this hour are left, by endpoint, where there is such a limit."""
        left = {endpoint.value: pace.left() for endpoint, pace in self._paces.items()}
        return {name: count for name, count in left.items() if count is not None}
