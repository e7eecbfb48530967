"""The deep coach's question (pure)."""

from collections.abc import Sequence
from typing import Any

from oimon.coach import payload
from oimon.coach.payload import Json, number
from oimon.core.chain import strike_window
from oimon.messages import Advice, ChainAnalysis, Legs, Position, Trigger
from oimon.terms import BuildUp, Verdict

EACH_SIDE = 10
CRORE = 1e7
_CLASSES = {
    BuildUp.LONG_BUILDUP: "LB",
    BuildUp.SHORT_BUILDUP: "SB",
    BuildUp.LONG_UNWINDING: "LU",
    BuildUp.SHORT_COVERING: "SC",
    BuildUp.NONE: "N",
}
_VERDICTS = {Verdict.BULL: "Bull", Verdict.BEAR: "Bear", Verdict.NEUTRAL: "Neut"}


def write(
    analysis: ChainAnalysis,
    trigger: Trigger,
    *,
    position: Position | None,
    recent: Sequence[Advice],
) -> str:
    """Return the question about an analysis, at most 4,000 tokens.

    Args:
        analysis: the market.
        trigger: why the coach speaks.
        position: the open paper position.
        recent: the coach's last decisions, oldest first.

    Source: analytics specification, 11.3.
    """
    return payload.written(
        {
            "v": 1,
            "trigger": {
                "reason": trigger.reason,
                "fraction": number(trigger.fraction, 3),
                "moved": trigger.moved,
                "eligible": trigger.eligible,
                "since_s": number(trigger.since_s, 0),
            },
            "now": payload.fast(analysis, rich=None, position=position),
            "chain": _chain(analysis),
            "analysis": _analysis(analysis),
            "history": [_minute(row) for row in analysis.history],
            "position": None if position is None else payload.held(position, analysis.ts_us),
            "recent": [_outcome(advice, analysis) for advice in recent],
        }
    )


def _chain(analysis: ChainAnalysis) -> list[list[Any]]:
    if analysis.atm is None:
        return []
    chain, lot = analysis.chain, analysis.lot or 1
    window = strike_window(chain.strike, analysis.atm, EACH_SIDE)
    verdicts = {strike: verdict for strike, _, _, verdict, _ in analysis.verdicts}
    rows = []
    for row in range(*window.indices(len(chain.strike))):
        strike = float(chain.strike[row])
        call, put = _leg(chain.ce, row, lot), _leg(chain.pe, row, lot)
        iv = number(float(chain.iv[row]), 2, times=100.0)
        verdict = verdicts.get(strike)
        word = None if verdict is None else _VERDICTS[Verdict(verdict)]
        rows.append([number(strike, 2), *call, iv, *reversed(put), word])
    return rows


def _leg(legs: Legs, row: int, lot: int) -> list[Any]:
    """Return OI, its change in 15 minutes and since yesterday (lots), mark, its change in per cent, class."""
    mark, change = float(legs.mark[row]), float(legs.price_change_15m[row])
    before = mark - change
    build_up = legs.build_up[row]
    return [
        number(float(legs.oi[row]) / lot, 0),
        number(float(legs.oi_change_15m[row]) / lot, 0),
        number(float(legs.oi_change_day[row]) / lot, 0),
        number(mark, 2),
        number(100.0 * change / before, 1) if before > 0 else None,
        None if build_up is None else _CLASSES[BuildUp(build_up)],
    ]


def _analysis(analysis: ChainAnalysis) -> Json:
    zone, move = analysis.max_pain_zone, None
    if analysis.straddle is not None and analysis.forward:
        move = 100.0 * analysis.straddle / analysis.forward
    return {
        "pcr": {
            "oi": number(analysis.pcr, 3),
            "window": number(analysis.pcr_window, 3),
            "vol": number(analysis.pcr_vol, 3),
            "slope_h": number(analysis.pcr_slope_per_hour, 3),
        },
        "coi": {"balance": number(analysis.coi.balance, 3), "case": analysis.coi.case},
        "max_pain": {
            "strike": number(analysis.max_pain, 2),
            "zone": zone and [number(k, 2) for k in zone],
        },
        "support": _levels(analysis.support),
        "resistance": _levels(analysis.resistance),
        "events": [event.text for event in analysis.events],
        "components": _components(analysis),
        "straddle": number(analysis.straddle, 2),
        "move_pct": number(move, 2),
        "rr25": number(analysis.rr25, 2, times=100.0),  # of volatilities, which are in per cent
        "iv_pctile": None,  # needs a year of daily volatilities, which no message carries
        "gex": _gex(analysis),
        "fut": _future(analysis),
    }


def _gex(analysis: ChainAnalysis) -> Json | None:
    gex = analysis.gex
    if gex is None:
        return None
    return {
        "net_cr": number(gex.net, 1, times=1 / CRORE),
        "abs_cr": number(gex.abs, 1, times=1 / CRORE),
        "zero": number(gex.zero, 1),
    }


def _future(analysis: ChainAnalysis) -> Json | None:
    future = analysis.future
    if future is None:
        return None
    return {
        "class": future.build_up and _CLASSES[BuildUp(future.build_up)],
        "basis_pct": number(future.basis, 3, times=100.0),
    }


def _levels(levels: Sequence[tuple[float, float]]) -> list[list[Any]]:
    return [[number(strike, 2), number(strength, 0)] for strike, strength in levels]


def _components(analysis: ChainAnalysis) -> list[list[Any]]:
    shares = {name: share for name, share, _ in analysis.contributions}
    return [
        [name, number(reading.score, 3), number(shares.get(name), 3)]
        for name, reading in sorted(analysis.components.items())
    ]


def _minute(row: Sequence[Any]) -> list[Any]:
    ts_s, x, pcr, coi, score, label = row[:6]
    at = payload.clock_time(ts_s * 1_000_000)[:5]
    return [at, number(x, 2), number(pcr, 3), number(coi, 3), number(score, 3), label]


def _outcome(advice: Advice, analysis: ChainAnalysis) -> list[Any]:
    """Return a decision and by how many per cent the reference level has moved since."""
    moved = 100.0 * (analysis.x / advice.x - 1.0) if analysis.x and advice.x else None
    at = payload.clock_time(advice.ts_us)[:5]
    return [at, advice.action, advice.side, number(advice.confidence, 2), number(moved, 2)]
