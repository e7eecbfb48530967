"""How old what an analysis stands on is, and what it is not good for (pure). Source: requirement B01."""

import math
from enum import StrEnum

import numpy as np

from oimon import figures
from oimon.core.quality import OI_STALE_S
from oimon.explain.words import known, rupees, span
from oimon.messages import ChainAnalysis, ExpiryAnalysis, Legs
from oimon.terms import FeedState, MarketState

WARM_S = 300.0
_OPEN = (MarketState.OPEN, MarketState.OPEN_CAS)


class DataState(StrEnum):
    """What a reader has to know before he acts on an analysis."""

    CLOSED = "closed"  # the market is not open
    STALE = "stale"  # prices are too old
    OI_OLD = "oi_old"  # no open interest has moved for 10 minutes of open market
    GAPPED = "gapped"  # entries of the last window are missing
    COLD = "cold"  # less than 300 s of history
    ONE_SIDED = "one_sided"  # calls or puts have no open interest


def states(analysis: ChainAnalysis, expiry: ExpiryAnalysis | None = None) -> dict[DataState, str]:
    """Return every state that holds, each with its reason, the gravest first.

    Args:
        analysis: of one underlying.
        expiry: whose chain; left out, the headline's.
    """
    found, chain = {}, (expiry or analysis).chain
    is_open = analysis.market in _OPEN
    if not is_open:
        found[DataState.CLOSED] = f"the market is {_words(analysis.market)}"
    if analysis.is_stale:
        age_s = None if analysis.tick_age_ms is None else analysis.tick_age_ms / 1e3
        found[DataState.STALE] = f"the newest price is {span(age_s)} old"
    oi_s = oi_age_s(analysis, expiry or analysis)
    if is_open and oi_s is not None and oi_s > OI_STALE_S:
        found[DataState.OI_OLD] = f"no open interest has moved for {span(oi_s)}"
    if analysis.is_gapped:
        found[DataState.GAPPED] = "data of the last 15 min are missing"
    if not analysis.is_warm:
        found[DataState.COLD] = f"only {span(analysis.history_s)} of history, 5 min are needed"
    sides = [np.nansum(legs.oi) > 0 for legs in (chain.ce, chain.pe)]
    if sum(sides) == 1:
        found[DataState.ONE_SIDED] = f"the {'puts' if sides[0] else 'calls'} have no open interest"
    return found


def oi_age_s(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> float | None:
    """Return how long ago any leg's open interest moved; before the first move, since it has been watched."""
    newest_us = _moved_us(expiry)
    return analysis.history_s or None if newest_us is None else (analysis.ts_us - newest_us) / 1e6


def as_of(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> list[str]:
    """Return of when an analysis is, whether of a live market, and what it is measured from and in.

    Args:
        analysis: of one underlying.
        expiry: whose forward: the analysis itself, or one of its ``more``.

    Source: rulings, 10 (mode); specification, 1.5 (X).
    """
    feed = "" if analysis.feed is FeedState.OK else f", feed {_words(analysis.feed)}"
    source = "" if expiry.forward_source is None else f" ({_words(expiry.forward_source)})"
    no_lot = expiry.why_null.get("lot")
    return [
        (
            f"As of {figures.date_time(analysis.ts_us)} IST, {analysis.mode}{feed}: spot {rupees(analysis.spot)}, "
            f"forward {rupees(expiry.forward)}{source}, levels measured from X {rupees(analysis.x)}."
        ),
        *([] if no_lot is None else [f"{no_lot[:1].upper()}{no_lot[1:]}."]),
    ]


def ages(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> list[str]:
    """Return the ages that the numbers of one expiry stand on, and each state that holds.

    Args:
        analysis: of one underlying.
        expiry: whose chain: the analysis itself, or one of its ``more``.
    """
    tick_s = None if analysis.tick_age_ms is None else analysis.tick_age_ms / 1e3
    each = (
        "" if analysis.cadence_s < 1 else f" (the source sends one each {span(analysis.cadence_s)})"
    )
    why = ", ".join(expiry.quality_why).replace("_", " ")
    newest_us = _moved_us(expiry)
    moved = (
        "not seen to move"
        if newest_us is None
        else f"last moved {span((analysis.ts_us - newest_us) / 1e6)} ago"
    )
    return [
        (
            f"Ages: newest price {span(tick_s)}{each}, open interest {moved}, "
            f"history {span(analysis.history_s)}."
        ),
        f"Quality: {expiry.quality}{f' ({why})' if why else ''}.",
        *(f"{_title(state)}: {reason}." for state, reason in states(analysis, expiry).items()),
    ]


def leg_ages(analysis: ChainAnalysis, expiry: ExpiryAnalysis, place: int) -> list[str]:
    """Return how old each leg of a strike is, and each state that holds."""
    sides = (("call", expiry.chain.ce), ("put", expiry.chain.pe))
    told = "; ".join(f"{name} {_leg(legs, place, analysis.ts_us)}" for name, legs in sides)
    holds = states(analysis, expiry).items()
    return [f"Ages: {told}.", *(f"{_title(state)}: {reason}." for state, reason in holds)]


def _leg(legs: Legs, place: int, now_us: int) -> str:
    heard, sent, traded, moved = (
        None if (at := known(column[place])) is None else (now_us - at) / 1e6
        for column in (legs.received_us, legs.exchange_us, legs.traded_us, legs.oi_changed_us)
    )
    if heard is None:  # of a page, which tells none; or not in the chain
        return "unknown"
    oi = "not moved since it is watched" if moved is None else f"moved {span(moved)} ago"
    return (
        f"heard {span(heard)} ago (exchange's time {span(sent)}), traded {span(traded)} ago, "
        f"open interest {oi}"
    )


def _moved_us(expiry: ExpiryAnalysis) -> float | None:
    """Return when any leg's open interest moved last, None where none has."""
    sides = (expiry.chain.ce.oi_changed_us, expiry.chain.pe.oi_changed_us)
    newest = max(float(np.fmax.reduce(side, initial=-np.inf)) for side in sides)
    return newest if math.isfinite(newest) else None


def _words(name: str) -> str:
    return name.lower().replace("_", " ")


def _title(state: DataState) -> str:
    return state.replace("_", " ").upper()
