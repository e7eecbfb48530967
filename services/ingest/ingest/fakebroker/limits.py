"""The published limits of each endpoint, over rolling windows (pure but for its memory). Source: smartapi, section 3.2."""

from collections import defaultdict, deque
from collections.abc import Mapping

from oimon.clock import Clock

SECOND, MINUTE, HOUR = 1, 60, 3600
Limits = Mapping[int, int]
"""Requests by seconds of the window."""

_QUOTE: Limits = {SECOND: 10, MINUTE: 500, HOUR: 5000}
_CANDLES: Limits = {SECOND: 3, MINUTE: 180, HOUR: 5000}
_ONE: Limits = {SECOND: 1}
PUBLISHED: Mapping[str, Limits] = {
    "loginByPassword": _ONE,
    "logout": _ONE,
    "generateTokens": {SECOND: 1, HOUR: 1000},
    "getProfile": {SECOND: 3, HOUR: 1000},
    "getRMS": {SECOND: 2},
    "quote": _QUOTE,
    "getLtpData": _QUOTE,
    "getCandleData": _CANDLES,
    "searchScrip": _ONE,
    "optionGreek": _ONE,
    # Not published: the strictest that is assumed.
    "getOIData": _ONE,
    "putCallRatio": _ONE,
    "gainersLosers": _ONE,
    "OIBuildup": _ONE,
}
SHARED: Mapping[str, str] = {"getOIData": "getCandleData"}
"""An endpoint that counts against another's windows as well."""
SENTENCE = "Access denied because of exceeding access rate"
"""Body of the 403, plain text."""


class RollingLimits:
    """Counts what was let through."""

    def __init__(self, clock: Clock, published: Mapping[str, Limits] = PUBLISHED) -> None:
        self._clock = clock
        self._published = published
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)

    def lets(self, endpoint: str) -> bool:
        """Return whether one more request of an endpoint is within its limits; if so it is counted."""
        now_s = self._clock.monotonic_s()
        names = [endpoint, *([SHARED[endpoint]] if endpoint in SHARED else [])]
        if any(self._is_full(name, now_s) for name in names):
            return False
        for name in names:
            self._times[name].append(now_s)
        return True

    def _is_full(self, endpoint: str, now_s: float) -> bool:
        times = self._times[endpoint]
        while times and times[0] <= now_s - HOUR:
            times.popleft()
        for window_s, most in self._published.get(endpoint, {}).items():
            if len(times) >= most and times[-most] > now_s - window_s:
                return True
        return False
