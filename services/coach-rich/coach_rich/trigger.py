"""When the deep coach speaks: open interest has shifted, or the market's reading has changed (pure).

Source: analytics specification, 8.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from oimon.core.chain import FloatArray
from oimon.core.shift import Baseline, oi_trigger
from oimon.messages import ChainAnalysis, ExpiryAnalysis, Trigger
from oimon.terms import Direction

LABEL_CHANGE = "label_change"
_BREAK = "BREAK"

Keys = tuple[tuple[str, FloatArray], ...]
"""Each expiry and its strikes: the symbols in the order of a baseline, calls before puts."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Watch:
    """What the trigger compares with: the analysis last spoken of, never the one before."""

    keys: Keys
    baseline: Baseline
    direction: Direction
    """Label of the market when the coach last spoke."""


def is_due(watch: Watch | None, analysis: ChainAnalysis) -> tuple[Watch, Trigger | None]:
    """Return what is remembered next, and why the coach should speak now, if it should.

    Args:
        watch: what is remembered; ``None`` at the start of a run.
        analysis: the market.
    """
    keys, oi = _keys(analysis), _open_interest(analysis)
    if watch is None:
        watch = Watch(
            keys=keys, baseline=Baseline(oi=np.full_like(oi, np.nan)), direction=analysis.direction
        )
    elif not _is_same(watch.keys, keys):
        watch = replace(watch, keys=keys, baseline=_realigned(watch, keys))
    baseline, shift = oi_trigger(
        watch.baseline,
        oi,
        _lots(analysis),
        analysis.ts_us / 1e6,
        event=_event(watch, analysis),
    )
    watch = replace(watch, baseline=baseline)
    if shift.reason is None:
        return watch, None
    trigger = Trigger(
        reason=shift.reason,
        fraction=shift.fraction,
        moved=shift.moved,
        eligible=shift.eligible,
        since_s=shift.since_s,
    )
    return replace(watch, direction=analysis.direction), trigger


def spoken_of(analysis: ChainAnalysis) -> Watch:
    """Return what is remembered once the coach has spoken of an analysis."""
    return Watch(
        keys=_keys(analysis),
        baseline=Baseline(oi=_open_interest(analysis), fired_s=analysis.ts_us / 1e6),
        direction=analysis.direction,
    )


def _event(watch: Watch, analysis: ChainAnalysis) -> str | None:
    """Return what happened besides: a broken level now, or another label than when the coach last spoke."""
    broken = (event.kind for event in analysis.events if _BREAK in event.kind.upper())
    label = LABEL_CHANGE if analysis.direction is not watch.direction else None
    return next(broken, label)


def _expiries(analysis: ChainAnalysis) -> Iterator[ExpiryAnalysis]:
    yield analysis
    yield from analysis.more


def _keys(analysis: ChainAnalysis) -> Keys:
    return tuple((found.expiry, found.chain.strike) for found in _expiries(analysis))


def _open_interest(analysis: ChainAnalysis) -> FloatArray:
    """Return open interest of all tracked legs in quantity, shape (symbols,), NaN where missing."""
    sides = [side for found in _expiries(analysis) for side in (found.chain.ce, found.chain.pe)]
    return np.concatenate([side.oi for side in sides])


def _lots(analysis: ChainAnalysis) -> FloatArray:
    """Return each leg's lot, its expiry's, shape (symbols,); 1 where it is unknown: open interest is in contracts then."""
    found = list(_expiries(analysis))
    lots = np.array([expiry.lot or 1 for expiry in found], dtype=np.float64)
    return np.repeat(lots, [2 * len(expiry.chain.strike) for expiry in found])


def _is_same(before: Keys, now: Keys) -> bool:
    return len(before) == len(now) and all(
        was == expiry and (old is strikes or np.array_equal(old, strikes))
        for (was, old), (expiry, strikes) in zip(before, now, strict=True)
    )


def _realigned(watch: Watch, keys: Keys) -> Baseline:
    """Return the baseline in the order of other keys: a chain grows, an expiry ends."""
    known = dict(zip(_symbols(watch.keys), watch.baseline.oi.tolist(), strict=True))
    oi = np.array([known.get(symbol, np.nan) for symbol in _symbols(keys)], dtype=np.float64)
    return replace(watch.baseline, oi=oi)


def _symbols(keys: Keys) -> Iterator[tuple[str, int, float]]:
    for expiry, strikes in keys:
        for side in (0, 1):
            for strike in strikes.tolist():
                yield expiry, side, strike
