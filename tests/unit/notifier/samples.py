"""Whole messages with every field, as the services would send them; each builder takes what a test wants different."""

import dataclasses
from typing import Any

import numpy as np

from oimon import codec
from oimon.bus import Entry, Output, Pulse, Role
from oimon.messages import (
    ADVICE_MINIMAL,
    ADVICE_RICH,
    ANALYSIS,
    TICKS,
    Advice,
    Chain,
    ChainAnalysis,
    CoiReading,
    ComponentReading,
    Contract,
    DayTotals,
    ExpiryAnalysis,
    Fill,
    FutureReading,
    Gap,
    Gex,
    Instruments,
    Legs,
    Message,
    Position,
    Quote,
    QuoteBoard,
    Session,
    SignalReading,
    Trade,
    Transcript,
    Trigger,
)
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

NOW_US = 1_787_037_067_000_000  # 18 Aug 2026, 12:41:07 IST
STRIKES = np.arange(24_000.0, 25_001.0, 100.0)  # 11 strikes around 24,500
CLASSES = ["SHORT_BUILDUP", "NONE", "SHORT_COVERING", "LONG_BUILDUP", "LONG_UNWINDING", None]


def make_legs(sign: float, **given: Any) -> Legs:
    """One side of a chain; ``sign`` +1 for calls, which get dearer below the money."""
    depth = sign * (24_512.35 - STRIKES)
    ltp = np.maximum(depth, 0) + 170 - np.abs(depth) / 4
    rank = np.arange(len(STRIKES), dtype=float)
    same = np.full(len(STRIKES), 1.0)
    columns: dict[str, Any] = {
        "ltp": ltp,
        "bid": ltp - 0.25,
        "ask": ltp + 0.25,
        "bid_qty": same * 650,
        "ask_qty": same * 325,
        "mark": ltp,
        "mark_source": ["mid"] * len(STRIKES),
        "prev_close": ltp + 12,
        "volume": same * 4_550_000,
        "oi": 4_100_000 + 1_220_000 * rank,
        "oi_prev": 3_000_000 + 1_000_000 * rank,
        "oi_change_day": 1_100_000 + 220_000 * rank - 1_900_000 * (rank < 2),
        "oi_change_open": 1_000_000 + 200_000 * rank,
        "oi_change_3m": same * 60_000,
        "oi_change_5m": 41_000 * (rank - 4),
        "oi_change_15m": 90_000 * (rank - 4),
        "oi_change_30m": same * 300_000,
        "price_change_15m": same * -4.5,
        "build_up": [CLASSES[int(i) % len(CLASSES)] for i in rank],
        "delta": sign * same * 0.5,
        "exchange_us": same * (NOW_US - 400_000),
        "received_us": same * (NOW_US - 300_000),
        "traded_us": same * (NOW_US - 2_000_000),
        "oi_changed_us": same * (NOW_US - 72_000_000),
    }
    return Legs(**{**columns, **given})


def make_chain(**given: Any) -> Chain:
    return Chain(
        **{
            "strike": STRIKES,
            "iv": np.full(len(STRIKES), 0.128),
            "ce": make_legs(+1),
            "pe": make_legs(-1),
            **given,
        }
    )


EXPIRY_FIELDS: dict[str, Any] = {
    "expiry": "2026-08-20",
    "days_to_expiry": 2.133,
    "lot": 65,
    "tick": 0.05,
    "forward": 24_530.1,
    "forward_source": "parity",
    "atm": 24_500.0,
    "atm_spot": 24_500.0,
    "quality": Quality.OK,
    "quality_why": [],
    "pcr": 1.18,
    "pcr_window": 1.07,
    "pcr_vol": 0.94,
    "pcr_slope_per_hour": 0.24,
    "coi": CoiReading(
        balance=0.62, case="both_up", ratio=1.6, ce_change=456_300.0, pe_change=1_648_400.0
    ),
    "max_pain": 24_450.0,
    "max_pain_zone": (24_400.0, 24_500.0),
    "support": [(24_400.0, 91.0), (24_300.0, 60.0)],
    "resistance": [(24_600.0, 91.0), (24_700.0, 72.0)],
    "support_wall": 24_400.0,
    "resistance_wall": 24_600.0,
    "support_second_ratio": 0.71,
    "resistance_second_ratio": 0.82,
    "support_weak_towards": None,
    "resistance_weak_towards": "up",
    "direction": Direction.BULLISH,
    "confidence_factor": 0.62,
    "score": 0.41,
    "agreement": 0.84,
    "coverage": 1.0,
    "components": {"coi_balance": ComponentReading(score=0.8, status="ok")},
    "contributions": [
        ("net_buildup", 0.184, "net_buildup +0.74 → +0.184: puts written at 24400 and 24500"),
        ("coi_balance", 0.126, "coi_balance +0.84 → +0.126: puts +16.5L, calls +4.6L in 15 min"),
        ("sr_position", -0.021, "sr_position -0.21 → -0.021: call wall 24600 is near"),
    ],
    "against": [("sr_position", -0.021, "sr_position -0.21 → -0.021: call wall 24600 is near")],
    "signal": SignalReading(signal=Signal.BUY, raw=Signal.BUY, vetoes=[]),
    "verdicts": [
        (float(k), "NONE", "SHORT_BUILDUP", verdict, score)
        for k, verdict, score in [
            (24_300, "Bull", 0.5),
            (24_400, "Bull", 0.78),
            (24_500, "Neutral", 0.1),
            (24_600, "Bear", -0.6),
            (24_700, None, None),
        ]
    ],
    "atm_iv": 0.128,
    "rr25": 0.016,
    "straddle": 344.6,
    "em_window": 38.2,
    "em_expiry": 345.0,
    "gex": Gex(net=1.2e9, abs=4.1e9, zero=24_430.0),
    "why_null": {},
}


def make_expiry(**given: Any) -> ExpiryAnalysis:
    return ExpiryAnalysis(**{**EXPIRY_FIELDS, "chain": make_chain(), **given})


def make_analysis(**given: Any) -> ChainAnalysis:
    """One analysis of NIFTY in a replay, every field known."""
    minute = NOW_US // 60_000_000 * 60
    fields: dict[str, Any] = {
        **EXPIRY_FIELDS,
        "chain": make_chain(),
        "ts_us": NOW_US,
        "run": "r1",
        "mode": Mode.REPLAY,
        "underlying": "NIFTY",
        "segment": Segment.NFO,
        "date": "2026-08-18",
        "market": MarketState.OPEN,
        "feed": FeedState.OK,
        "spot": 24_512.35,
        "spot_prev_close": 24_409.83,
        "x": 24_512.35,
        "vix": 13.1,
        "tick_received_us": NOW_US - 300_000,
        "tick_age_ms": 300,
        "oi_age_s": 72.0,
        "cadence_s": 0.0,
        "quotes_assumed": None,
        "is_stale": False,
        "is_gapped": False,
        "is_warm": True,
        "history_s": 1_800.0,
        "future": FutureReading(
            symbol="NIFTY26AUGFUT",
            mark=24_548.05,
            oi=12_000_000,
            build_up="LONG_BUILDUP",
            basis=0.00146,
        ),
        "events": [],
        "history": [
            (
                minute - 60 * back,
                24_500.0 - back,
                1.18 - 0.008 * back,
                0.5,
                0.4,
                "BULLISH",
                24_450.0,
            )
            for back in range(9, -1, -1)
        ],
        "more": [
            make_expiry(
                expiry="2026-08-25",
                days_to_expiry=7.133,
                pcr=1.02,
                max_pain=24_500.0,
                direction=Direction.NEUTRAL,
                confidence_factor=0.12,
            )
        ],
    }
    return ChainAnalysis(**{**fields, **given})


def make_unknown_analysis(**given: Any) -> ChainAnalysis:
    """An analysis of a chain of which nothing is known but its strikes."""
    nothing = np.full(len(STRIKES), np.nan)
    columns: dict[str, Any] = {f.name: nothing for f in dataclasses.fields(Legs)}
    columns["build_up"] = columns["mark_source"] = [None] * len(STRIKES)
    legs = Legs(**columns)
    unknown: dict[str, Any] = dict.fromkeys(
        (
            *("days_to_expiry", "lot", "forward", "forward_source", "atm", "atm_spot", "pcr"),
            *("pcr_window", "pcr_vol", "pcr_slope_per_hour", "max_pain", "max_pain_zone"),
            *("support_wall", "resistance_wall", "score", "agreement", "coverage", "atm_iv"),
            *("rr25", "straddle", "em_window", "em_expiry", "gex", "spot", "spot_prev_close"),
            *("x", "vix", "tick_received_us", "tick_age_ms", "oi_age_s", "future"),
        )
    )
    return make_analysis(
        **{
            **unknown,
            "chain": Chain(strike=STRIKES, iv=nothing, ce=legs, pe=legs),
            "coi": CoiReading(
                balance=None, case="missing", ratio=None, ce_change=None, pe_change=None
            ),
            "support": [],
            "resistance": [],
            "direction": Direction.NEUTRAL,
            "confidence_factor": 0.0,
            "contributions": [],
            "against": [],
            "verdicts": [],
            "history": [],
            "more": [],
            "quality": Quality.BAD,
            "quality_why": ["chain_incomplete"],
            "is_warm": False,
            "history_s": 0.0,
            "why_null": {"pcr": "no open interest yet"},
            **given,
        }
    )


CONTRACT = Contract(
    expiry="2026-08-20", side=OptionKind.CE, strikes=[24_500.0], lots=2, lot=65, price=186.4
)


def make_advice(**given: Any) -> Advice:
    """One advice of the minimal coach: WAIT by rule."""
    fields: dict[str, Any] = {
        "ts_us": NOW_US,
        "run": "r1",
        "mode": Mode.REPLAY,
        "underlying": "NIFTY",
        "coach": Coach.MINIMAL,
        "x": 24_512.35,
        "action": Action.WAIT,
        "side": None,
        "confidence": 0.61,
        "reasons": ["direction is NEUTRAL", "no signal"],
        "invalidation": None,
        "horizon_min": 15,
        "by": DecidedBy.RULE,
        "by_why": "no_key",
        "input_ts_us": NOW_US,
        "forced": False,
        "rule_action": Action.WAIT,
        "warnings": [],
        "day": DayTotals(date="2026-08-18", trades=3, net="1140.50"),
    }
    return Advice(**{**fields, **given})


def make_rich_advice(**given: Any) -> Advice:
    """One advice of the rich coach: HOLD by a model, with its transcript."""
    fields: dict[str, Any] = {
        "coach": Coach.RICH,
        "action": Action.HOLD,
        "side": OptionKind.CE,
        "confidence": 0.62,
        "reasons": ["support 24400 holds", "puts are written at 24500"],
        "invalidation": 24_470.0,
        "by": DecidedBy.MODEL,
        "by_why": None,
        "ts_us": NOW_US - 137_000_000,
        "input_ts_us": NOW_US - 137_000_000,
        "day": None,
        "trigger": Trigger(reason="oi_change", fraction=0.14, moved=12, eligible=84, since_s=180.0),
        "transcript": make_transcript(),
    }
    return make_advice(**{**fields, **given})


def make_transcript(**given: Any) -> Transcript:
    fields: dict[str, Any] = {
        "model": "qwen/qwen-2.5-72b-instruct",
        "system": "9f2c11ab",
        "prompt": '{"v":1,"u":"NIFTY"}',
        "answer": '{"action":"HOLD"}',
        "latency_ms": 1_850,
        "tokens_in": 900,
        "tokens_out": 60,
        "cost_usd": 0.00031,
    }
    return Transcript(**{**fields, **given})


def make_position(**given: Any) -> Position:
    fields: dict[str, Any] = {
        "side": OptionKind.CE,
        "expiry": "2026-08-20",
        "strikes": [24_500.0],
        "lots": 2,
        "qty": 130,
        "entry": 186.4,
        "entry_ts_us": NOW_US - 600_000_000,
        "stop": 139.8,
        "target": 260.95,
        "peak": 195.0,
        "trail": False,
        "inv": 24_470.0,
        "bid": 192.6,
    }
    return Position(**{**fields, **given})


def make_fill(**given: Any) -> Fill:
    fields: dict[str, Any] = {
        "buy": True,
        "contract": CONTRACT,
        "qty": 130,
        "price": "186.60",
        "ts_us": NOW_US,
        "reason": "entry",
    }
    return Fill(**{**fields, **given})


def make_board(**given: Any) -> QuoteBoard:
    """A board of two commodities, the second with nothing known."""
    fields: dict[str, Any] = {
        "ts_us": NOW_US,
        "run": "r1",
        "mode": Mode.REPLAY,
        "segment": Segment.MCX,
        "underlying": "SILVERMIC",
        "off": [
            "option analysis: off in MCX mode",
            "coaches: need option analysis",
        ],
        "rows": [
            make_quote(),
            make_quote(
                symbol="SILVERMIC26NOVFUT",
                **dict.fromkeys(
                    ("ltp", "bid", "ask", "volume", "oi", "change_pct", "gap_pct", "vwap")
                ),
                **dict.fromkeys(("low", "high", "range_position", "age_ms")),
            ),
        ],
    }
    return QuoteBoard(**{**fields, **given})


def make_quote(**given: Any) -> Quote:
    fields: dict[str, Any] = {
        "symbol": "SILVERMIC26AUGFUT",
        "ltp": 113_245.0,
        "bid": 113_240.0,
        "ask": 113_250.0,
        "volume": 31_417,
        "oi": 28_410,
        "change_pct": 0.84,
        "gap_pct": 0.2,
        "vwap": 113_020.5,
        "low": 112_400.0,
        "high": 113_600.0,
        "range_position": 0.7,
        "age_ms": 1_200,
    }
    return Quote(**{**fields, **given})


def make_session(**given: Any) -> Session:
    """A session of two instruments: the spot in row 0, a call in row 1."""
    fields: dict[str, Any] = {
        "run": "r1",
        "mode": Mode.REPLAY,
        "segment": Segment.NFO,
        "underlying": "NIFTY",
        "date": "2026-08-18",
        "source": "NIFTY-2026-08-18",
        "oi_unit": OiUnit.QTY,
        "cadence_s": 60.0,
        "quotes_assumed": 0.003,
        "instruments": Instruments(
            token=["99926000", "40001"],
            symbol=["NIFTY", "NIFTY20AUG2624500CE"],
            kind=[Kind.INDEX, Kind.CE],
            expiry=[None, "2026-08-20"],
            strike=[None, 24_500.0],
            lot=[1, 65],
            tick=[0.05, 0.05],
            prev_close=[24_409.83, 198.4],
            oi_prev=[None, 7_000_000],
            oi_open=[None, None],
        ),
        "table": "00112233aabbccdd",
    }
    return Session(**{**fields, **given})


def make_gap(**given: Any) -> Gap:
    return Gap(**{"from_us": NOW_US - 90_000_000, "to_us": NOW_US, "why": "socket closed", **given})


def make_trade(**given: Any) -> Trade:
    fields: dict[str, Any] = {
        "ts_us": NOW_US,
        "run": "r1",
        "mode": Mode.REPLAY,
        "underlying": "NIFTY",
        "decider": DecidedBy.RULE,
        "contract": CONTRACT,
        "buy": True,
        "qty": 130,
        "price": "186.60",
        "charges": {"brokerage": "20.00"},
        "reason": "entry",
        "position_id": "r1-1",
        "position_qty": 130,
        "realised": "0.00",
        "day_net": "-28.11",
        "equity": "499971.89",
    }
    return Trade(**{**fields, **given})


STREAM_OF_COACH = {Coach.MINIMAL: ADVICE_MINIMAL, Coach.RICH: ADVICE_RICH}


def make_entry(message: Message, entry_id: str = f"{NOW_US // 1000}-0", **given: Any) -> Entry:
    """The entry that carries a message on its stream."""
    match message:
        case ChainAnalysis() | QuoteBoard():
            stream = ANALYSIS
        case Advice():
            stream = STREAM_OF_COACH[message.coach]
        case Trade():
            stream = "oi.trades.v1"
        case _:
            stream = TICKS
    fields: dict[str, Any] = {
        "stream": stream,
        "partition": getattr(message, "underlying", "NIFTY"),
        "id": entry_id,
        "kind": codec.kind_of(message),
        "version": codec.SCHEMA,
        "data": codec.encode(message),
    }
    return Entry(**{**fields, **given})


PULSE = Pulse(run="r1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0)


def role(writes: str, make: Any) -> Role[None]:
    """A role that answers each gap on the ticks with the message that ``make`` returns."""

    def handle(state: None, entry: Entry) -> tuple[None, list[Output]]:
        return state, [Output(writes, make())] if isinstance(entry.message, Gap) else []

    return Role(name=writes, reads=TICKS, writes=writes, start=lambda _: None, handle=handle)
