"""The smile of one expiry: one volatility a strike, and what is read off it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from oimon.core import fast
from oimon.core.chain import CE, PE, BoolArray, FloatArray, IntArray
from oimon.core.greeks import d1, deltas
from oimon.core.implied_vol import ImpliedVol, implied_vol


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


class Quotes(NamedTuple):
    """What one expiry's smile is made from.

    ``strike`` in rupees, ascending, shape (n,); ``price`` the mark of each leg in rupees, shape (2, n), NaN where missing;
    ``forward`` in rupees; ``years`` to expiry; ``tick`` the smallest step of the price.
    """

    strike: FloatArray
    price: FloatArray
    forward: float
    years: float
    tick: float


def smiles(expiries: Sequence[Quotes], rate: float) -> list[Smile]:
    """Return the smile of each expiry; each strike's volatility comes from its out-of-the-money leg and serves both.

    All are solved at once: it costs little more than one, and no option depends on another.

    Args:
        expiries: what each is made from.
        rate: a year, continuous.

    Source: analytics specification, 9.2, 9.3.
    """
    if fast.loops is not None:
        return [_by_machine_code(quotes, rate) for quotes in expiries]
    if not expiries:
        return []
    sizes = [len(quotes.strike) for quotes in expiries]
    strike = np.concatenate([quotes.strike for quotes in expiries])
    price = np.concatenate([quotes.price for quotes in expiries], axis=1)
    forward, years, tick = np.array([quotes[2:] for quotes in expiries]).repeat(sizes, axis=0).T
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
    d_one, delta, above = _moneyness(strike, forward, years, found.sigma, rate)
    curves, end = [], 0
    for quotes, size in zip(expiries, sizes, strict=True):
        part = slice(end, end := end + size)
        curves.append(
            _measured(quotes, found, part, is_call[part], d_one[part], delta[:, part], above[part])
        )
    return curves


def _moneyness(
    strike: FloatArray, forward: FloatArray, years: FloatArray, sigma: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return d1, shape (n,), both deltas, shape (2, n), and N(d1), shape (n,)."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an expired one has no volatility anyway
        d_one = d1(forward, strike, years, sigma)
    discount = np.exp(years * -rate)
    delta = deltas(d_one, discount)
    return d_one, delta, delta[CE] / discount


def _by_machine_code(quotes: Quotes, rate: float) -> Smile:
    """Return the smile of one expiry: there one costs no more in company."""
    n = len(quotes.strike)
    curve, status, is_call = np.empty((4, n)), np.empty(n, np.int8), np.empty(n, np.bool_)
    found = fast.loops.smile(*quotes, rate, curve, status, is_call)  # type: ignore[union-attr]  # asked where it is used
    at_money, call25, put25 = found
    return Smile(
        iv=curve[0],
        status=status,
        is_call=is_call,
        d1=curve[1],
        delta=curve[2:],
        atm_iv=_known(at_money),
        call25=_known(call25),
        put25=_known(put25),
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def smile(quotes: Quotes, rate: float) -> Smile:
    """Return the smile of one expiry, as :func:`smiles` does of several."""
    return smiles([quotes], rate)[0]


def _measured(
    quotes: Quotes,
    found: ImpliedVol,
    part: slice,
    is_call: BoolArray,
    d_one: FloatArray,
    delta: FloatArray,
    above: FloatArray,
) -> Smile:
    """Return one expiry's smile with what is read off it; ``above`` is N(d1)."""
    iv, status = found.sigma[part], found.status[part]
    has_iv = (status == 0).nonzero()[0]
    points = list(zip(above[has_iv].tolist(), iv[has_iv].tolist(), strict=True))
    at_money = None
    if points:
        at_money = float(np.interp(quotes.forward, quotes.strike[has_iv], iv[has_iv]))
    return Smile(
        iv=iv,
        status=status,
        is_call=is_call,
        d1=d_one,
        delta=delta,
        atm_iv=at_money,
        call25=_at(points, 0.25),
        put25=_at(points, 0.75),
    )


def _at(points: list[tuple[float, float]], target: float) -> float | None:
    """Return the volatility where N(d1) is the target, in the first pair of points around it."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= target <= x1 or x1 <= target <= x0:
            return y0 if x0 == x1 else y0 + (y1 - y0) * (target - x0) / (x1 - x0)
    return None
