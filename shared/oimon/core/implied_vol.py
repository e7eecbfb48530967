"""Implied volatility: the root of Black-76 on its volatility, for many options at once."""

import math
from dataclasses import dataclass
from enum import StrEnum
from types import EllipsisType
from typing import TypeAlias

import numpy as np

from oimon.core import fast
from oimon.core.bachelier import near_deviation
from oimon.core.chain import BoolArray, FloatArray, IndexArray, IntArray, Terms
from oimon.core.compare import SLACK
from oimon.core.greeks import YEAR_S
from oimon.core.normal import ROOT_TAU, mills

SIGMA_MIN, SIGMA_MAX = 0.01, 5.0
MIN_SECONDS = 60.0
_STEPS = 8  # one or two are usual
_MAX_STEPS = 60  # bisection alone closes the bracket in fewer
_CLOSE = 1e-4  # relative step after which a cubic method is exact
_ZERO, _HALF, _ONE, _LN_ROOT_TAU = np.array(0.0), np.array(0.5), np.array(1.0), np.array(math.log(ROOT_TAU))  # fmt: skip


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
    middle = np.sqrt(ahead * at)
    value = (undiscounted[open_] - intrinsic[open_]) / middle
    root = np.full(at.shape, np.sqrt(_of(years, open_)))
    with np.errstate(all="ignore"):
        x = -np.abs(np.log(at / ahead))
        found = _deviation(value, np.abs(at - ahead) / middle, x, root) / root
    low, high = found < SIGMA_MIN - SLACK, found > SIGMA_MAX + SLACK
    if np.count_nonzero(low) or np.count_nonzero(high):
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
    is_close = np.multiply(years, YEAR_S) < MIN_SECONDS
    is_ok = undiscounted >= floor
    # A time value of rounding is none: its sign would differ from machine to machine.
    least, most = intrinsic + SLACK, bound - SLACK
    is_ok &= undiscounted > least
    is_ok &= undiscounted < most
    if np.count_nonzero(is_ok) == status.size and not np.count_nonzero(is_close):
        return status  # mostly: nothing has to be told apart
    status[undiscounted >= most] = _CODES[IvStatus.ABOVE_BOUND]
    status[undiscounted <= least] = _CODES[IvStatus.BELOW_INTRINSIC]
    status[undiscounted < floor] = _CODES[IvStatus.TICK_FLOOR]
    if np.count_nonzero(is_close):
        gone = np.where(
            np.less_equal(years, 0), _CODES[IvStatus.EXPIRED], _CODES[IvStatus.TOO_CLOSE]
        )
        status = np.where(is_close, gone, status).astype(np.int8)
    status[np.isnan(undiscounted)] = _CODES[IvStatus.NO_PRICE]
    return status


def _deviation(value: FloatArray, apart: FloatArray, x: FloatArray, root: FloatArray) -> FloatArray:
    """Return s = σ√T of out-of-the-money options by Halley steps on the logarithm of the price.

    b(s) = e^(x/2)·N(x/s + s/2) − e^(−x/2)·N(x/s − s/2) rises with s. From the start of ``near_deviation`` one step is mostly
    enough, two are for s up to 2; an option that they lead astray is done again inside a bracket.

    Args:
        value: price/(D·√(F·K)), shape (n,).
        apart: |F − K|/√(F·K), shape (n,).
        x: −|ln(F/K)|, shape (n,).
        root: √T, shape (n,).

    Source: performance paper, 4c (Halley on the logarithm); the start and the form of a step are ours.
    """
    size = np.log(value)
    size += _LN_ROOT_TAU
    s = near_deviation(value, apart, x)
    is_open = None
    for _ in range(_STEPS):
        new, _ = _halley(size, x, s)
        is_far = ~(np.abs(new - s) <= _CLOSE * s)
        # what is found stays, so that no option depends on another
        s = new if is_open is None else np.where(is_open, new, s)
        is_open = is_far if is_open is None else is_open & is_far
        if not np.count_nonzero(is_open):
            return s
    s[is_open] = _bracketed(size[is_open], x[is_open], root[is_open])
    return s


def _bracketed(size: FloatArray, x: FloatArray, root: FloatArray) -> FloatArray:
    """Return s by steps that never leave a bracket; a root outside it ends at its bound, beyond the limits."""
    low, high = root * (0.5 * SIGMA_MIN), root * (2.0 * SIGMA_MAX)
    s: FloatArray = np.sqrt(low * high)
    for _ in range(_MAX_STEPS):
        new, error = _halley(size, x, s)
        high, low = np.where(error > 0, s, high), np.where(error > 0, low, s)
        new = np.where((new >= low) & (new <= high), new, np.sqrt(low * high))
        is_close = np.abs(new - s) <= _CLOSE * s
        s = new
        if is_close.all():
            break
    return s


def _halley(size: FloatArray, x: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the next s, and ln(b(s)/value); ``size`` is ln(value·√(2π)).

    With d = x/s ± s/2 and m(d) = N(d)/φ(d), b = b'·(m(d₁) − m(d₂)) and b' = e^(−(x²/s² + s²/4)/2)/√(2π): no exponential is
    needed where d₁ is below 0, and nothing is too small for a float.
    """
    n, ratio, half = len(x), x / s, s * _HALF
    ends = np.empty(2 * n)
    np.add(ratio, half, out=ends[:n])
    np.subtract(ratio, half, out=ends[n:])
    below = mills(np.abs(ends))
    upper = (ends[:n] > _ZERO).nonzero()[0]
    if len(upper):
        at = ends[upper]
        below[upper] = ROOT_TAU * np.exp(at * at * _HALF) - below[upper]
    across = below[:n] - below[n:]  # b/b'
    ratio *= ratio
    bend = ratio / s  # f''/f' of f = ln b
    ratio += half * half
    ratio *= _HALF
    error = np.log(across)
    error -= ratio
    error -= size
    newton = error * across
    half *= _HALF
    bend -= half
    bend -= _ONE / across
    bend *= newton
    bend *= _HALF
    return s - newton / (_ONE - bend), error
