"""Why a strike says Bull, Bear or Neutral: both legs, flow, balance, score, thresholds (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oimon.core.build_up import CLASSES
from oimon.core.chain import nearest_index
from oimon.core.verdict import THRESHOLD, VERDICTS, strike_verdict
from oimon.explain.ages import as_of, leg_ages
from oimon.explain.anchors import short_term
from oimon.explain.leg import LegReading, leg_sentences, read_leg
from oimon.explain.words import quantity, share, strike_name
from oimon.messages import ChainAnalysis, ExpiryAnalysis
from oimon.terms import BuildUp, Mode, OptionKind, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class StrikeReading:
    """One strike's verdict with its arithmetic; ``against`` is its strongest contrary evidence, None where there is none."""

    underlying: str
    expiry: str
    ts_us: int
    mode: Mode
    strike: float
    verdict: Verdict
    score: float
    flow: float
    balance: float
    threshold: float
    call: LegReading
    put: LegReading
    against: str | None
    sentences: list[str]


def nearest_strike(expiry: ExpiryAnalysis, strike: float) -> float | None:
    """Return the listed strike nearest to one that is asked for, None of an empty chain."""
    place = nearest_index(expiry.chain.strike, strike)
    return None if place is None else float(expiry.chain.strike[place])


def read_strike(analysis: ChainAnalysis, expiry: ExpiryAnalysis, strike: float) -> StrikeReading:
    """Return why one listed strike has its verdict.

    Args:
        analysis: of one underlying.
        expiry: whose chain: the analysis itself, or one of its ``more``.
        strike: a listed one.

    Raises:
        LookupError: it is not listed.

    Source: analytics specification, 5.3.
    """
    places = (expiry.chain.strike == strike).nonzero()[0]
    if not len(places):
        raise LookupError(f"strike {strike:g} is not listed")
    place = int(places[0])
    call, put = (read_leg(expiry, kind, place) for kind in OptionKind)
    found = strike_verdict(
        np.array([[CLASSES.index(leg.build_up or BuildUp.NONE)] for leg in (call, put)], np.int8),
        np.array([[_or_nan(leg.oi_change)] for leg in (call, put)]),
        np.array([[_or_nan(leg.oi)] for leg in (call, put)]),
    )
    score, flow, balance = (float(column[0]) for column in (found.score, found.flow, found.balance))
    verdict = VERDICTS[found.code[0]]
    against = _against(call, put, balance, score)
    told = [
        (
            f"{analysis.underlying} {strike_name(strike)} of {expiry.expiry}: {verdict}, score "
            f"{score:+.3f} (Bull from +{THRESHOLD}, Bear from -{THRESHOLD}, Neutral between)."
        ),
        *as_of(analysis, expiry),
        *leg_sentences(call),
        *leg_sentences(put),
        *_arithmetic(call, put, flow, balance, score, since=short_term(analysis, expiry)),
        f"Against it: {against}." if against else "Against it: nothing that counts.",
        _change(verdict, score),
        *leg_ages(analysis, expiry, place),
    ]
    return StrikeReading(
        underlying=analysis.underlying,
        expiry=expiry.expiry,
        ts_us=analysis.ts_us,
        mode=analysis.mode,
        strike=strike,
        verdict=verdict,
        score=score,
        flow=flow,
        balance=balance,
        threshold=THRESHOLD,
        call=call,
        put=put,
        against=against,
        sentences=told,
    )


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _arithmetic(
    call: LegReading, put: LegReading, flow: float, balance: float, score: float, *, since: str
) -> list[str]:
    """Return flow, balance and score as sums that a reader can check."""
    moved = [(leg.says, abs(leg.oi_change)) for leg in (call, put) if leg.oi_change is not None]
    total = sum(size for _, size in moved)
    parts = " ".join(f"{says:+.1f} × {quantity(size)}" for says, size in moved)
    shown = f"({parts}) / {quantity(total)} = " if total else _nothing("changed", moved)
    known = [leg.oi for leg in (call, put) if leg.oi is not None]
    both = sum(known)
    held = (
        f"({quantity(put.oi)} - {quantity(call.oi)}) / {quantity(both)} = "
        if both
        else _nothing("is held", known)
    )
    return [
        f"Flow, what changed in {since}: {shown}{flow:+.3f}.",
        f"Balance, puts against calls held: {held}{balance:+.3f}.",
        f"Score: 0.8 × {flow:+.3f} + 0.2 × {balance:+.3f} = {score:+.3f}.",
    ]


def _nothing(what: str, known: Sequence[object]) -> str:
    return f"no open interest {what}: " if known else "unknown, which counts as none: "


def _against(call: LegReading, put: LegReading, balance: float, score: float) -> str | None:
    """Return the largest part of the score that has the other sign; of a score of 0 the largest of all."""
    total = sum(abs(leg.oi_change or 0.0) for leg in (call, put))
    parts = [
        (0.8 * leg.says * abs(leg.oi_change or 0.0) / total if total else 0.0, f"the {name}'s flow")
        for leg, name in ((call, "call"), (put, "put"))
    ]
    parts.append((0.2 * balance, "the balance of what is held"))
    contrary = [part for part in parts if part[0] * (score or 1.0) < 0]
    if not contrary:
        return None
    size, name = max(contrary, key=lambda part: abs(part[0]))
    return f"{name}, {share(size, 3)} of the score"


def _change(verdict: Verdict, score: float) -> str:
    if verdict is Verdict.NEUTRAL:
        return (
            f"It would be Bull with {THRESHOLD - score:.3f} more, Bear with "
            f"{THRESHOLD + score:.3f} less."
        )
    return f"It would be Neutral with {abs(score) - THRESHOLD:.3f} less in its own direction."
