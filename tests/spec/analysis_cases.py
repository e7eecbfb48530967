"""Adapter of the whole analysis: one case's flat arguments to the analytics service's own pure core."""

from datetime import date, datetime

import numpy as np

from analytics.analyse import analyse
from analytics.cells import COUNT, Cell
from analytics.situation import Before, ChainCells, ChainNow, FutureNow, MarketNow, PcrSample
from oimon import calendar
from oimon.core.build_up import CLASSES
from oimon.core.greeks import years_to_expiry
from oimon.core.mark import mark_price
from oimon.core.verdict import VERDICTS
from oimon.terms import MarketState, Segment
from tests.spec.columns import legs


def _chain(a, seconds_left):
    rows = a["rows"]
    cells = np.full((COUNT, 2, len(rows)), np.nan)
    for cell, name in (
        (Cell.BID, "bid"),
        (Cell.ASK, "ask"),
        (Cell.LTP, "ltp"),
        (Cell.OI, "oi"),
        (Cell.VOLUME, "vol"),
    ):
        cells[cell] = legs(rows, name)
    marks = mark_price(
        cells[Cell.BID],
        cells[Cell.ASK],
        cells[Cell.LTP],
        quote_age_s=legs(rows, "quote_age"),
        trade_age_s=legs(rows, "ltp_age"),
        tick=a["tick"],
    )
    cells[Cell.MARK], cells[Cell.IS_MID] = marks.price, marks.is_mid
    cells[Cell.OI_AGE_S] = 0.0
    cells[Cell.OI_CHANGE_DAY] = cells[Cell.OI] - legs(rows, "oi_prev")
    cells[Cell.OI_CHANGE_15M] = cells[Cell.OI] - legs(rows, "oi_w")
    cells[Cell.PRICE_CHANGE_15M] = marks.price - legs(rows, "mark_w")
    segment, day = Segment(a["segment"]), date.fromisoformat(a["expiry"])
    return ChainNow(
        expiry=a["expiry"],
        lot=a["lot"],
        tick=a["tick"],
        seconds_left=seconds_left,
        session_s=float(calendar.session_s(segment, day)),
        is_in_entry_window=True,
        rows=ChainCells(np.array([float(row["strike"]) for row in rows]), cells),
        future=a["fut"]["mark"] if a["fut"]["same_expiry"] else None,
    )


def _market(a, ts_us):
    future = a["fut"]
    return MarketNow(
        ts_us=ts_us,
        market=MarketState.OPEN,
        cadence_s=0.0,
        spot=a["spot"],
        underlying_age_s=0.0,
        level_then=a["spot_w"],
        future=FutureNow(
            symbol="FUT",
            lot=a["lot"],
            tick=a["tick"],
            mark=future["mark"],
            mark_change=future["mark"] - future["mark_w"],
            oi=future["oi"],
            oi_change=future["oi"] - future["oi_w"],
        ),
    )


def _analyse(a):
    ts_us = int(datetime.fromisoformat(a["now"]).timestamp()) * 1_000_000
    segment, expiry = Segment(a["segment"]), date.fromisoformat(a["expiry"])
    seconds = calendar.time_to_expiry(segment, expiry, ts_us)
    last = a["pcr_samples"][-1][0]
    before = Before(
        sampled_s=ts_us / 1e6,
        pcr=tuple(PcrSample(ts_us / 1e6 + at - last, 1.0, pcr) for at, pcr in a["pcr_samples"]),
        rr25_reference=a["rr25_ref"],
    )
    (found,) = analyse([_chain(a, seconds)], _market(a, ts_us), [before])
    return _flat(found, seconds)


def _flat(found, seconds):
    reference, judged, flow = found.reference, found.judgement, found.flow
    return {
        "T_years": years_to_expiry(seconds),
        "forward": reference.forward.price,
        "forward_source": reference.forward.source,
        "atm": found.chain.strike[reference.atm],
        "verdicts": _verdicts(found),
        "net_buildup": {
            name: getattr(flow.net, name)
            for name in ("net", "participation", "significance", "score")
        },
        "future_class": flow.future,
        "components": {name: part.score for name, part in judged.parts.items()},
        "pcr_slope_per_hour": judged.slope.per_hour,
        "score": judged.scored.score,
        "agreement": judged.scored.agreement,
        "coverage": judged.scored.coverage,
        "confidence_factor": judged.confidence,
        "contributions": [list(share) for share in judged.scored.contributions],
        **_interest(found.interest),
        **_volatility(found.volatility),
    }


def _interest(interest):
    levels = interest.levels
    return {
        "pcr_oi": interest.pcr.by_oi,
        "pcr_oi_window": interest.pcr_window.by_oi,
        "pcr_vol": interest.pcr.by_volume,
        "coi_balance": interest.coi.balance,
        "coi_case": interest.coi.case,
        "pcr_coi": interest.coi.ratio,
        "max_pain": interest.pain.strike,
        "max_pain_rupees": interest.pain.pain,
        "max_pain_zone": interest.pain.zone,
        "support": [list(level) for level in levels.support.strongest],
        "resistance": [list(level) for level in levels.resistance.strongest],
        "support_wall": levels.support.wall,
        "resistance_wall": levels.resistance.wall,
    }


def _volatility(volatility):
    return {
        "atm_iv": volatility.curve.atm_iv,
        "rr25": volatility.curve.rr25,
        "em_window": volatility.em_window,
        "straddle": volatility.straddle.price,
        "implied_move_pct": volatility.straddle.move_pct,
        "em_expiry": volatility.em_expiry,
        "gex_net": volatility.exposure.net,
        "zero_gamma": volatility.exposure.zero_gamma,
    }


def _verdicts(found):
    (calls, puts), verdicts = found.flow.classes.codes, found.flow.classes.verdicts
    rows = zip(found.chain.strike, calls, puts, verdicts.code, verdicts.score, strict=True)
    return [
        [strike, CLASSES[call], CLASSES[put], VERDICTS[code], float(score)]
        for strike, call, put, code, score in rows
    ]


ADAPTERS = {"analyse": _analyse}
