"""Adapters of the worked cases to the coaches' maths and to the calendar."""

from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import numpy as np

from oimon import calendar
from oimon.core.advice import rule_probability
from oimon.core.answer import validate_coach
from oimon.core.charges import Charges, Product, charges, round_trip
from oimon.core.contract import Mode, pick_contract, pick_expiry
from oimon.core.fills import fill_price
from oimon.core.position import Holding, Sight, coach_in_position, invalidation
from oimon.core.shift import Baseline, Limits, oi_trigger
from oimon.core.signal import Conditions, signal
from oimon.core.size import position_size
from oimon.core.stats import stats
from oimon.terms import Action, Direction, MarketState, OptionKind, Quality, Segment

Case = dict[str, Any]
DAY = date(2026, 11, 18)  # an ordinary trading day, for cases that state a time only


def _instant(at: str) -> int:
    return calendar.instant_us(DAY, time.fromisoformat(at))


def _us(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp()) * 1_000_000


def _signal(case: Case) -> object:
    first, last = calendar.entry_window(Segment.NFO, DAY, is_expiry=case["expiry_today"])
    conditions = Conditions(
        market=MarketState(case["market_state"]),
        is_in_entry_window=first <= _instant(case["time"]) <= last,
        quality=Quality(case["quality"]),
        spread_share=case["spread_pct"],
        cooldown_s=case["cooldown_s"],
        day_loss_share=case["day_loss_pct"],
        trades_today=case["trades_today"],
    )
    found = asdict(signal(Direction(case["direction"]), case["confidence"], conditions))
    return {**found, "vetoes": list(found["vetoes"])}


def _pick_expiry(case: Case) -> object:
    now, switch = datetime.fromisoformat(case["now"]), time.fromisoformat(case["switch"])
    second = now.hour * 3600 + now.minute * 60 + now.second
    return pick_expiry(
        case["expiries"], now.date().isoformat(), second, switch.hour * 3600 + switch.minute * 60
    )


def _pick_contract(case: Case) -> object:
    return asdict(
        pick_contract(
            OptionKind(case["side"]),
            case["strikes"],
            case["atm"],
            Mode(case["mode"]),
            iv_percentile=case["iv_percentile"],
            em_day=case["em_day"],
        )
    )


def _coach_in_position(case: Case) -> object:
    given = case["position"]
    held = Holding(
        side=OptionKind(given["side"]),
        entry=given["entry"],
        entry_s=given["entry_ts"],
        stop=given["stop"],
        target=given["target"],
        peak=given["peak"],
        is_trailing=given["trail"],
        invalidation=given["inv"],
        neutral_since_s=given["neutral_since"],
        stale_since_s=given["stale_since"],
        pending_exit=given["pending_exit"],
    )
    steps: list[list[object]] = []
    for seen in case["observations"]:
        held, action, reason = coach_in_position(
            held,
            Sight(
                ts_s=seen["ts"],
                is_square_off=_instant(seen["time"]) >= calendar.square_off_us(Segment.NFO, DAY),
                bid=seen["bid"],
                quote_age_s=seen["quote_age_s"],
                x=seen["x"],
                direction=Direction(seen["direction"]),
                confidence=seen["confidence"],
            ),
        )
        steps.append([seen["ts"], action, reason, held.stop])
        if action is Action.EXIT:
            break
    return steps


def _invalidation(case: Case) -> object:
    return invalidation(OptionKind(case["side"]), case["x"], case["s1"], case["r1"])


def _fill_price(case: Case) -> object:
    found = fill_price(
        is_buy=case["side"] == "BUY",
        bid=case["bid"],
        ask=case["ask"],
        qty=case["qty"],
        top_qty=case["top_qty"],
    )
    return None if found is None else float(found)


def _lines(found: Charges) -> dict[str, float]:
    return {name: float(value) for name, value in asdict(found).items()}


def _charges(case: Case) -> object:
    return _lines(
        charges(
            Product(case["segment"]),
            is_buy=case["side"] == "BUY",
            price=Decimal(str(case["price"])),
            qty=case["qty"],
            day=date.fromisoformat(case["date"]),
        )
    )


def _round_trip(case: Case) -> object:
    found = round_trip(
        Product(case["segment"]),
        entry=Decimal(str(case["entry"])),
        exit_price=Decimal(str(case["exit"])),
        qty=case["qty"],
        day=date.fromisoformat(case["date"]),
    )
    return {
        "gross": float(found.gross),
        "charges": float(found.charges),
        "net": float(found.net),
        "buy": _lines(found.buy),
        "sell": _lines(found.sell),
        "breakeven_pts": float(found.breakeven_points),
    }


def _oi_trigger(case: Case) -> object:
    config, count = case["config"], case["symbols"]
    limits = Limits(
        oi_share=config["oi_pct"],
        least_lots=config["min_lots"],
        fraction=config["fraction"],
        least_symbols=config["min_symbols"],
        settle_s=config["settle_s"],
        least_interval_s=config["min_interval_s"],
        most_interval_s=config["max_interval_s"],
    )
    memory, steps = Baseline(oi=np.full(count, np.nan)), []
    for ts, changed in case["steps"]:
        oi = np.full(count, float(case["default_oi"]))
        for symbol, value in changed.items():
            oi[int(symbol[1:])] = value
        memory, shift = oi_trigger(memory, oi, case["lot"], ts, limits=limits)
        steps.append([ts, shift.eligible, shift.moved, shift.reason])
    return steps


def _validate_coach(case: Case) -> object:
    held = None if case["position"] is None else OptionKind(case["position"])
    found = validate_coach(case["raw"], held, case["x"])
    decision = found.decision and replace(found.decision, reasons=list(found.decision.reasons))
    return {
        "ok": found.error is None,
        "error": found.error,
        "warnings": list(found.warnings),
        "decision": decision and asdict(decision),
    }


def _time_to_expiry(case: Case) -> object:
    seconds = calendar.time_to_expiry(
        Segment(case["segment"]), date.fromisoformat(case["expiry"]), _us(case["now"])
    )
    return {"seconds": seconds, "years": seconds / calendar.YEAR_S}


def _days(case: Case) -> set[date]:
    return {date.fromisoformat(day) for day in case["holidays"]}


ADAPTERS: dict[str, Callable[[Case], object]] = {
    "signal": _signal,
    "pick_expiry": _pick_expiry,
    "pick_contract": _pick_contract,
    "coach_in_position": _coach_in_position,
    "invalidation": _invalidation,
    "position_size": lambda c: position_size(c["capital"], c["entry"], c["stop"], c["lot"]),
    "fill_price": _fill_price,
    "charges": _charges,
    "round_trip": _round_trip,
    "stats": lambda c: asdict(stats(c["nets"], c["capital"], c["equity"])),
    "oi_trigger": _oi_trigger,
    "validate_coach": _validate_coach,
    "rule_probability": lambda c: [rule_probability(value) for value in c["values"]],
    "weekly_expiry": lambda c: calendar.weekly_expiry(
        date.fromisoformat(c["on"]), c["weekday"], _days(c)
    ).isoformat(),
    "monthly_expiry": lambda c: calendar.monthly_expiry(
        c["year"], c["month"], c["weekday"], _days(c)
    ).isoformat(),
    "mcx_close": lambda c: calendar.mcx_close(date.fromisoformat(c["date"])).isoformat("minutes"),
    "market_state": lambda c: [
        calendar.market_state(Segment(segment), _us(at)) for segment, at in c["queries"]
    ],
    "time_to_expiry": _time_to_expiry,
}
