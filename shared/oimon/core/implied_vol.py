"""Implied volatility: the root of Black-76 on its volatility, for many options at once."""

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compare import SLACK
from oimon.core.greeks import YEAR_S, normal_cdf, normal_pdf

SIGMA_MIN, SIGMA_MAX = 0.01, 5.0
MIN_SECONDS = 60.0
_MAX_STEPS = 60  # bisection alone closes the bracket in fewer; three or four Halley steps are usual
_CLOSE = 1e-6  # relative step after which a cubic method is exact


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ImpliedVol:
    """Volatility a year of each option, NaN where there is none, and its status as an index into ``IV_STATUSES``."""

    sigma: FloatArray
    status: IntArray


def implied_vol(
    price: FloatArray,
    is_call: BoolArray,
    strike: FloatArray,
    *,
    forward: float,
    years: float,
    rate: float,
    tick: float,
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
    discount = math.exp(-rate * max(years, 0.0))
    intrinsic = np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
    undiscounted = price / discount
    status = _status(
        undiscounted, intrinsic, np.where(is_call, forward, strike), years, 2 * tick / discount
    )
    sigma = np.full(price.shape, np.nan)
    open_ = (status == 0).nonzero()
    if not len(open_[0]):
        return ImpliedVol(sigma=sigma, status=status)
    # The out-of-the-money twin has the same time value and no intrinsic value to drown it.
    at = strike[open_]
    value = (undiscounted[open_] - intrinsic[open_]) / np.sqrt(forward * at)
    root = math.sqrt(years)
    found = _deviation(value, -np.abs(np.log(forward / at)), SIGMA_MIN * root, SIGMA_MAX * root)
    found /= root
    low, high = found < SIGMA_MIN - SLACK, found > SIGMA_MAX + SLACK
    if low.any() or high.any():
        found[low | high] = np.nan
        status[open_] = np.where(
            low,
            IV_STATUSES.index(IvStatus.BELOW_MIN),
            np.where(high, IV_STATUSES.index(IvStatus.ABOVE_MAX), 0),
        )
    sigma[open_] = found
    return ImpliedVol(sigma=sigma, status=status)


def _status(
    undiscounted: FloatArray, intrinsic: FloatArray, bound: FloatArray, years: float, floor: float
) -> IntArray:
    """Return each option's status before any root is sought; the last written is the first asked."""
    status = np.zeros(undiscounted.shape, np.int8)
    checks = [
        (IvStatus.ABOVE_BOUND, undiscounted >= bound),
        (IvStatus.BELOW_INTRINSIC, undiscounted <= intrinsic),
        (IvStatus.TICK_FLOOR, undiscounted < floor - SLACK),
    ]
    if years <= 0 or years * YEAR_S < MIN_SECONDS:
        code = IvStatus.EXPIRED if years <= 0 else IvStatus.TOO_CLOSE
        checks.append((code, np.ones(undiscounted.shape, np.bool_)))
    checks.append((IvStatus.NO_PRICE, np.isnan(undiscounted)))
    for code, holds in checks:
        status[holds] = IV_STATUSES.index(code)
    return status


def _deviation(value: FloatArray, x: FloatArray, least: float, most: float) -> FloatArray:
    """Return s = σ√T of out-of-the-money options by Halley steps on the logarithm of the price.

    b(s) = e^(x/2)·N(x/s + s/2) − e^(−x/2)·N(x/s − s/2) rises with s. A step that leaves the bracket is replaced by its
    middle, so a root outside [least, most] ends at a bound beyond it.

    Args:
        value: price/(D·√(F·K)), shape (n,).
        x: −|ln(F/K)|, shape (n,).
        least: smallest deviation of interest.
        most: largest deviation of interest.

    Source: performance paper, 4c (method).
    """
    low, high = np.full(x.shape, 0.5 * least), np.full(x.shape, 2.0 * most)
    s = np.clip(_start(value, x), low, high)
    up, down = np.exp(x * 0.5), np.exp(x * -0.5)
    is_open = np.ones(x.shape, np.bool_)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        for _ in range(_MAX_STEPS):
            new = _step(value, x, s, up, down, low, high)
            is_close = np.abs(new - s) <= _CLOSE * s
            s = np.where(is_open, new, s)
            is_open &= ~is_close
            if not is_open.any():
                break
    return s


def _step(
    value: FloatArray,
    x: FloatArray,
    s: FloatArray,
    up: FloatArray,
    down: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray:
    """Return the next s, and narrow the bracket in place."""
    ratio, half = x / s, s * 0.5
    first = ratio + half
    below = normal_cdf(np.stack((first, ratio - half)))
    b = up * below[0] - down * below[1]
    error = np.log(b / value)
    is_above = error > 0
    np.copyto(high, s, where=is_above)
    np.copyto(low, s, where=~is_above)
    slope = up * normal_pdf(first) / b
    newton = -error / slope
    bend = ratio * ratio / s - 0.5 * half - slope  # f''/f' of ln b
    new = s + newton / (1.0 + 0.5 * newton * bend)
    return np.where((new >= low) & (new <= high), new, np.sqrt(low * high))


def _start(value: FloatArray, x: FloatArray) -> FloatArray:
    """Return the explicit approximation of s by Stefanica and Radoičić (2017), x ≤ 0; 0 where it has none."""
    ey = np.exp(x)
    alpha = value * np.sqrt(ey)  # undiscounted price over the strike
    r = 2.0 * alpha + 1.0 - ey
    part = (1.0 - 2.0 / math.pi) * x
    ep, em = np.exp(part), np.exp(-part)
    a = (ep - em) ** 2
    b = 4.0 * (np.exp(2.0 * x / math.pi) + np.exp(-2.0 * x / math.pi)) - 2.0 / ey * (ep + em) * (
        ey * ey + 1.0 - r * r
    )
    c = 4.0 * alpha * (alpha + 1.0 - ey) * ((ey + 1.0) ** 2 - r * r) / (ey * ey)
    with np.errstate(divide="ignore", invalid="ignore"):
        gamma = -0.5 * math.pi * np.log(2.0 * c / (b + np.sqrt(b * b + 4.0 * a * c)))
        turn = 0.5 * ey - (0.5 - 0.5 * np.sqrt(1.0 - np.exp(x * (4.0 / math.pi))))
        upper, lower = np.sqrt(gamma - x), np.sqrt(np.maximum(gamma + x, 0.0))
        s = np.where(alpha <= turn, upper - lower, upper + lower)
    return np.where(np.isfinite(s), s, 0.0)
