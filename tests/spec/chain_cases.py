"""Adapters of the chain's functions: the cases' flat arguments to the signatures of ``oimon.core``."""

import math
from bisect import bisect_right

import numpy as np

from oimon.core.build_up import (
    CLASSES,
    build_up,
    em_window,
    future_bands,
    one_build_up,
    option_bands,
    why_none,
)
from oimon.core.chain import atm_strike, strike_window
from oimon.core.coi import coi, coi_score
from oimon.core.day_range import range_position
from oimon.core.direction import Part, Status
from oimon.core.forward import ForwardSource, synthetic_forward
from oimon.core.level_break import (
    BreakRun,
    LevelKind,
    break_buffer,
    confirmed_by_oi,
    watch_break,
)
from oimon.core.mark import MARK_SOURCES, Marks, mark_price
from oimon.core.max_pain import max_pain, max_pain_applies, max_pain_score, pain_curve
from oimon.core.net_build_up import net_build_up
from oimon.core.oi import detect_oi_unit, oi_change, oi_normalise
from oimon.core.pcr import pcr, pcr_band, pcr_level_score, pcr_slope
from oimon.core.quality import chain_quality
from oimon.core.tick_vwap import tick_vwap
from oimon.core.verdict import VERDICTS, strike_verdict
from oimon.core.walls import sr_levels, sr_position_score
from oimon.terms import OiUnit
from tests.spec.columns import column, legs, pairs, plain, sides, strikes


def classes(rows):
    return np.array(
        [
            [CLASSES.index((row.get(s) or {}).get("class", "NONE")) for row in rows]
            for s in ("ce", "pe")
        ]
    )


def _oi_normalise(a):
    quantity, lots = oi_normalise(a["raw_oi"], OiUnit(a["unit"]), a["lot"])
    return {"oi_qty": quantity, "oi_lots": lots}


def _detect_oi_unit(a):
    check = detect_oi_unit(a["legs"], OiUnit(a["configured"]))
    return {"unit": check.unit, "share": check.share, "status": check.status}


def _oi_change(a):
    seen = [(at, oi) for at, oi in a["history"] if at <= a["now"]]
    index = bisect_right([at for at, _ in seen], a["now"] - a["window_s"]) - 1
    change = oi_change(
        column([seen[-1][1]]),
        column([seen[index][1] if index >= 0 else None]),
        column([seen[0][1]]),
        column([a["now"] - seen[0][0]]),
        window_s=a["window_s"],
        min_window_s=a["min_window_s"],
    )
    is_known = not math.isnan(change.delta[0])
    return {
        "delta": plain(change.delta[0]),
        "base": plain(change.base[0]),
        "window_s": plain(change.window_s[0]),
        "partial": bool(change.partial[0]) if is_known else None,
        "pct": plain(change.pct[0]),
    }


def _mark_price(a):
    marks = mark_price(
        *(column([a[name], None]).reshape(2, 1) for name in ("bid", "ask", "ltp")),
        quote_age_s=np.full((2, 1), a["quote_age_s"]),
        trade_age_s=np.full((2, 1), a["ltp_age_s"]),
        tick=a["tick"],
    )
    return {"mark": plain(marks.price[0, 0]), "source": MARK_SOURCES[marks.source[0, 0]]}


def _synthetic_forward(a):
    is_mid = np.array(
        [[row[side]["source"] == "mid" for row in a["rows"]] for side in ("ce", "pe")]
    )
    found = synthetic_forward(
        strikes(a["rows"]),
        Marks(price=legs(a["rows"], "mark"), is_mid=is_mid),
        spot=a["spot"],
        years=a["T"],
        rate=a["r"],
        future=a["future"] if a["future_same_expiry"] else None,
        nearest=a["n"],
    )
    return {"forward": found.price, "source": found.source, "n": found.strikes}


def _strike_window(a):
    listed = column(a["strikes"])
    return listed[strike_window(listed, a["atm"], a["n"])].tolist()


def _chain_quality(a):
    found = chain_quality(
        column(oi for oi, _ in a["legs"]),
        column(age for _, age in a["legs"]),
        legs=2 * a["n_strikes"],
        underlying_age_s=a["underlying_age_s"],
        forward_source=ForwardSource(a["forward_source"]),
    )
    return {
        "quality": found.quality,
        "completeness": found.completeness,
        "stale_oi_share": found.stale_oi_share,
        "why": found.why,
    }


def _pcr(a):
    found = pcr(sides(a["rows"], "oi"), sides(a["rows"], "vol"))
    return {
        "pcr_oi": found.by_oi,
        "pcr_vol": found.by_volume,
        "ce_oi": found.ce_oi,
        "pe_oi": found.pe_oi,
        "ce_vol": found.ce_volume,
        "pe_vol": found.pe_volume,
    }


def _coi(a):
    found = coi(sides(a["rows"], "doi"))
    return {
        "pcr_coi": found.ratio,
        "case": found.case,
        "balance": found.balance,
        "ce_doi": found.ce_change,
        "pe_doi": found.pe_change,
    }


def _pcr_slope(a):
    found = pcr_slope(a["samples"], a["now"], a["window_s"])
    if found is None:
        return {"slope_per_hour": None, "score": None}
    return {"slope_per_hour": found.per_hour, "score": found.score}


def _max_pain(a):
    chain = strikes(a["rows"]), sides(a["rows"], "oi")
    found = max_pain(*chain, a["ref"])
    if found is None:
        return {"strike": None, "pain": None, "curve": None, "zone": None}
    return {
        "strike": found.strike,
        "pain": found.pain,
        "curve": pain_curve(*chain).tolist(),
        "zone": found.zone,
    }


def _max_pain_score(a):
    if not max_pain_applies(a["T"]):
        return {"score": None, "status": Status.NOT_APPLICABLE}
    part = Part.of(max_pain_score(a["F"], a["max_pain"], a["sigma_atm"], a["T"]))
    return {"score": part.score, "status": part.status}


def _sr_levels(a):
    rows = a["rows"]
    found = sr_levels(strikes(rows), sides(rows, "oi"), sides(rows, "doi"), a["x"], a["top"])
    result = {}
    for name, side in (("support", found.support), ("resistance", found.resistance)):
        result[name] = pairs(side.strongest)
        result[f"{name}_wall"] = side.wall
        result[f"{name}_second_ratio"] = side.second_ratio
        result[f"{name}_weak_towards"] = side.weak_towards
    return result


def _level_break(a):
    run = BreakRun()
    for at_s, price in a["samples"]:
        run = watch_break(
            run,
            at_s,
            price,
            kind=LevelKind(a["kind"]),
            level=a["level"],
            tick=a["tick"],
            hold_s=a["hold_s"],
        )
    is_broken = run.broken_s is not None
    return {
        "broken": is_broken,
        "ts": run.broken_s,
        "buffer": break_buffer(a["level"], a["tick"]),
        "confirmed_by_oi": confirmed_by_oi(a["leg_doi"]) if is_broken else None,
    }


def _sr_position_score(a):
    if a["broken"] is not None:
        return 1.0 if a["broken"] == LevelKind.RESISTANCE else -1.0
    support = None if a["s1"] is None else (a["s1"], a["s1_strength"])
    resistance = None if a["r1"] is None else (a["r1"], a["r1_strength"])
    return sr_position_score(a["x"], support, resistance)


def _buildup(a):
    known = {"lot": a["lot"], "tick": a["tick"], "em_w": a["em_w"]}
    if a["kind"] == "FUT":
        moved, flowed = a["p1"] - a["p0"], a["oi1"] - a["oi0"]
        price_band, oi_band = future_bands(a["p0"], a["oi0"], **known)
        found = one_build_up(moved, flowed, price_band=price_band, oi_band=oi_band)
        return {"class": found, "why": None, "dp": moved, "do": flowed}
    p0, p1, oi0, oi1, delta = (column([a[name]]) for name in ("p0", "p1", "oi0", "oi1", "delta"))
    bands = option_bands(p0, oi0, delta=delta, **known)
    moved, flowed = plain((p1 - p0)[0]), plain((oi1 - oi0)[0])
    why = why_none(moved, flowed, price_band=float(bands.price[0]), oi_band=float(bands.oi[0]))
    code = build_up(p1 - p0, oi1 - oi0, bands)[0]
    return {"class": CLASSES[code], "why": why, "dp": moved, "do": flowed}


def _strike_verdict(a):
    found = strike_verdict(classes([a]), legs([a], "doi"), legs([a], "oi"))
    return {
        "verdict": VERDICTS[found.code[0]],
        "score": float(found.score[0]),
        "flow": float(found.flow[0]),
        "balance": float(found.balance[0]),
    }


def _net_buildup(a):
    rows = a["rows"]
    found = net_build_up(
        strikes(rows),
        classes(rows),
        legs(rows, "doi"),
        legs(rows, "oi"),
        forward=a["F"],
        level_change=a["dx"],
        em_w=a["em_w"],
    )
    return {
        "net": found.net,
        "participation": found.participation,
        "significance": found.significance,
        "score": found.score,
    }


ADAPTERS = {
    "oi_normalise": _oi_normalise,
    "detect_oi_unit": _detect_oi_unit,
    "oi_change": _oi_change,
    "mark_price": _mark_price,
    "synthetic_forward": _synthetic_forward,
    "atm_strike": lambda a: atm_strike(column(a["strikes"]), a["ref"]),
    "strike_window": _strike_window,
    "chain_quality": _chain_quality,
    "pcr": _pcr,
    "pcr_band": lambda a: [pcr_band(value) for value in a["values"]],
    "pcr_level_score": lambda a: [pcr_level_score(value) for value in a["values"]],
    "pcr_slope": _pcr_slope,
    "coi": _coi,
    "coi_score": lambda a: coi_score(a["balance"], a["ce_doi"], a["pe_doi"], a["total_oi"]),
    "max_pain": _max_pain,
    "max_pain_score": _max_pain_score,
    "sr_levels": _sr_levels,
    "level_break": _level_break,
    "sr_position_score": _sr_position_score,
    "em_window": lambda a: em_window(a["x"], a["sigma"], a["window_s"], a["session_s"]),
    "buildup": _buildup,
    "strike_verdict": _strike_verdict,
    "net_buildup": _net_buildup,
    "tick_vwap": lambda a: tick_vwap(*np.array(a["ticks"], float).T),
    "range_position": lambda a: range_position(a["ltp"], a["low"], a["high"]),
}
