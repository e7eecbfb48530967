"""Regimes, the truth of a simulated market: which follow which, how long they last, what they do (pure).

Source: analytics specification, 13.2.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from oimon.terms import Direction

Codes: TypeAlias = npt.NDArray[np.int8]
"""Place of a regime in ``REGIMES``, one a second."""


class Name(StrEnum):
    """A regime's short name."""

    LB = "LB"  # long build-up
    SC = "SC"  # short covering
    SB = "SB"  # short build-up
    LU = "LU"  # long unwinding
    RANGE = "RANGE"
    SHOCK = "SHOCK"


@dataclass(frozen=True, kw_only=True, slots=True)
class Regime:
    """What one regime does to a market."""

    truth: int  # +1 bullish, −1 bearish, 0
    drift: float  # of the logarithm of the price, an hour
    vol: float  # a year of 252 sessions
    iv_drift: float  # of the IV at the money, an hour
    slope_drift: float  # of the smile's slope, an hour
    min_s: float
    mean_s: float
    ce_flow: tuple[
        float, float, float
    ]  # share of the base OI in 15 minutes: in, at, out of the money
    pe_flow: tuple[float, float, float]
    future_flow: float
    follow: Mapping[Name, float]  # probability of the next

    @property
    def label(self) -> Direction:
        """What an analysis ought to say."""
        return (Direction.NEUTRAL, Direction.BULLISH, Direction.BEARISH)[self.truth]


def _flow(itm: float, atm: float, otm: float) -> tuple[float, float, float]:
    return itm / 100, atm / 100, otm / 100


_LB, _SC, _SB, _LU, _RANGE, _SHOCK = Name
# fmt: off
TABLE: Mapping[Name, Regime] = {
    _LB: Regime(truth=1, drift=0.0050, vol=0.09, iv_drift=-0.004, slope_drift=0.010, min_s=900, mean_s=2100,
                ce_flow=_flow(-1, 4, 2), pe_flow=_flow(-2, 8, 6), future_flow=0.012,
                follow={_SC: 0.15, _SB: 0.10, _LU: 0.30, _RANGE: 0.42, _SHOCK: 0.03}),
    _SC: Regime(truth=1, drift=0.0070, vol=0.12, iv_drift=-0.010, slope_drift=0.015, min_s=600, mean_s=1500,
                ce_flow=_flow(-4, -8, -6), pe_flow=_flow(-1, 4, 3), future_flow=-0.010,
                follow={_LB: 0.35, _SB: 0.10, _LU: 0.10, _RANGE: 0.42, _SHOCK: 0.03}),
    _SB: Regime(truth=-1, drift=-0.0050, vol=0.10, iv_drift=0.006, slope_drift=-0.010, min_s=900, mean_s=2100,
                ce_flow=_flow(-2, 8, 6), pe_flow=_flow(-1, 4, 2), future_flow=0.012,
                follow={_LB: 0.10, _SC: 0.30, _LU: 0.15, _RANGE: 0.42, _SHOCK: 0.03}),
    _LU: Regime(truth=-1, drift=-0.0070, vol=0.13, iv_drift=0.012, slope_drift=-0.020, min_s=600, mean_s=1500,
                ce_flow=_flow(-1, -5, -4), pe_flow=_flow(-4, -8, -6), future_flow=-0.010,
                follow={_LB: 0.10, _SC: 0.10, _SB: 0.35, _RANGE: 0.42, _SHOCK: 0.03}),
    _RANGE: Regime(truth=0, drift=0.0, vol=0.07, iv_drift=-0.006, slope_drift=0.0, min_s=900, mean_s=2700,
                   ce_flow=_flow(0, 4, 4), pe_flow=_flow(0, 4, 4), future_flow=0.001,
                   follow={_LB: 0.26, _SC: 0.21, _SB: 0.26, _LU: 0.21, _SHOCK: 0.06}),
    _SHOCK: Regime(truth=0, drift=0.0, vol=0.30, iv_drift=0.030, slope_drift=-0.030, min_s=60, mean_s=240,
                   ce_flow=_flow(-2, -2, -2), pe_flow=_flow(-2, -2, -2), future_flow=0.0,
                   follow={_LB: 0.20, _SC: 0.15, _SB: 0.25, _LU: 0.20, _RANGE: 0.20}),
}
# fmt: on
NAMES = tuple(Name)
REGIMES = tuple(TABLE[name] for name in NAMES)
RANGE_CODE, SHOCK_CODE = NAMES.index(Name.RANGE), NAMES.index(Name.SHOCK)


def walk(chance: np.random.Generator, seconds: int) -> Codes:
    """Return the regime of each second of a day that starts in RANGE, shape (seconds,).

    Args:
        chance: the stream's generator.
        seconds: length of the day.
    """
    codes = np.empty(seconds, np.int8)
    at_s, name = 0.0, Name.RANGE
    while at_s < seconds:
        regime = TABLE[name]
        until_s = at_s + regime.min_s + chance.exponential(regime.mean_s - regime.min_s)
        codes[round(at_s) : round(until_s)] = NAMES.index(name)
        at_s = until_s
        names, odds = zip(*regime.follow.items(), strict=True)
        name = names[int(np.cumsum(odds).searchsorted(chance.random() * sum(odds), side="right"))]
    return codes


def starts(codes: Codes) -> npt.NDArray[np.intp]:
    """Return the second in which each regime of a day begins, ascending; the first is 0."""
    return np.append(0, np.flatnonzero(np.diff(codes)) + 1)
