"""A market for the coaches: NIFTY at 11:00 on an ordinary day, bullish, every number known."""

import dataclasses
from datetime import date, time
from typing import Any

import numpy as np

from oimon import calendar, codec
from oimon.bus import Entry
from oimon.coach.question import Answer, Heard, Question, seen_of, strike_range
from oimon.core.answer import Decision
from oimon.messages import (
    ADVICE_MINIMAL,
    ADVICE_RICH,
    ANALYSIS,
    Advice,
    Chain,
    ChainAnalysis,
    CoiReading,
    ComponentReading,
    Legs,
    Message,
    SignalReading,
    Transcript,
)
from oimon.terms import (
    Action,
    Coach,
    DecidedBy,
    Direction,
    FeedState,
    MarketState,
    Mode,
    OptionKind,
    Quality,
    Segment,
    Signal,
)

DAY = date(2026, 11, 18)
NOON_US = calendar.instant_us(DAY, time(11))
STRIKES = np.arange(25_500.0, 26_601.0, 50.0)
X = 26_052.4
_RAW = {
    Direction.BULLISH: Signal.BUY,
    Direction.BEARISH: Signal.SELL,
    Direction.NEUTRAL: Signal.HOLD,
}


def at(clock_time: str) -> int:
    return calendar.instant_us(DAY, time.fromisoformat(clock_time))


def make_legs(ts_us: int = NOON_US, bid: float = 150.0, ask: float = 150.2, **given: Any) -> Legs:
    n = len(STRIKES)
    same = np.ones(n)
    columns: dict[str, Any] = {
        name: same * value
        for name, value in {
            "ltp": bid,
            "bid": bid,
            "ask": ask,
            "bid_qty": 6_500,
            "ask_qty": 6_500,
            "mark": (bid + ask) / 2,
            "prev_close": 140.0,
            "volume": 1_000_000,
            "oi": 650_000,
            "oi_prev": 600_000,
            "oi_change_day": 50_000,
            "oi_change_open": 40_000,
            "oi_change_3m": 1_000,
            "oi_change_5m": 2_000,
            "oi_change_15m": 6_500,
            "oi_change_30m": 9_000,
            "price_change_15m": 3.0,
            "delta": 0.5,
            "exchange_us": ts_us - 400_000,
            "received_us": ts_us - 300_000,
            "traded_us": ts_us - 2_000_000,
            "oi_changed_us": ts_us - 60_000_000,
        }.items()
    }
    columns |= {"mark_source": ["mid"] * n, "build_up": ["SHORT_COVERING"] * n}
    return Legs(**{**columns, **given})


def make_chain(ts_us: int = NOON_US, **given: Any) -> Chain:
    legs = {"ce": make_legs(ts_us), "pe": make_legs(ts_us, bid=140.0, ask=140.2)}
    return Chain(**{"strike": STRIKES, "iv": np.full(len(STRIKES), 0.118), **legs, **given})


def make_analysis(ts_us: int = NOON_US, **given: Any) -> ChainAnalysis:
    """An analysis; ``bid`` and ``ask`` are those of every call."""
    direction = given.get("direction", Direction.BULLISH)
    bid, ask = given.pop("bid", 150.0), given.pop("ask", 150.2)
    history = [
        (ts_us // 1_000_000 - 60 * k, X - k, 0.960 - 0.001 * k, 0.5, 0.6, "BULLISH", 26_050.0)
        for k in range(30, -1, -1)
    ]
    fields: dict[str, Any] = {
        "expiry": "2026-11-23",
        "days_to_expiry": 5.19,
        "lot": 65,
        "tick": 0.05,
        "forward": X,
        "forward_source": "synthetic_mid",
        "atm": 26_050.0,
        "atm_spot": 26_050.0,
        "quality": Quality.OK,
        "quality_why": [],
        "pcr": 0.960357,
        "pcr_window": 0.97,
        "pcr_vol": 0.95,
        "pcr_slope_per_hour": 0.23,
        "coi": CoiReading(
            balance=1.0, case="put_writing_call_unwinding", ratio=None, ce_change=-1, pe_change=1
        ),
        "max_pain": 26_050.0,
        "max_pain_zone": (26_000.0, 26_100.0),
        "support": [(26_000.0, 92.5), (25_900.0, 60.0)],
        "resistance": [(26_200.0, 90.4), (26_300.0, 71.0)],
        "support_wall": 26_000.0,
        "resistance_wall": 26_200.0,
        "support_second_ratio": 0.7,
        "resistance_second_ratio": 0.8,
        "support_weak_towards": None,
        "resistance_weak_towards": "bottom",
        "direction": direction,
        "confidence_factor": 0.6,
        "score": 0.5,
        "agreement": 0.9,
        "coverage": 0.95,
        "components": {
            "coi_balance": ComponentReading(score=0.8, status="ok"),
            "iv_skew": ComponentReading(score=None, status="missing"),
        },
        "contributions": [("coi_balance", 0.126, "puts written, calls covered")],
        "against": [],
        "signal": SignalReading(signal=_RAW[direction], raw=_RAW[direction], vetoes=[]),
        "verdicts": [
            (strike, "SHORT_COVERING", "SHORT_BUILDUP", "Bull", 0.8) for strike in STRIKES.tolist()
        ],
        "atm_iv": 0.118,
        "rr25": -0.010675,
        "straddle": 290.2,
        "em_window": 38.2,
        "em_expiry": 366.7,
        "gex": None,
        "chain": make_chain(ts_us, ce=make_legs(ts_us, bid=bid, ask=ask)),
        "why_null": {},
        "ts_us": ts_us,
        "run": "run-1",
        "mode": Mode.SIMULATED,
        "underlying": "NIFTY",
        "segment": Segment.NFO,
        "date": calendar.day_of(ts_us).isoformat(),
        "market": MarketState.OPEN,
        "feed": FeedState.OK,
        "spot": X,
        "spot_prev_close": 26_000.0,
        "x": X,
        "vix": None,
        "tick_received_us": ts_us - 300_000,
        "tick_age_ms": 300,
        "oi_age_s": 60.0,
        "cadence_s": 0.0,
        "quotes_assumed": None,
        "is_stale": False,
        "is_gapped": False,
        "is_warm": True,
        "history_s": 1800.0,
        "future": None,
        "events": [],
        "history": history,
        "more": [],
    }
    return ChainAnalysis(**{**fields, **given})


def make_decision(action: Action, side: OptionKind | None = None, **given: Any) -> Decision:
    fields: dict[str, Any] = {
        "confidence": 0.61,
        "reasons": ("put writing at 26000",),
        "invalidation": None,
        "horizon_min": 15,
    }
    return Decision(action=action, side=side, **{**fields, **given})


def make_question(analysis: ChainAnalysis, **given: Any) -> Question:
    position_us = given.pop("position_us", None)
    fields: dict[str, Any] = {
        "partition": "NIFTY",
        "entry_id": f"{analysis.ts_us // 1000}-0",
        "ts_us": analysis.ts_us,
        "prompt": "{}",
        "held": None,
        "x": analysis.x,
        "strikes": strike_range(analysis),
        "seen": seen_of(analysis, position_us),
    }
    return Question(**{**fields, **given})


def make_transcript(**given: Any) -> Transcript:
    fields: dict[str, Any] = {
        "model": "fake",
        "system": "0" * 16,
        "prompt": "{}",
        "answer": "{}",
        "latency_ms": 300,
        "tokens_in": 200,
        "tokens_out": 40,
        "cost_usd": 0.00006,
    }
    return Transcript(**{**fields, **given})


def heard(question: Question, decision: Decision | None, *, age_s: float = 1.0) -> Heard:
    """What the desk has when one question came back; without a decision it timed out."""
    if decision is None:
        failure = Answer(question=question, transcript=make_transcript(error="timeout"))
        return Heard(failure=failure)
    answer = Answer(question=question, transcript=make_transcript(), decision=decision)
    return Heard(answer=answer, age_s=age_s)


def make_rich(analysis: ChainAnalysis, action: Action, **given: Any) -> Advice:
    fields: dict[str, Any] = {
        "ts_us": analysis.ts_us,
        "run": analysis.run,
        "mode": analysis.mode,
        "underlying": "NIFTY",
        "coach": Coach.RICH,
        "x": analysis.x,
        "action": action,
        "side": None,
        "confidence": 0.7,
        "reasons": ["the chain turned"],
        "invalidation": None,
        "horizon_min": 30,
        "by": DecidedBy.MODEL,
        "by_why": None,
        "input_ts_us": analysis.ts_us,
        "forced": False,
        "rule_action": Action.WAIT,
        "warnings": [],
    }
    return Advice(**{**fields, **given})


def entry_of(message: Message, stream: str | None = None) -> Entry:
    """The message as read from the bus, its id made of its own time."""
    if stream is None:
        stream = ANALYSIS if isinstance(message, ChainAnalysis) else ADVICE_MINIMAL
    if isinstance(message, Advice) and message.coach is Coach.RICH:
        stream = ADVICE_RICH
    stamp = getattr(message, "ts_us", NOON_US) // 1000
    kind, data = codec.kind_of(message), codec.encode(message)
    return Entry(stream, "NIFTY", f"{stamp}-0", kind, codec.SCHEMA, data)


def later(analysis: ChainAnalysis, seconds: float, **given: Any) -> ChainAnalysis:
    """A new analysis some seconds later, in the same run."""
    return make_analysis(analysis.ts_us + round(seconds * 1e6), run=analysis.run, **given)


def without_quotes(analysis: ChainAnalysis) -> ChainAnalysis:
    unknown = np.full(len(STRIKES), np.nan)
    ce = dataclasses.replace(analysis.chain.ce, bid=unknown, ask=unknown)
    return dataclasses.replace(analysis, chain=dataclasses.replace(analysis.chain, ce=ce))
