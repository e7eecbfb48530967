"""The project's language: every message that crosses the bus.

Frozen, keyword-only dataclasses of plain values; the stream's name carries the version. Fields are only added, each with a
default; a new meaning is a new class on a new stream. ``us`` are integer microseconds since the epoch (UTC), prices float
rupees, open interest and volume integer quantity (units of the underlying). Absent is ``None``; in a column it is NaN.

Source: messages-sketch (fields), bus contract sections 2 and 3 (streams, ids).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

import numpy as np
import numpy.typing as npt

from oimon.terms import (
    Action,
    Coach,
    DecidedBy,
    Direction,
    FeedState,
    Kind,
    MarketState,
    Mode,
    OiUnit,
    OptionKind,
    Quality,
    Segment,
    Signal,
)

TICKS = "oi.ticks.v1"
ANALYSIS = "oi.analysis.v1"
ADVICE_MINIMAL = "oi.advice-minimal.v1"
ADVICE_RICH = "oi.advice-rich.v1"
TRADES = "oi.trades.v1"
OUTBOX = "oi.outbox.v1"

Column = Annotated[npt.NDArray[np.float64], "float"]
"""One float a strike, NaN where unknown."""
CountColumn = Annotated[npt.NDArray[np.float64], "count"]
"""One whole number a strike, held as float64 (exact to 2^53), NaN where unknown; an integer in JSON."""


# --- oi.ticks.v1 ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Instruments:
    """What the rows of a tick batch are: aligned columns, one entry an instrument."""

    token: list[str]
    symbol: list[str]
    kind: list[Kind]
    expiry: list[str | None]  # ISO day
    strike: list[float | None]  # rupees
    lot: list[int]
    tick: list[float]  # rupees
    prev_close: list[float | None]
    oi_prev: list[int | None]  # quantity, at the previous session's close
    oi_open: list[int | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Session:
    """What the following ticks mean; a new ``run`` empties every state built on the old one."""

    run: str
    mode: Mode
    segment: Segment
    underlying: str
    date: str  # ISO day in IST
    source: str  # "angel", a recording's name, "simulator, seed 7"
    oi_unit: OiUnit
    cadence_s: float  # usual time between two prices of one instrument; 0 live
    quotes_assumed: float | None  # 0.003: a spread of 0.3 % was put around prices at import
    instruments: Instruments
    table: str  # hash of the identity columns, 16 hex digits
    mcx_oi: bool = False  # MCX_OI: a commodity's futures are classified and its options analysed


class TickFlag:
    """Bits of a tick's ``flags``: which of its fields the frame carried."""

    PRICE = 1
    QUOTE = 2
    VOLUME = 4
    OI = 8
    REST = 16
    DAY = 32


TICK = np.dtype(
    [
        ("row", "<u4"),  # row of Session.instruments
        ("flags", "<u4"),  # TickFlag
        ("exchange_us", "<i8"),
        ("received_after_us", "<u4"),  # after TickBatch.received_us
        ("traded_s", "<u4"),  # last trade, epoch seconds; 0 unknown
        ("seq", "<u4"),  # low half of the feed's sequence
        ("ltp", "<i4"),  # paise, here only
        ("bid", "<i4"),
        ("ask", "<i4"),
        ("bid_qty", "<u4"),
        ("ask_qty", "<u4"),
        ("volume", "<i8"),  # of the day, quantity
        ("oi", "<i8"),  # quantity
    ]
)
"""One tick: 64 bytes, little-endian."""

DAY = np.dtype(
    [(name, "<i4") for name in ("open", "high", "low", "close", "average", "low_52w", "high_52w")]
)
"""Day record of the quote modes (paise), one for each tick that has ``TickFlag.DAY``, in order."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TickBatch:
    """Up to 4,000 ticks of one partition, packed."""

    received_us: int  # of the oldest
    table: str  # Session.table that explains the rows
    records: npt.NDArray[np.void]  # shape (n,), dtype TICK
    day: npt.NDArray[np.void] | None = None  # dtype DAY


@dataclass(frozen=True, kw_only=True, slots=True)
class Beat:
    """The only clock analytics has; the bus adds it after a batch when a new second begins."""

    ts_us: int
    market: MarketState
    feed: FeedState
    age_ms: int | None  # of the last market data
    conflated: int = 0  # ticks overwritten unread since the last beat


OiThen = tuple[int, int, int]
"""A row's open interest in the past: row, instant in µs, quantity."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gap:
    """A stretch of time for which the feed delivered nothing, or nothing of some rows.

    Told once more as ``filled``, of those rows of which nothing is missing any more: of contracts with what the broker's history
    has of their open interest, of an underlying's price where quotes came in the stream's place.
    """

    from_us: int
    to_us: int
    why: str
    rows: list[int] | None = None
    filled: bool = False
    oi: list[OiThen] = field(default_factory=list)  # by row, oldest first; of a filled one


# --- oi.analysis.v1 ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Legs:
    """One side (calls or puts) of a chain: aligned columns, one value a strike."""

    ltp: Column
    bid: Column  # null: nobody bids, or the source tells none
    ask: Column  # the same
    bid_qty: CountColumn  # 0: nobody bids; null: neither side is there
    ask_qty: CountColumn  # the same
    mark: Column
    mark_source: list[str | None]  # mid, ltp
    prev_close: Column
    volume: CountColumn
    oi: CountColumn
    oi_prev: CountColumn
    oi_change_day: CountColumn  # since the previous close
    oi_change_open: CountColumn  # since the session's first value
    oi_change_3m: CountColumn
    oi_change_5m: CountColumn
    oi_change_15m: CountColumn  # the specification's ΔOI_w
    oi_change_30m: CountColumn
    price_change_15m: Column
    build_up: list[str | None]  # BuildUp; None where it could not be classified
    delta: Column
    exchange_us: CountColumn
    received_us: CountColumn
    traded_us: CountColumn
    oi_changed_us: CountColumn


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Chain:
    """One expiry's option chain: strikes ascending, both sides aligned to them."""

    strike: Column
    iv: Column  # one a strike, from its out-of-the-money leg
    ce: Legs
    pe: Legs


@dataclass(frozen=True, kw_only=True, slots=True)
class CoiReading:
    """Change in open interest of calls against puts around the money (2.2)."""

    balance: float | None
    case: str
    ratio: float | None
    ce_change: float | None
    pe_change: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ComponentReading:
    """One component of the direction's score (6.1)."""

    score: float | None
    status: str  # ok, missing, n/a


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelReading:
    """How firmly the direction stands: the smoothed score, and a change that waits to be confirmed (6.2)."""

    smoothed: float
    since_us: int
    wanted: Direction | None
    wanted_since_us: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class SignalReading:
    """View on the underlying with what held it back (7.1)."""

    signal: Signal
    raw: Signal
    vetoes: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Gex:
    """Gamma exposure (9.4): an assumption about who holds what, never a fact."""

    net: float | None
    abs: float | None
    zero: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class FutureReading:
    """The near future (6.1)."""

    symbol: str
    mark: float | None
    oi: int | None
    build_up: str | None
    basis: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Something that happened to the chain at this beat."""

    kind: str  # one of EventKind; a reader lets kinds that it does not know pass
    text: str
    ts_us: int
    strike: float | None = None
    was: str | None = None
    now: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OiAnchor:
    """From when changes of open interest count, who says so, and what the chain's legs changed since in all (1.3)."""

    name: str  # day (previous close), open, 3m, 5m, 15m, 30m
    at_us: int | None  # the instant counted from; None: unknown
    source: str | None  # in words; None: there is no such value
    is_partial: bool  # the history is younger than the window: counted from its oldest
    legs: int  # legs whose change is known
    ce_change: float | None  # quantity; None: of no leg known
    pe_change: float | None


Level = tuple[float, float]
"""Strike and strength, 0 to 100 (4.1)."""
Contribution = tuple[str, float, str]
"""Component, its share of the score, and the raw value in words (6.1)."""
StrikeVerdict = tuple[float, str | None, str | None, str | None, float | None]
"""Strike, class of the call, class of the put, verdict, score (5.3)."""
Minute = tuple[int, float | None, float | None, float | None, float | None, str, float | None]
"""Epoch second, X, PCR, COI balance, score, direction, max pain: one a minute."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExpiryAnalysis:
    """What one expiry's chain says at one beat."""

    expiry: str  # ISO day
    days_to_expiry: float | None
    lot: int | None  # None: unknown, so open interest is in the source's own unit
    tick: float
    forward: float | None
    forward_source: str | None
    atm: float | None
    atm_spot: float | None
    quality: Quality
    quality_why: list[str]
    pcr: float | None
    pcr_window: float | None
    pcr_vol: float | None
    pcr_slope_per_hour: float | None
    coi: CoiReading
    max_pain: float | None
    max_pain_zone: tuple[float, float] | None
    support: list[Level]
    resistance: list[Level]
    support_wall: float | None
    resistance_wall: float | None
    support_second_ratio: float | None
    resistance_second_ratio: float | None
    support_weak_towards: str | None
    resistance_weak_towards: str | None
    direction: Direction
    confidence_factor: float
    score: float | None
    agreement: float | None
    coverage: float | None
    components: Mapping[str, ComponentReading]
    contributions: list[Contribution]
    against: list[Contribution]  # strongest contrary evidence first
    signal: SignalReading
    verdicts: list[StrikeVerdict]
    atm_iv: float | None
    rr25: float | None
    straddle: float | None
    em_window: float | None
    em_expiry: float | None
    gex: Gex | None
    chain: Chain
    why_null: Mapping[str, str]  # reason of every null above
    label: LabelReading | None = None  # of the direction; None: the writer does not tell it yet
    oi_anchors: list[OiAnchor] = field(default_factory=list)  # side by side, oldest first


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """One row of a quote board."""

    symbol: str
    ltp: float | None
    bid: float | None
    ask: float | None
    volume: int | None
    oi: int | None
    change_pct: float | None
    gap_pct: float | None
    vwap: float | None
    low: float | None
    high: float | None
    range_position: float | None
    age_ms: int | None
    oi_change_day: int | None = None  # since the previous close
    build_up: str | None = None  # of a future, over the short-term window (5.1)
    calendar_spread: float | None = None  # of the near future: the next one's price less its own
    opening_low: float | None = None  # of the session's first 15 minutes
    opening_high: float | None = None
    opening_broken: str | None = None  # up, down: by the last price, once those are over
    low_52w: float | None = None  # as the feed tells them
    high_52w: float | None = None
    position_52w: float | None = None  # 0 at the low of 52 weeks, 1 at the high


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ChainAnalysis(ExpiryAnalysis):
    """One analysis of one underlying at one beat: the headline expiry, and the others in ``more``."""

    ts_us: int
    run: str
    mode: Mode
    underlying: str
    segment: Segment
    date: str
    market: MarketState
    feed: FeedState
    spot: float | None
    spot_prev_close: float | None
    x: float | None  # reference level (1.5)
    vix: float | None
    tick_received_us: int | None
    tick_age_ms: int | None
    oi_age_s: float | None  # since any leg's open interest changed
    cadence_s: float
    quotes_assumed: float | None
    is_stale: bool
    is_gapped: bool
    is_warm: bool
    history_s: float
    future: FutureReading | None
    events: list[Event]
    history: list[Minute]  # the last 30
    more: list[ExpiryAnalysis]
    off: list[str] = field(default_factory=list)  # features off in this mode, each with its reason
    quotes: list[Quote] = field(default_factory=list)  # of a commodity's futures


@dataclass(frozen=True, kw_only=True, slots=True)
class QuoteBoard:
    """Answer to a beat in the modes without option analysis (MCX, NSE)."""

    ts_us: int
    run: str
    mode: Mode
    segment: Segment
    underlying: str
    off: list[str]  # features off in this mode, each with its reason
    rows: list[Quote]
    why_null: Mapping[str, str] = field(default_factory=dict)  # why a field of some row is null


# --- oi.advice-*.v1 ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Contract:
    """What an idea is about: one bought option, or a bought spread (second strike sold)."""

    expiry: str
    side: OptionKind
    strikes: list[float]
    lots: int
    lot: int
    price: float | None  # rupees, what the idea was made at


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The one paper position of an underlying, after this decision (7.3)."""

    side: OptionKind
    expiry: str
    strikes: list[float]
    lots: int
    qty: int
    entry: float
    entry_ts_us: int
    stop: float
    target: float
    peak: float
    trail: bool
    inv: float | None
    bid: float | None = None  # now
    neutral_since_us: int | None = None
    stale_since_us: int | None = None
    pending_exit: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """Decided, not yet filled (7.5)."""

    buy: bool
    contract: Contract
    decided_ts_us: int
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Fill:
    """Made at this analysis, or rejected with the reason (7.6)."""

    buy: bool
    contract: Contract
    qty: int
    price: str | None  # decimal rupees, two places
    ts_us: int
    reason: str  # of the order; expiry: settled, there was none
    rejected: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DayTotals:
    """What the paper position did today (IST)."""

    date: str
    trades: int = 0
    net: str = "0.00"  # decimal rupees after charges
    cooldown_until_us: int | None = None
    stopped_side: OptionKind | None = None  # the newest
    stopped_sides: list[OptionKind] = field(default_factory=list)  # each once, in order


@dataclass(frozen=True, kw_only=True, slots=True)
class Trigger:
    """Why the rich coach spoke (8)."""

    reason: str  # initial, oi_change, heartbeat, or an event's kind
    fraction: float
    moved: int
    eligible: int
    since_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Transcript:
    """One question to a model and what came back."""

    model: str
    system: str  # hash of the system prompt
    prompt: str
    answer: str  # raw, at most 8 KiB
    latency_ms: int
    tokens_in: int | None
    tokens_out: int | None
    cost_usd: float | None
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    """What a coach says to one analysis."""

    ts_us: int
    run: str
    mode: Mode
    underlying: str
    coach: Coach
    x: float | None
    action: Action
    side: OptionKind | None
    confidence: float
    reasons: list[str]
    invalidation: float | None
    horizon_min: int
    by: DecidedBy
    by_why: str | None  # why not the model: no_key, timeout, budget, budget_unknown, invalid: …
    input_ts_us: int  # of the analysis the answer was made for
    forced: bool
    rule_action: Action  # the rule's own decision at the same instant
    warnings: list[str]
    quotes_assumed: float | None = None
    contract: Contract | None = None
    position: Position | None = None
    order: Order | None = None
    fill: Fill | None = None
    day: DayTotals | None = None
    trigger: Trigger | None = None
    transcript: Transcript | None = None


# --- oi.trades.v1, oi.outbox.v1 ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Trade:
    """A paper fill as booked; money is a decimal string of rupees with two places."""

    ts_us: int
    run: str
    mode: Mode
    underlying: str
    decider: DecidedBy
    contract: Contract
    buy: bool
    qty: int
    price: str
    charges: Mapping[str, str]
    reason: str  # entry, stop_loss, …
    position_id: str
    position_qty: int
    realised: str
    day_net: str
    equity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A text on its way to a person."""

    family: str  # a state is not sent where a newer text of its family waits
    kind: str  # decision, alert, news, state, figures
    recipient: str
    text: str
    loud: bool
    tag: str
    made_ts_us: int
    picture: Mapping[str, str] | None = field(default=None)
    of: str = ""  # message id of the entry that it tells
    underlying: str = ""
    mode: Mode | None = None
    run: str = ""


Message = Session | TickBatch | Beat | Gap | ChainAnalysis | QuoteBoard | Advice | Trade | Text

KINDS: Mapping[str, type[Message]] = {
    "session": Session,
    "ticks": TickBatch,
    "beat": Beat,
    "gap": Gap,
    "analysis": ChainAnalysis,
    "quotes": QuoteBoard,
    "advice": Advice,
    "trade": Trade,
    "text": Text,
}
"""Field ``t`` of an entry: which message its ``d`` holds."""
