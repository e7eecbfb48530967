"""The field's closed lists, each spelled as it stands in messages.

A ``StrEnum`` member is its own JSON value. Source: the analytics specification, sections named beside each list.
"""

from enum import StrEnum


class Segment(StrEnum):
    """Part of an exchange that a session watches."""

    NFO = "NFO"  # NSE futures and options
    MCX = "MCX"  # commodities
    NSE = "NSE"  # NSE shares
    BFO = "BFO"  # BSE futures and options


class Mode(StrEnum):
    """Where the numbers come from; stands on every screen, message and row."""

    LIVE = "LIVE"
    REPLAY = "REPLAY"
    SIMULATED = "SIMULATED"


class Kind(StrEnum):
    """Kind of an instrument."""

    INDEX = "INDEX"
    FUT = "FUT"
    CE = "CE"
    PE = "PE"
    EQ = "EQ"


class OptionKind(StrEnum):
    """A call or a put, by the exchange's names."""

    CE = "CE"
    PE = "PE"


class MarketState(StrEnum):
    """State of a segment's market (12.2)."""

    PREOPEN = "PREOPEN"
    OPEN = "OPEN"
    OPEN_CAS = "OPEN_CAS"  # derivatives trade on while the cash market is in its closing auction
    CAS = "CAS"
    TRANSITION = "TRANSITION"
    POSTCLOSE = "POSTCLOSE"
    CLOSED = "CLOSED"
    HALT_SUSPECTED = "HALT_SUSPECTED"
    UNKNOWN = "UNKNOWN"  # beyond the end of the dated table


class FeedState(StrEnum):
    """What ingest knows of its feed."""

    OK = "ok"
    SILENT = "silent"
    DOWN = "down"
    LOGIN_FAILED = "login_failed"
    ENDED = "ended"


class Quality(StrEnum):
    """How far a chain can be trusted (1.6)."""

    OK = "ok"
    DEGRADED = "degraded"
    BAD = "bad"


class BuildUp(StrEnum):
    """Class of a leg by the change of its price and of its open interest (5.1)."""

    LONG_BUILDUP = "LONG_BUILDUP"
    SHORT_BUILDUP = "SHORT_BUILDUP"
    SHORT_COVERING = "SHORT_COVERING"
    LONG_UNWINDING = "LONG_UNWINDING"
    NONE = "NONE"


class Verdict(StrEnum):
    """Reading of one strike (5.3)."""

    BULL = "Bull"
    BEAR = "Bear"
    NEUTRAL = "Neutral"


class Direction(StrEnum):
    """Label of the market (6.2)."""

    BULLISH = "BULLISH"
    BEARISH = "BEARISH"
    NEUTRAL = "NEUTRAL"


class Signal(StrEnum):
    """View on the underlying (7.1); SELL never means writing an option."""

    BUY = "BUY"
    SELL = "SELL"
    HOLD = "HOLD"


class EventKind(StrEnum):
    """What can happen to a chain at a beat (4.2, 6.2, requirement B06)."""

    SUPPORT_SHIFT_UP = "SUPPORT_SHIFT_UP"
    SUPPORT_SHIFT_DOWN = "SUPPORT_SHIFT_DOWN"
    SUPPORT_BREAK = "SUPPORT_BREAK"
    RESISTANCE_SHIFT_UP = "RESISTANCE_SHIFT_UP"
    RESISTANCE_SHIFT_DOWN = "RESISTANCE_SHIFT_DOWN"
    RESISTANCE_BREAK = "RESISTANCE_BREAK"
    DIRECTION_CHANGE = "DIRECTION_CHANGE"
    MAX_PAIN_SHIFT = "MAX_PAIN_SHIFT"
    PCR_CROSS = "PCR_CROSS"  # from one band of 2.3 into another
    BUILD_UP_FLIP = "BUILD_UP_FLIP"  # of the whole chain's net build-up
    OI_SPEED = "OI_SPEED"  # open interest moves fast against its own half hour
    STRADDLE_BREAK = "STRADDLE_BREAK"  # the market left the band of the first straddle


class Action(StrEnum):
    """What a coach says (7.3)."""

    ENTER = "ENTER"
    HOLD = "HOLD"
    EXIT = "EXIT"
    WAIT = "WAIT"


class DecidedBy(StrEnum):
    """Who made a decision (bus contract, section 12)."""

    MODEL = "model"
    CACHED = "cached"
    RULE = "rule"


class Coach(StrEnum):
    """The two coaches."""

    MINIMAL = "minimal"
    RICH = "rich"


class OiUnit(StrEnum):
    """What a source counts open interest in (1.2)."""

    QTY = "qty"
    LOTS = "lots"


class Group(StrEnum):
    """Who shares streams: the notifier's sinks (bus contract, section 5)."""

    DATABASE = "db"
    FILES = "file"


SERVICES = {
    "ingest": 8701,
    "analytics": 8702,
    "coach-minimal": 8703,
    "coach-rich": 8704,
    "notifier": 8705,
    "dashboard": 8700,
}
"""Every service, in the order in which a tick meets them, with the port that it answers on by default."""
