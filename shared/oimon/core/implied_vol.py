"""Implied volatility: the root of Black-76 on its volatility, for many options at once."""

import math
from dataclasses import dataclass
from enum import StrEnum
from types import EllipsisType
from typing import TypeAlias

import numpy as np

from oimon.core import fast
from oimon.core.chain import BoolArray, FloatArray, IndexArray, IntArray, Terms
from oimon.core.compare import SLACK
from oimon.core.greeks import YEAR_S, normal_cdf, normal_pdf

SIGMA_MIN, SIGMA_MAX = 0.01, 5.0
MIN_SECONDS = 60.0
_STEPS = 8  # three or four are usual
_MAX_STEPS = 60  # bisection alone closes the bracket in fewer
_CLOSE = 1e-5  # relative step after which a cubic method is exact
_HALF = np.array(0.5)


class IvStatus(StrEnum):
    """Why there is no volatility, in the order in which it is asked."""

    OK = "ok"
    NO_PRICE = "no_price"
    EXPIRED = "expired"
    TOO_CLOSE = "too_close"
    TICK_FLOOR = "tick_floor"
    BELOW_INTRINSIC = "below_intrinsic"
    ABOVE_BOUND = "above_bound"
    BELOW_MIN = "below_min"
    ABOVE_MAX = "above_max"


# A status is its index in this tuple, so that a whole chain's are one array.
IV_STATUSES = tuple(IvStatus)
_CODES = {status: code for code, status in enumerate(IV_STATUSES)}


Places: TypeAlias = tuple[IndexArray, ...] | EllipsisType
"""Some of the options, or all."""


@dataclass(frozen=True, slots=True)
class ImpliedVol:
    """Volatility a year of each option, NaN where there is none, and its status as an index into ``IV_STATUSES``."""

    sigma: FloatArray
    status: IntArray


def implied_vol(
    price: FloatArray,
    is_call: BoolArray,
    strike: FloatArray,
    *,
    forward: Terms,
    years: Terms,
    rate: float,
    tick: Terms,
) -> ImpliedVol:
    """Return the implied volatility of each option; the arrays have one shape.

    Args:
        price: rupees, NaN where missing.
        is_call: a call, else a put.
        strike: rupees.
        forward: rupees.
        years: time to expiry.
        rate: a year, continuous.
        tick: smallest step of the price, in rupees.

    Source: analytics specification, 9.2.
    """
    if fast.loops is not None and price.ndim == 1:
        terms = [np.full(price.shape, each, np.float64) for each in (forward, years, tick)]
        return ImpliedVol(
            *fast.loops.implied_vols(price, is_call, strike, terms[0], terms[1], rate, terms[2])
        )
    discount = np.exp(-rate * np.maximum(years, 0.0))
    bound = np.where(is_call, forward, strike)
    intrinsic = bound - np.minimum(strike, forward)
    undiscounted = price / discount
    status = _status(undiscounted, intrinsic, bound, years, 2 * tick / discount - SLACK)
    sigma = np.full(price.shape, np.nan)
    places = (status == 0).nonzero()
    count = len(places[0])
    if not count:
        return ImpliedVol(sigma=sigma, status=status)
    open_: Places = ... if count == status.size else places  # mostly all: nothing is picked out
    # The out-of-the-money twin has the same time value and no intrinsic value to drown it.
    at, ahead = strike[open_], _of(forward, open_)
    value = (undiscounted[open_] - intrinsic[open_]) / np.sqrt(ahead * at)
    root = np.full(at.shape, np.sqrt(_of(years, open_)))
    with np.errstate(all="ignore"):
        found = _deviation(value, -np.abs(np.log(at / ahead)), root) / root
    low, high = found < SIGMA_MIN - SLACK, found > SIGMA_MAX + SLACK
    if np.count_nonzero(low | high):
        found[low | high] = np.nan
        status[open_] = np.where(low, _CODES[IvStatus.BELOW_MIN], high * _CODES[IvStatus.ABOVE_MAX])
    sigma[open_] = found
    return ImpliedVol(sigma=sigma, status=status)


def _of(terms: Terms, places: Places) -> Terms:
    """Return the terms of some of the options."""
    return terms[places] if isinstance(terms, np.ndarray) else terms


def _status(
    undiscounted: FloatArray, intrinsic: FloatArray, bound: FloatArray, years: Terms, floor: Terms
) -> IntArray:
    """Return each option's status before any root is sought; the last written is the first asked."""
    status = np.zeros(undiscounted.shape, np.int8)
    status[undiscounted >= bound] = _CODES[IvStatus.ABOVE_BOUND]
    status[undiscounted <= intrinsic] = _CODES[IvStatus.BELOW_INTRINSIC]
    status[undiscounted < floor] = _CODES[IvStatus.TICK_FLOOR]
    is_close = np.multiply(years, YEAR_S) < MIN_SECONDS
    if np.count_nonzero(is_close):
        gone = np.where(
            np.less_equal(years, 0), _CODES[IvStatus.EXPIRED], _CODES[IvStatus.TOO_CLOSE]
        )
        status = np.where(is_close, gone, status).astype(np.int8)
    status[np.isnan(undiscounted)] = _CODES[IvStatus.NO_PRICE]
    return status


def _deviation(value: FloatArray, x: FloatArray, root: FloatArray) -> FloatArray:
    """Return s = σ√T of out-of-the-money options by Halley steps on the logarithm of the price.

    b(s) = e^(x/2)·N(x/s + s/2) − e^(−x/2)·N(x/s − s/2) rises with s. From an explicit start three or four steps are
    enough; an option that they lead astray is done again inside a bracket.

    Args:
        value: price/(D·√(F·K)), shape (n,).
        x: −|ln(F/K)|, shape (n,).
        root: √T, shape (n,).

    Source: performance paper, 4c (method).
    """
    growth = np.exp(x * 0.5)
    s = _start(value, x)
    is_open = np.ones(x.shape, np.bool_)
    for _ in range(_STEPS):
        new, _ = _halley(value, x, s, growth)
        is_far = ~(np.abs(new - s) <= _CLOSE * s)
        s = np.where(is_open, new, s)  # what is found stays, so that no option depends on another
        is_open &= is_far
        if not np.count_nonzero(is_open):
            return s
    s[is_open] = _bracketed(value[is_open], x[is_open], root[is_open], growth[is_open])
    return s


def _bracketed(
    value: FloatArray, x: FloatArray, root: FloatArray, growth: FloatArray
) -> FloatArray:
    """Return s by steps that never leave a bracket; a root outside it ends at its bound, beyond the limits."""
    low, high = root * (0.5 * SIGMA_MIN), root * (2.0 * SIGMA_MAX)
    s: FloatArray = np.sqrt(low * high)
    for _ in range(_MAX_STEPS):
        new, error = _halley(value, x, s, growth)
        high, low = np.where(error > 0, s, high), np.where(error > 0, low, s)
        new = np.where((new >= low) & (new <= high), new, np.sqrt(low * high))
        is_close = np.abs(new - s) <= _CLOSE * s
        s = new
        if is_close.all():
            break
    return s


def _halley(
    value: FloatArray, x: FloatArray, s: FloatArray, growth: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the next s, and ln(b(s)/value); ``growth`` is e^(x/2)."""
    n, ratio, half = len(x), x / s, s * _HALF
    ends = np.concatenate((ratio + half, ratio - half))
    below = normal_cdf(ends)
    b = growth * below[:n] - below[n:] / growth
    error = np.log(b / value)
    slope = growth * normal_pdf(ends[:n]) / b
    newton = error / slope
    bend = ratio * ratio / s - half * _HALF - slope  # f''/f' of ln b
    return s - newton / (1.0 - newton * bend * _HALF), error


def _start(value: FloatArray, x: FloatArray) -> FloatArray:
    """Return the explicit approximation of s by Stefanica and Radoičić (2017) for x ≤ 0, NaN where it has none."""
    ey = np.exp(x)
    alpha = value * np.sqrt(ey)  # undiscounted price over the strike
    r = alpha + alpha + 1.0 - ey
    rr = r * r
    ep = np.exp(x * (1.0 - 2.0 / math.pi))
    em = 1.0 / ep
    e2 = ey / ep  # e^(2x/π)
    a = (ep - em) ** 2
    b = 4.0 * (e2 + 1.0 / e2) - 2.0 / ey * (ep + em) * (ey * ey + 1.0 - rr)
    c = 4.0 * alpha * (alpha + 1.0 - ey) * ((ey + 1.0) ** 2 - rr) / (ey * ey)
    gamma = (-0.5 * math.pi) * np.log(2.0 * c / (b + np.sqrt(b * b + 4.0 * a * c)))
    turn = 0.5 * (ey - 1.0 + np.sqrt(1.0 - e2 * e2))
    lower = np.sqrt(np.maximum(gamma + x, 0.0))
    start: FloatArray = np.sqrt(gamma - x) + np.where(alpha <= turn, -lower, lower)
    return start
