"""Volatilities, Greeks and deltas of many options as machine code; ``implied_vol``, ``greeks`` and ``smile`` say what they mean."""

import math

import numpy as np

from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compiled.machine import machine

_ROOT_HALF = math.sqrt(0.5)
_PHI_0 = 1.0 / math.sqrt(2.0 * math.pi)
_SLACK = 1e-9
_STEPS, _MAX_STEPS, _CLOSE = 8, 60, 1e-5
_SIGMA_MIN, _SIGMA_MAX = 0.01, 5.0
_YEAR_S, _MIN_SECONDS = 365.0 * 86_400.0, 60.0
_NO_PRICE, _EXPIRED, _TOO_CLOSE, _TICK_FLOOR, _BELOW_INTRINSIC, _ABOVE_BOUND, _BELOW_MIN, _ABOVE_MAX = range(1, 9)  # fmt: skip


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _halley(value: float, x: float, s: float, growth: float) -> tuple[float, float]:
    ratio, half = x / s, 0.5 * s
    upper = ratio + half
    b = growth * _cdf(upper) - _cdf(ratio - half) / growth
    error = math.log(b / value) if b > 0.0 else -math.inf
    slope = growth * math.exp(-0.5 * upper * upper) * _PHI_0 / b
    newton = error / slope
    bend = ratio * ratio / s - 0.25 * s - slope
    return s - newton / (1.0 - 0.5 * newton * bend), error


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _start(value: float, x: float) -> float:
    ey = math.exp(x)
    alpha = value * math.sqrt(ey)
    r = alpha + alpha + 1.0 - ey
    rr = r * r
    ep = math.exp(x * (1.0 - 2.0 / math.pi))
    em = 1.0 / ep
    e2 = ey / ep
    a = (ep - em) * (ep - em)
    b = 4.0 * (e2 + 1.0 / e2) - 2.0 / ey * (ep + em) * (ey * ey + 1.0 - rr)
    c = 4.0 * alpha * (alpha + 1.0 - ey) * ((ey + 1.0) * (ey + 1.0) - rr) / (ey * ey)
    inside = 2.0 * c / (b + math.sqrt(max(b * b + 4.0 * a * c, 0.0)))
    if not inside > 0.0:
        return math.nan
    gamma = -0.5 * math.pi * math.log(inside)
    if gamma - x < 0.0:
        return math.nan
    turn = 0.5 * (ey - 1.0 + math.sqrt(1.0 - e2 * e2))
    lower = math.sqrt(max(gamma + x, 0.0))
    return math.sqrt(gamma - x) + (-lower if alpha <= turn else lower)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _deviation(value: float, x: float, root: float) -> float:
    """Return s = σ√T; see ``implied_vol._deviation``."""
    growth = math.exp(0.5 * x)
    s: float = _start(value, x)
    for _ in range(_STEPS):
        new, _error = _halley(value, x, s, growth)
        is_close = abs(new - s) <= _CLOSE * s
        s = new
        if is_close:
            return s
        if math.isnan(s):
            break
    low, high = root * 0.5 * _SIGMA_MIN, root * 2.0 * _SIGMA_MAX
    s = math.sqrt(low * high)
    for _ in range(_MAX_STEPS):
        new, error = _halley(value, x, s, growth)
        if error > 0:
            high = s
        else:
            low = s
        if not low <= new <= high:
            new = math.sqrt(low * high)
        is_close = abs(new - s) <= _CLOSE * s
        s = new
        if is_close:
            break
    return s


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _status(undiscounted: float, intrinsic: float, bound: float, years: float, floor: float) -> int:
    if math.isnan(undiscounted):
        return _NO_PRICE
    if years * _YEAR_S < _MIN_SECONDS:
        return _EXPIRED if years <= 0 else _TOO_CLOSE
    if undiscounted < floor:
        return _TICK_FLOOR
    if undiscounted <= intrinsic:
        return _BELOW_INTRINSIC
    return _ABOVE_BOUND if undiscounted >= bound else 0


@machine  # type: ignore[untyped-decorator]  # numba has no types
def implied_vols(
    price: FloatArray,
    is_call: BoolArray,
    strike: FloatArray,
    forward: FloatArray,
    years: FloatArray,
    rate: float,
    tick: FloatArray,
) -> tuple[FloatArray, IntArray]:
    """Return volatility and status of each option, shape (n,); see ``implied_vol``."""
    n = len(price)
    sigma, status = np.full(n, np.nan), np.zeros(n, np.int8)
    for i in range(n):
        discount = math.exp(-rate * max(years[i], 0.0))
        bound = forward[i] if is_call[i] else strike[i]
        intrinsic = bound - min(strike[i], forward[i])
        undiscounted = price[i] / discount
        code = _status(undiscounted, intrinsic, bound, years[i], 2 * tick[i] / discount - _SLACK)
        if code == 0:
            value = (undiscounted - intrinsic) / math.sqrt(forward[i] * strike[i])
            root = math.sqrt(years[i])
            found = _deviation(value, -abs(math.log(strike[i] / forward[i])), root) / root
            if found < _SIGMA_MIN - _SLACK:
                code = _BELOW_MIN
            elif found > _SIGMA_MAX + _SLACK:
                code = _ABOVE_MAX
            else:
                sigma[i] = found
        status[i] = code
    return sigma, status


@machine  # type: ignore[untyped-decorator]  # numba has no types
def d1_and_deltas(
    strike: FloatArray, forward: FloatArray, years: FloatArray, sigma: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return d1, shape (n,), both deltas to the forward, shape (2, n), and N(d1), shape (n,); see ``smile``."""
    n = len(strike)
    d_one, delta, above = np.empty(n), np.empty((2, n)), np.empty(n)
    for i in range(n):
        deviation = sigma[i] * math.sqrt(years[i])
        d = math.log(forward[i] / strike[i]) / deviation + deviation * 0.5
        discount = math.exp(years[i] * -rate)
        d_one[i], delta[0, i] = d, discount * _cdf(d)
        delta[1, i] = -discount * _cdf(-d)
        above[i] = delta[0, i] / discount
    return d_one, delta, above


@machine  # type: ignore[untyped-decorator]  # numba has no types
def black76(
    forward: float, strike: FloatArray, years: float, sigma: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return price (2, n), delta (2, n), gamma (n,), vega (n,) and theta (2, n); see ``greeks.black76``."""
    n = len(strike)
    price, delta, theta = np.empty((2, n)), np.empty((2, n)), np.empty((2, n))
    gamma, vega = np.empty(n), np.empty(n)
    discount, root = math.exp(-rate * years), math.sqrt(years)
    for i in range(n):
        deviation = sigma[i] * root
        d = math.log(forward / strike[i]) / deviation + deviation * 0.5
        delta[0, i], delta[1, i] = discount * _cdf(d), -discount * _cdf(-d)
        density = discount * math.exp(-0.5 * d * d) * _PHI_0
        price[0, i] = delta[0, i] * forward - discount * strike[i] * _cdf(d - deviation)
        price[1, i] = delta[1, i] * forward + discount * strike[i] * _cdf(deviation - d)
        gamma[i] = density / (deviation * forward)
        vega[i] = density * forward * root / 100.0
        decay = density * forward * sigma[i] / (2.0 * root)
        theta[0, i] = (price[0, i] * rate - decay) / 365.0
        theta[1, i] = (price[1, i] * rate - decay) / 365.0
    return price, delta, gamma, vega, theta
