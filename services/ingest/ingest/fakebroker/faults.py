"""What can go wrong at the broker, as switches: so often, or the next so many times (pure but for its dice and counts).

Source: smartapi, sections 3.1, 4.1 and 10.
"""

import random
from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum

from oimon.errors import ConfigError


class Fault(StrEnum):
    """A switch; its comment says what happens each time it strikes."""

    # REST: one answer
    EMPTY_BODY = "empty-body"  # 200 and nothing
    HTML_504 = "html-504"  # a gateway's page
    HALF_JSON = "half-json"  # the answer breaks off
    SLOW = "slow"  # the answer comes later than the SDK waits
    THROTTLE = "throttle"  # 403 and the access-rate sentence, whatever the rate
    NULL_DATA = "null-data"  # `status: true, data: null`
    AB1004 = "ab1004"  # something went wrong, try later
    AB1021 = "ab1021"  # too many requests, inside a 200
    AB2001 = "ab2001"  # internal error
    AG8001 = "ag8001"  # a secure route finds the token invalid
    AG8002 = "ag8002"  # … or expired
    AG8004 = "ag8004"  # … or the API key invalid
    AB1050 = "ab1050"  # a login's TOTP is found invalid
    AB1006 = "ab1006"  # … the client blocked
    AB1007 = "ab1007"  # … the credentials wrong
    # instrument master: one download
    MASTER_HTML = "master-html"
    MASTER_HALF = "master-half"
    MASTER_EMPTY = "master-empty"
    MASTER_503 = "master-503"
    MASTER_HUGE = "master-huge"  # it does not end
    MASTER_STALE = "master-stale"  # lacks the nearest expiry
    # stream: one handshake
    HANDSHAKE_401 = "handshake-401"
    HANDSHAKE_429 = "handshake-429"
    HANDSHAKE_503 = "handshake-503"
    MUTE_CONNECT = "mute-connect"  # it connects, accepts everything and sends nothing
    # stream: at one frame of the feed
    CLOSE = "close"  # every connection ends without a close frame
    MUTE = "mute"  # every open connection falls silent for good
    HALF_OPEN = "half-open"  # … and answer not even pings
    TRUNCATED = "truncated"  # a piece of the packet comes before it
    OVERSIZED = "oversized"  # … the packet with bytes behind it
    RANDOM = "random"  # … bytes of chance
    WRONG_MODE = "wrong-mode"  # … the packet with the number of another mode
    ABSURD = "absurd"  # … with a price and an open interest that cannot be
    CLOCK_AHEAD = "clock-ahead"  # … from a day ahead
    OLD_DAY = "old-day"  # … from the day before
    TEXT = "text"  # … a text frame that nobody asked for
    DUPLICATE = "duplicate"  # the packet comes twice
    OUT_OF_ORDER = "out-of-order"  # the packet before it comes again, after it
    BURST = "burst"  # 1,000 packets, ten times
    TOKEN_EXPIRY = "token-expiry"  # tokens expire; open connections go on  # noqa: S105 - no password
    MIDNIGHT = "midnight"  # tokens expire and open connections fall silent


LOGIN = (Fault.AB1050, Fault.AB1006, Fault.AB1007)
GATEWAY = (Fault.AG8001, Fault.AG8002, Fault.AG8004)
ANSWER = (
    Fault.EMPTY_BODY, Fault.HTML_504, Fault.HALF_JSON, Fault.THROTTLE, Fault.NULL_DATA,
    Fault.AB1004, Fault.AB1021, Fault.AB2001,
)  # fmt: skip
MASTER = (
    Fault.MASTER_HTML, Fault.MASTER_HALF, Fault.MASTER_EMPTY, Fault.MASTER_503, Fault.MASTER_HUGE, Fault.MASTER_STALE,
)  # fmt: skip
HANDSHAKE = (Fault.HANDSHAKE_401, Fault.HANDSHAKE_429, Fault.HANDSHAKE_503)
SOCKET = (Fault.CLOSE, Fault.MUTE, Fault.HALF_OPEN, Fault.BURST, Fault.TOKEN_EXPIRY, Fault.MIDNIGHT)
"""Of all connections, at one frame of the feed."""
PACKET = (
    Fault.TRUNCATED, Fault.OVERSIZED, Fault.RANDOM, Fault.WRONG_MODE, Fault.ABSURD, Fault.CLOCK_AHEAD, Fault.OLD_DAY,
    Fault.TEXT, Fault.DUPLICATE, Fault.OUT_OF_ORDER,
)  # fmt: skip
"""Beside one frame of the feed, which comes whole in any case: what is newest stays what it was."""


class FaultBox:
    """Knows which faults are switched on, and counts those that struck."""

    def __init__(self, seed: int = 0) -> None:
        self._dice = random.Random(seed)  # noqa: S311 - nothing is to be kept secret
        self._rates: dict[Fault, float] = {}
        self._shots: Counter[Fault] = Counter()
        self.struck: Counter[Fault] = Counter()
        self.any_armed = False
        """Whether anything is switched on at all: nearly always nothing is, and a packet has little time."""

    def rate(self, name: str, share: float) -> None:
        """Let a fault strike at this share of its occasions; 0 switches it off, with the shots that are left.

        Raises:
            ConfigError: there is no such fault, or the share is not of 0 to 1.
        """
        fault = known(name)
        if not 0 <= share <= 1:
            raise ConfigError(f"a fault's rate must be 0 to 1, {name} was given {share}")
        self._rates.pop(fault, None)
        if share:
            self._rates[fault] = share
        else:
            del self._shots[fault]
        self._note()

    def next(self, name: str, times: int = 1) -> None:
        """Let a fault strike at its next occasions.

        Raises:
            ConfigError: there is no such fault, or fewer than one time.
        """
        if times < 1:
            raise ConfigError(f"a fault must strike at least once, {name} was given {times}")
        self._shots[known(name)] += times
        self._note()

    def clear(self) -> None:
        """Switch everything off; what struck stays counted."""
        self._rates.clear()
        self._shots.clear()
        self._note()

    def strikes(self, fault: Fault) -> bool:
        """Return whether a fault strikes at this occasion."""
        if self._shots[fault] > 0:
            self._shots[fault] -= 1
            self._note()
        elif not self._dice.random() < self._rates.get(fault, 0.0):
            return False
        self.struck[fault] += 1
        return True

    def first(self, faults: Iterable[Fault]) -> Fault | None:
        """Return the first of these that strikes at this occasion."""
        return next((fault for fault in faults if self.strikes(fault)), None)

    def facts(self) -> Mapping[str, Mapping[str, float]]:
        """Return what is switched on, and what struck, by name."""
        return {
            "rates": {fault.value: rate for fault, rate in self._rates.items()},
            "next": {fault.value: left for fault, left in self._shots.items() if left},
            "struck": {fault.value: count for fault, count in self.struck.items()},
        }

    def _note(self) -> None:
        self.any_armed = bool(self._rates) or any(self._shots.values())


def known(name: str) -> Fault:
    """Return the fault of a name.

    Raises:
        ConfigError: there is none; names those that exist.
    """
    try:
        return Fault(name.strip().lower())
    except ValueError:
        raise ConfigError(f"there is no fault {name!r}; choose of {', '.join(Fault)}") from None


def arm(box: FaultBox, text: str) -> None:
    """Switch on what a command line says: ``NAME`` strikes once, ``NAME=RATE`` at a share of its occasions.

    Raises:
        ConfigError: there is no such fault, or the rate is no number of 0 to 1.
    """
    name, has_rate, rate = text.partition("=")
    if not has_rate:
        box.next(name)
        return
    try:
        share = float(rate)
    except ValueError:
        raise ConfigError(f"a fault's rate must be a number, {name} was given {rate!r}") from None
    box.rate(name, share)
