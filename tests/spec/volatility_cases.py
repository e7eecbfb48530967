"""Adapters of volatility, Greeks and exposure (section 9 of the specification)."""

import numpy as np

from oimon.core.gex import gex
from oimon.core.greeks import black76
from oimon.core.implied_vol import IV_STATUSES, implied_vol
from oimon.core.iv_rank import iv_rank
from oimon.core.smile import Quotes, smile
from oimon.core.straddle import expected_move, straddle
from tests.spec.columns import column, plain, sides, strikes


def _black76(a):
    found = black76(a["F"], column([a["K"]]), a["T"], column([a["sigma"]]), a["r"])
    row = ("CE", "PE").index(a["type"])
    return {
        "price": float(found.price[row, 0]),
        "delta": float(found.delta[row, 0]),
        "gamma": float(found.gamma[0]),
        "vega": float(found.vega[0]),
        "theta": float(found.theta[row, 0]),
    }


def _implied_vol(a):
    found = implied_vol(
        column([a["price"]]),
        np.array([a["type"] == "CE"]),
        column([a["K"]]),
        forward=a["F"],
        years=a["T"],
        rate=a["r"],
        tick=a["tick"],
    )
    return {"iv": plain(found.sigma[0]), "status": IV_STATUSES[found.status[0]]}


def _smile(a):
    rows, strike = a["rows"], strikes(a["rows"])
    market = {"forward": a["F"], "years": a["T"], "rate": a["r"]}
    curve = smile(Quotes(strike, sides(rows, "mark"), a["F"], a["T"], a["tick"]), a["r"])
    exposure = gex(strike, sides(rows, "oi"), curve, **market)
    points = zip(strike, curve.is_call, curve.iv, curve.status, strict=True)
    return {
        "strike_iv": [
            {
                "strike": k,
                "leg": "CE" if call else "PE",
                "iv": plain(iv),
                "status": IV_STATUSES[code],
            }
            for k, call, iv, code in points
        ],
        "atm_iv": curve.atm_iv,
        "call25": curve.call25,
        "put25": curve.put25,
        "rr25": curve.rr25,
        "gex": {
            "net": exposure.net,
            "abs": exposure.absolute,
            "per_strike": [[k, plain(g)] for k, g in zip(strike, exposure.per_strike, strict=True)],
        },
        "zero_gamma": exposure.zero_gamma,
    }


def _straddle(a):
    found = straddle(a["ce"], a["pe"], a["F"])
    return {
        "straddle": found.price,
        "implied_move_pct": found.move_pct,
        "em_expiry": expected_move(a["F"], a["sigma"], a["T"]),
        "em_day": expected_move(a["F"], a["sigma"], 1 / 365),
    }


def _iv_rank(a):
    found = iv_rank(a["history"], a["now"])
    if found is None:
        return {"rank": None, "percentile": None, "status": "insufficient_history"}
    return {"rank": found.rank, "percentile": found.percentile, "status": "ok"}


ADAPTERS = {
    "black76": _black76,
    "implied_vol": _implied_vol,
    "smile": _smile,
    "straddle": _straddle,
    "iv_rank": _iv_rank,
}
