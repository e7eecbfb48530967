"""The smile of one expiry: one volatility a strike, and what is read off it."""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from oimon.core.chain import CE, PE, BoolArray, FloatArray, IntArray
from oimon.core.greeks import d1, deltas
from oimon.core.implied_vol import implied_vol


@dataclass(frozen=True, slots=True, kw_only=True)
class Smile:
    """Volatility of each strike and the measures of the curve.

    ``iv`` a year, shape (n,), NaN where there is none, with ``status`` as an index into ``IV_STATUSES`` and ``is_call``
    for the leg it comes from; ``d1`` of shape (n,) and ``delta`` of shape (2, n) by that volatility. ``call25``, ``put25``
    and ``rr25`` are volatilities a year.
    """

    iv: FloatArray
    status: IntArray
    is_call: BoolArray
    d1: FloatArray
    delta: FloatArray
    atm_iv: float | None
    call25: float | None
    put25: float | None

    @property
    def rr25(self) -> float | None:
        """The 25-delta risk reversal: call minus put. Source: analytics specification, 9.3."""
        return None if self.call25 is None or self.put25 is None else self.call25 - self.put25


def smile(
    strike: FloatArray, price: FloatArray, *, forward: float, years: float, rate: float, tick: float
) -> Smile:
    """Return the smile; each strike's volatility comes from its out-of-the-money leg and serves both.

    Args:
        strike: rupees, ascending, shape (n,).
        price: mark of each leg in rupees, shape (2, n), NaN where missing.
        forward: rupees.
        years: time to expiry.
        rate: a year, continuous.
        tick: smallest step of the price, in rupees.

    Source: analytics specification, 9.2, 9.3.
    """
    is_call = strike >= forward  # in-the-money prices are thin
    found = implied_vol(
        np.where(is_call, price[CE], price[PE]),
        is_call,
        strike,
        forward=forward,
        years=years,
        rate=rate,
        tick=tick,
    )
    has_iv = found.status == 0
    if not np.count_nonzero(has_iv):
        nothing = np.full(price.shape, np.nan)
        return Smile(
            iv=found.sigma, status=found.status, is_call=is_call, d1=nothing[CE], delta=nothing,
            atm_iv=None, call25=None, put25=None,
        )  # fmt: skip
    d_one = d1(forward, strike, years, found.sigma)
    discount = math.exp(-rate * years)
    delta = deltas(d_one, discount)
    sigma = found.sigma[has_iv]
    above = (delta[CE][has_iv] / discount).tolist()  # N(d1)
    points = list(zip(above, sigma.tolist(), strict=True))
    return Smile(
        iv=found.sigma,
        status=found.status,
        is_call=is_call,
        d1=d_one,
        delta=delta,
        atm_iv=float(np.interp(forward, strike[has_iv], sigma)),
        call25=_at(points, 0.25),
        put25=_at(points, 0.75),
    )


def _at(points: list[tuple[float, float]], target: float) -> float | None:
    """Return the volatility where N(d1) is the target, in the first pair of points around it."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if min(x0, x1) <= target <= max(x0, x1):
            return y0 if x0 == x1 else y0 + (y1 - y0) * (target - x0) / (x1 - x0)
    return None
