"""The hot loops of a chain as machine code, by numba: what the extra ``fast`` brings.

Each does what a numpy function of the core does, which says what it means and against which it is tested. Import it by way of
``oimon.core.fast`` only.
"""

import math
from typing import Any

import numpy as np
from numba import njit

from oimon.core.chain import BoolArray, FloatArray, IntArray

_compiled: Any = njit(cache=True, error_model="numpy", nogil=True)

_ROOT_HALF = math.sqrt(0.5)
_PHI_0 = 1.0 / math.sqrt(2.0 * math.pi)
_SLACK = 1e-9
_STEPS, _MAX_STEPS, _CLOSE = 8, 60, 1e-5
_SIGMA_MIN, _SIGMA_MAX = 0.01, 5.0
_YEAR_S, _MIN_SECONDS = 365.0 * 86_400.0, 60.0
_NO_PRICE, _EXPIRED, _TOO_CLOSE, _TICK_FLOOR, _BELOW_INTRINSIC, _ABOVE_BOUND, _BELOW_MIN, _ABOVE_MAX = range(1, 9)  # fmt: skip
_FAR = 80.0  # half a squared d1 beyond which a density is nothing beside any other


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _cdf(x: float) -> float:
    return 0.5 * math.erfc(-x * _ROOT_HALF)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _halley(value: float, x: float, s: float, growth: float) -> tuple[float, float]:
    ratio, half = x / s, 0.5 * s
    upper = ratio + half
    b = growth * _cdf(upper) - _cdf(ratio - half) / growth
    error = math.log(b / value) if b > 0.0 else -math.inf
    slope = growth * math.exp(-0.5 * upper * upper) * _PHI_0 / b
    newton = error / slope
    bend = ratio * ratio / s - 0.25 * s - slope
    return s - newton / (1.0 - 0.5 * newton * bend), error


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
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


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _exposure(
    level: float, log_strike: FloatArray, net: FloatArray, deviation: FloatArray
) -> float:
    total, at = 0.0, math.log(level)
    for i in range(len(net)):
        d = (at - log_strike[i]) / deviation[i] + 0.5 * deviation[i]
        half = 0.5 * d * d
        if half < _FAR:
            total += net[i] / deviation[i] * math.exp(-half)
    return total * level


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def zero_gamma(
    strike: FloatArray, net: FloatArray, deviation: FloatArray, forward: float, grid: FloatArray
) -> float:
    """Return the crossing nearest to the forward, NaN without one; from the grid's middle outwards. See ``gex``."""
    log_strike = np.log(strike)
    middle = len(grid) // 2
    below = above = forward * grid[middle]
    at_below = at_above = _exposure(below, log_strike, net, deviation)
    nearest = math.nan
    for step in range(1, middle + 1):
        for side in (-1, 1):
            x0 = below if side < 0 else above
            y0 = at_below if side < 0 else at_above
            x1 = forward * grid[middle + side * step]
            y1 = _exposure(x1, log_strike, net, deviation)
            if y0 != 0.0 and y1 != 0.0 and (y0 < 0) != (y1 < 0):
                crossing = x0 - y0 * (x1 - x0) / (y1 - y0)
                if not abs(crossing - forward) >= abs(nearest - forward):
                    nearest = crossing
            if y1 != 0.0:
                if side < 0:
                    below, at_below = x1, y1
                else:
                    above, at_above = x1, y1
        if not math.isnan(nearest):
            break
    return nearest


# --- what open interest says ---------------------------------------------------------------------------------------

READING = 38
"""Numbers of a reading, in this order: legs known, their interest, what of it is fresh; interest of calls and of puts, volumes
likewise, the same four of the window; changes known in the window, of calls, of puts; max pain's strike, pain, zone; the two largest
walls below, strike and interest each, likewise above; the three strongest levels below, strike and strength each, likewise above."""


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def open_interest(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    strike: FloatArray,
    oi: FloatArray,
    volume: FloatArray,
    change: FloatArray,
    change_day: FloatArray,
    age_s: FloatArray,
    level: float,
    first: int,
    last: int,
    stale_s: float,
) -> FloatArray:
    """Return a reading, NaN where there is none; arguments as of ``open_interest.open_interest``."""
    found, n = np.full(READING, np.nan), len(strike)
    found[:14] = 0.0
    for side in range(2):
        for i in range(n):
            held, inside = oi[side, i], first <= i < last
            if not math.isnan(held):
                found[0] += 1.0
                found[1] += held
                found[3 + side] += held
                if age_s[side, i] <= stale_s:
                    found[2] += held
                if inside:
                    found[7 + side] += held
            if not math.isnan(volume[side, i]):
                found[5 + side] += volume[side, i]
                if inside:
                    found[9 + side] += volume[side, i]
            if inside and not math.isnan(change[side, i]):
                found[11] += 1.0
                found[12 + side] += change[side, i]
    _max_pain(strike, oi, max(0.0, level), found)
    if level > 0.0:
        _levels(strike, oi, change_day, level, 1, found[18:22], found[26:32])
        _levels(strike, oi, change_day, level, 0, found[22:26], found[32:38])
    return found


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _max_pain(strike: FloatArray, oi: FloatArray, level: float, found: FloatArray) -> None:
    """Put strike, pain and zone of max pain in their places; see ``max_pain``."""
    n, puts, puts_strike = len(strike), 0.0, 0.0
    for i in range(n):
        if not math.isnan(oi[1, i]):
            puts += oi[1, i]
            puts_strike += oi[1, i] * strike[i]
    curve, running, running_strike = np.empty(n), 0.0, 0.0
    for i in range(n):
        both = 0.0
        for side in range(2):
            if not math.isnan(oi[side, i]):
                both += oi[side, i]
        running += both
        running_strike += both * strike[i]
        curve[i] = (running - puts) * strike[i] - running_strike + puts_strike
    if not running > 0.0:
        return
    pain = curve.min()
    slack = 1e-12 * running * strike[n - 1]
    at = low = high = math.nan
    for i in range(n):
        if curve[i] <= 1.02 * pain + slack:
            low = strike[i] if math.isnan(low) else low
            high = strike[i]
        if curve[i] <= pain + slack and not abs(strike[i] - level) >= abs(at - level):
            at = strike[i]
    found[14], found[15], found[16], found[17] = at, max(pain, 0.0), low, high


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _levels(
    strike: FloatArray,
    oi: FloatArray,
    change_day: FloatArray,
    level: float,
    side: int,
    walls: FloatArray,
    strongest: FloatArray,
) -> None:
    """Put one side's two walls and three levels in their places, from the level outwards; see ``walls.sr_levels``."""
    n, moved = len(strike), 0.0
    for place in range(n):
        i = n - 1 - place if side == 1 else place
        if (strike[i] > level if side == 1 else strike[i] < level) or not oi[side, i] > 0.0:
            continue
        _insert(walls, strike[i], oi[side, i])
        if not math.isnan(change_day[side, i]):
            moved = max(moved, abs(change_day[side, i]))
    for place in range(n):
        i = n - 1 - place if side == 1 else place
        if (strike[i] > level if side == 1 else strike[i] < level) or not oi[side, i] > 0.0:
            continue
        other = 0.0 if math.isnan(oi[1 - side, i]) else oi[1 - side, i]
        fixed = oi[side, i] / (oi[side, i] + other) + math.exp(
            -100.0 / level * abs(strike[i] - level)
        )
        strength = oi[side, i] * (50.0 / walls[1]) + fixed * 15.0 + 10.0
        if moved > 0.0 and not math.isnan(change_day[side, i]):
            strength += change_day[side, i] * (10.0 / moved)
        _insert(strongest, strike[i], strength)


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _insert(ranks: FloatArray, strike: float, value: float) -> None:
    """Put strike and value in their place among the largest; of equal ones the first stays first."""
    place = len(ranks) // 2 - 1
    if not (math.isnan(ranks[2 * place + 1]) or value > ranks[2 * place + 1]):
        return
    while place > 0 and (math.isnan(ranks[2 * place - 1]) or value > ranks[2 * place - 1]):
        ranks[2 * place], ranks[2 * place + 1] = ranks[2 * place - 2], ranks[2 * place - 1]
        place -= 1
    ranks[2 * place], ranks[2 * place + 1] = strike, value


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def build_up(
    price_change: FloatArray, oi_change: FloatArray, price_band: FloatArray, oi_band: FloatArray
) -> IntArray:
    """Return the class of each leg, shape (2, n); see ``build_up.build_up``."""
    codes = np.zeros(price_change.shape, np.int8)
    for side in range(price_change.shape[0]):
        for i in range(price_change.shape[1]):
            moved, flowed = price_change[side, i], oi_change[side, i]
            if (
                abs(moved) + _SLACK >= price_band[side, i]
                and abs(flowed) + _SLACK >= oi_band[side, i]
            ):
                codes[side, i] = 1 + (moved < 0) + 2 * (flowed < 0)
    return codes
