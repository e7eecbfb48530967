"""Implied volatility: the root of Black-76 on its volatility, for many options at once."""

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
_ZERO, _HALF, _ONE, _ROOT_TAU = map(np.array, (0.0, 0.5, 1.0, ROOT_TAU))
_SLACK, _NEAR = np.array(SLACK), np.array(_CLOSE)
_LEAST, _MOST = np.array(SIGMA_MIN - SLACK), np.array(SIGMA_MAX + SLACK)


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
    if fast.loops is not None and price.ndim == 1 and not _is_mixed(forward, years, tick):
        sigma, status = np.empty(len(price)), np.empty(len(price), np.int8)
        fast.loops.implied_vols(price, is_call, strike, forward, years, rate, tick, sigma, status)
        return ImpliedVol(sigma, status)
    # The out-of-the-money twin has the same time value and no intrinsic value to drown it.
    apart = strike - forward
    is_inside = is_call == (apart < _ZERO)
    np.abs(apart, out=apart)
    discount = np.exp(np.multiply(years, -rate))
    undiscounted = price / discount
    value = undiscounted
    if np.count_nonzero(is_inside):
        value = undiscounted - apart * is_inside
    status = _status(undiscounted, value, np.minimum(strike, forward), years, 2 * tick / discount)
    places = (status == 0).nonzero()
    count = len(places[0])
    if not count:
        return ImpliedVol(np.full(price.shape, np.nan), status)
    open_: Places = ... if count == status.size else places  # mostly all: nothing is picked out
    at, ahead, root = strike[open_], _of(forward, open_), np.sqrt(_of(years, open_))
    share = _ONE / np.sqrt(at * ahead)
    with np.errstate(all="ignore"):
        x = np.log(at / ahead)
        found = _deviation(value[open_] * share, apart[open_] * share, np.abs(x, out=x), root)
    found /= root
    low, high = found < _LEAST, found > _MOST
    if np.count_nonzero(low) or np.count_nonzero(high):
        found[low | high] = np.nan
        status[open_] = np.where(low, _CODES[IvStatus.BELOW_MIN], high * _CODES[IvStatus.ABOVE_MAX])
    if open_ is ...:
        return ImpliedVol(found, status)
    sigma = np.full(price.shape, np.nan)
    sigma[open_] = found
    return ImpliedVol(sigma, status)


def _is_mixed(*terms: Terms) -> bool:
    """Return whether the options are of several expiries; machine code takes one."""
    return np.ndarray in map(type, terms)


def _of(terms: Terms, places: Places) -> Terms:
    """Return the terms of some of the options."""
    return terms[places] if isinstance(terms, np.ndarray) else terms


def _status(
    undiscounted: FloatArray, value: FloatArray, most: FloatArray, years: Terms, floor: Terms
) -> IntArray:
    """Return each option's status before any root is sought; the last written is the first asked.

    A time value of rounding is none: its sign would differ from machine to machine. ``most`` is what it is below.
    """
    status = np.zeros(undiscounted.shape, np.int8)
    is_close = np.multiply(years, YEAR_S) < MIN_SECONDS
    floor = floor - SLACK
    most = most - _SLACK
    is_ok = undiscounted >= floor
    is_ok &= value > _SLACK
    is_ok &= value < most
    if np.count_nonzero(is_ok) == status.size and not np.count_nonzero(is_close):
        return status  # mostly: nothing has to be told apart
    status[value >= most] = _CODES[IvStatus.ABOVE_BOUND]
    status[value <= _SLACK] = _CODES[IvStatus.BELOW_INTRINSIC]
    status[undiscounted < floor] = _CODES[IvStatus.TICK_FLOOR]
    if np.count_nonzero(is_close):
        gone = np.where(
            np.less_equal(years, 0), _CODES[IvStatus.EXPIRED], _CODES[IvStatus.TOO_CLOSE]
        )
        status = np.where(is_close, gone, status).astype(np.int8)
    status[np.isnan(undiscounted)] = _CODES[IvStatus.NO_PRICE]
    return status


def _deviation(value: FloatArray, apart: FloatArray, x: FloatArray, root: Terms) -> FloatArray:
    """Return s = σ√T of out-of-the-money options by Halley steps on the logarithm of the price.

    b(s) = e^(−x/2)·N(s/2 − x/s) − e^(x/2)·N(−s/2 − x/s) rises with s. From the start of ``near_deviation`` one step is mostly
    enough, two are for s up to 2; an option that they lead astray is done again inside a bracket.

    Args:
        value: price/(D·√(F·K)), shape (n,).
        apart: |F − K|/√(F·K), shape (n,).
        x: |ln(F/K)|, shape (n,).
        root: √T.

    Source: performance paper, 4c (Halley on the logarithm); the start and the form of a step are ours.
    """
    s = near_deviation(value, apart, x)
    scaled = value * _ROOT_TAU
    is_open = None
    for _ in range(_STEPS):
        new, _ = _halley(scaled, x, s)
        moved = new - s
        np.abs(moved, out=moved)
        is_found = moved <= s * _NEAR
        # what is found stays, so that no option depends on another
        s = new if is_open is None else np.where(is_open, new, s)
        if np.count_nonzero(is_found) == len(s):
            return s
        is_open = ~is_found if is_open is None else is_open & ~is_found
        if not np.count_nonzero(is_open):
            return s
    root = np.broadcast_to(root, s.shape)
    s[is_open] = _bracketed(scaled[is_open], x[is_open], root[is_open])
    return s


def _bracketed(scaled: FloatArray, x: FloatArray, root: FloatArray) -> FloatArray:
    """Return s by steps that never leave a bracket; a root outside it ends at its bound, beyond the limits."""
    low, high = root * (0.5 * SIGMA_MIN), root * (2.0 * SIGMA_MAX)
    s: FloatArray = np.sqrt(low * high)
    is_open = np.ones(s.shape, np.bool_)
    for _ in range(_MAX_STEPS):
        new, error = _halley(scaled, x, s)
        high, low = np.where(error > 0, s, high), np.where(error > 0, low, s)
        new = np.where((new >= low) & (new <= high), new, np.sqrt(low * high))
        is_close = np.abs(new - s) <= _CLOSE * s
        s = np.where(is_open, new, s)  # what is found stays, so that no option depends on another
        is_open &= ~is_close
        if not is_open.any():
            break
    return s


def _halley(scaled: FloatArray, x: FloatArray, s: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the next s, and ln(b(s)/value); ``scaled`` is value·√(2π).

    With d = x/s ± s/2 and m(d) = N(−d)/φ(d), b = b'·(m(d₋) − m(d₊)) and b' = e^(−(x²/s² + s²/4)/2)/√(2π): no exponential is
    needed where d₋, which is −d1, is above 0, and nothing is too small for a float.
    """
    n, ratio, half = len(x), x / s, s * _HALF
    ends = np.empty(2 * n)
    inner, outer = ends[:n], ends[n:]
    np.subtract(ratio, half, out=inner)
    np.add(ratio, half, out=outer)
    upper = (inner < _ZERO).nonzero()[0]
    np.abs(inner, out=inner)
    ratios = mills(ends)
    if len(upper):
        at = inner[upper]
        ratios[upper] = ROOT_TAU * np.exp(at * at * _HALF) - ratios[upper]
    across = ratios[:n]  # b/b'
    across -= ratios[n:]
    ratio *= ratio
    half *= half
    error = across / scaled
    np.log(error, out=error)
    error -= (ratio + half) * _HALF
    # s·(f''/f'·f/f' − 1) of f = ln b
    ratio -= half
    ratio *= across
    ratio -= s
    across *= error
    across *= s
    ratio *= error
    ratio *= _HALF
    return s - across / (s - ratio), error
