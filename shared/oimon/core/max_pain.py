"""Max pain: the strike at which writers would pay least at expiry."""

import math
from typing import NamedTuple

import numpy as np

from oimon.core.chain import CE, PE, FloatArray, ones, without_gaps
from oimon.core.compare import SLACK, clamp

ZONE = 1.02  # a flat bottom is information: strikes within 2 % of the least pain
FULL_DAYS, NO_DAYS = (
    1.0,
    3.0,
)  # the pull counts in full on the last day, not at all before the last three


class MaxPain(NamedTuple):
    """The strike, what writers would pay there, and the strikes where they would pay hardly more.

    Strike and zone are in rupees; pain is rupees when open interest is in quantity.
    """

    strike: float
    pain: float
    zone: tuple[float, float]


def max_pain(strike: FloatArray, oi: FloatArray, level: float) -> MaxPain | None:
    """Return the strike at which the holders of all options would be paid least.

    Args:
        strike: strikes of the whole chain in rupees, ascending, shape (n,).
        oi: open interest in quantity, shape (2, n), NaN counts as 0.
        level: reference level in rupees; of equal strikes the one nearest to it stands, then the lower.

    Returns:
        None where there is no open interest at all.

    Source: analytics specification, 3.
    """
    if not len(strike):
        return None
    curve, total = _curve(strike, without_gaps(oi))
    if total <= 0:
        return None
    least = int(curve.argmin())
    pain = curve.item(least)
    # what the sums may have lost to rounding where strikes have paise
    slack = 1e-12 * total * strike.item(-1)
    zone = (curve <= ZONE * pain + slack).nonzero()[0]
    first, last = _flat(curve, least, pain + slack)
    at = strike.item(least)
    if first < last:
        ties = strike[first : last + 1].tolist()
        at = min(ties, key=lambda tie: (abs(tie - level), tie))
    limits = strike.item(zone.item(0)), strike.item(zone.item(-1))
    return MaxPain(at, max(pain, 0.0), limits)


def pain_curve(strike: FloatArray, oi: FloatArray) -> FloatArray:
    """Return what the holders of all options would be paid at each strike, in rupees, shape (n,).

    pain(S) = Σ CE·max(0, S−K) + Σ PE·max(0, K−S), by running sums in O(n): with T = CE + PE,
    pain(K_i) = K_i·(ΣT_{≤i} − ΣPE) − Σ(T·K)_{≤i} + Σ(PE·K).

    Args:
        strike: in rupees, ascending, shape (n,).
        oi: open interest in quantity, shape (2, n), NaN counts as 0.

    Source: analytics specification, 3.
    """
    return _curve(strike, without_gaps(oi))[0] if len(strike) else strike


def max_pain_applies(years: float) -> bool:
    """Say whether max pain pulls at all: only in the last three days. Source: specification, 3."""
    return 365.0 * years < NO_DAYS - SLACK


def max_pain_score(
    forward: float, strike: float | None, sigma_atm: float | None, years: float
) -> float | None:
    """Return the pull of max pain in [−1, 1], stronger as expiry nears; None where something is missing.

    Args:
        forward: rupees.
        strike: max pain, in rupees.
        sigma_atm: at-the-money volatility, a year.
        years: time to expiry.

    Source: analytics specification, 3.
    """
    if strike is None or sigma_atm is None:
        return None
    nearness = clamp((NO_DAYS - 365.0 * years) / (NO_DAYS - FULL_DAYS), 0.0, 1.0)
    move = max(forward * sigma_atm * math.sqrt(max(years, 0.0)), 0.001 * forward)
    return clamp((strike - forward) / move, -1.0, 1.0) * nearness


def _curve(strike: FloatArray, held: FloatArray) -> tuple[FloatArray, float]:
    """Return the pain at each of at least one strike, and all open interest."""
    puts = held[PE]
    all_puts = puts.dot(ones(len(puts)))
    both = held[CE] + puts
    worth = both * strike
    # subtracted from the first of each running sum, hence from all
    both[0] -= all_puts
    worth[0] -= puts.dot(strike)
    curve: FloatArray = np.add.accumulate(both, out=both)
    total = curve.item(-1) + float(all_puts)
    curve *= strike
    curve -= np.add.accumulate(worth, out=worth)
    return curve, total


def _flat(curve: FloatArray, least: int, limit: float) -> tuple[int, int]:
    """Return the first and the last index of the flat bottom around the least pain; the curve is convex."""
    first = last = least
    while first and curve.item(first - 1) <= limit:
        first -= 1
    while last + 1 < len(curve) and curve.item(last + 1) <= limit:
        last += 1
    return first, last
