"""Volatilities, Greeks and deltas of many options as machine code; ``implied_vol``, ``greeks`` and ``smile`` say what they mean."""

import math

import numpy as np

from oimon.core.bachelier import START_OVER, START_UNDER
from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compiled.machine import machine
from oimon.core.normal import OVER, ROOT_TAU, UNDER

_PHI_0 = 1.0 / ROOT_TAU
_LN_ROOT_TAU = math.log(ROOT_TAU)
_SLACK = 1e-9
_STEPS, _MAX_STEPS, _CLOSE = 8, 60, 1e-4
_SIGMA_MIN, _SIGMA_MAX = 0.01, 5.0
_YEAR_S, _MIN_SECONDS = 365.0 * 86_400.0, 60.0
_NO_PRICE, _EXPIRED, _TOO_CLOSE, _TICK_FLOOR, _BELOW_INTRINSIC, _ABOVE_BOUND, _BELOW_MIN, _ABOVE_MAX = range(1, 9)  # fmt: skip


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _mills(z: float) -> float:
    """Return Mills' ratio; see ``normal.mills``. Even and odd powers apart: they don't wait for each other."""
    near = 1.0 / (z + 4.0)
    t = 1.0 - 8.0 * near
    s = t * t
    over = OVER[0] + s * (OVER[2] + s * (OVER[4] + s * (OVER[6] + s * (OVER[8] + s * OVER[10]))))
    over += t * (OVER[1] + s * (OVER[3] + s * (OVER[5] + s * (OVER[7] + s * OVER[9]))))
    under = UNDER[0] + s * (UNDER[2] + s * (UNDER[4] + s * (UNDER[6] + s * (UNDER[8] + s * UNDER[10]))))  # fmt: skip
    under += t * (UNDER[1] + s * (UNDER[3] + s * (UNDER[5] + s * (UNDER[7] + s * UNDER[9]))))
    found: float = near * over / under
    return found


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _across(x: float, s: float) -> float:
    """Return b/b' where d1 is not above 0."""
    ratio, half = x / s, 0.5 * s
    across: float = _mills(abs(ratio + half)) - _mills(abs(ratio - half))
    return across


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _across_above(x: float, s: float) -> float:
    """Return b/b' where d1 is above 0."""
    ratio, half = x / s, 0.5 * s
    upper = ratio + half
    across: float = ROOT_TAU * math.exp(0.5 * upper * upper) - _mills(upper) - _mills(half - ratio)
    return across


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _next(x: float, s: float, across: float, log_across: float, size: float) -> tuple[float, float]:
    """Return the next s, and ln(b(s)/value); see ``implied_vol._halley``."""
    ratio, half = x / s, 0.5 * s
    square = ratio * ratio
    error = log_across - 0.5 * (square + half * half) - size
    newton = error * across
    bend = square / s - 0.5 * half - 1.0 / across
    return s - newton / (1.0 - 0.5 * newton * bend), error


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _halley(size: float, x: float, s: float) -> tuple[float, float]:
    is_above = x / s + 0.5 * s > 0.0
    across = _across_above(x, s) if is_above else _across(x, s)
    log_across = math.log(across) if across > 0.0 else (math.nan if across < 0.0 else -math.inf)
    found: tuple[float, float] = _next(x, s, across, log_across, size)
    return found


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _deviation(size: float, x: float, start: float, root: float) -> float:
    """Return s = σ√T where one step from the start was not enough; see ``implied_vol._deviation``."""
    s: float = start
    for _ in range(_STEPS):
        new, _error = _halley(size, x, s)
        is_close = abs(new - s) <= _CLOSE * s
        s = new
        if is_close:
            return s
        if math.isnan(s):
            break
    low, high = root * 0.5 * _SIGMA_MIN, root * 2.0 * _SIGMA_MAX
    s = math.sqrt(low * high)
    for _ in range(_MAX_STEPS):
        new, error = _halley(size, x, s)
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
def _solve(value: FloatArray, apart: FloatArray, x: FloatArray, root: FloatArray) -> FloatArray:
    """Return s of each option: one step for all in loops that work on several at once, what is left one by one."""
    n = len(value)
    size, across, start, s = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        size[i] = math.log(value[i]) + _LN_ROOT_TAU
        across[i] = math.log1p(apart[i] / value[i])
    for i in range(n):
        level = across[i]
        over, under = START_OVER[5] * level, START_UNDER[5] * level
        over, under = (over + START_OVER[4]) * level, (under + START_UNDER[4]) * level
        over, under = (over + START_OVER[3]) * level, (under + START_UNDER[3]) * level
        over, under = (over + START_OVER[2]) * level, (under + START_UNDER[2]) * level
        over, under = (over + START_OVER[1]) * level, (under + START_UNDER[1]) * level
        over, under = over + START_OVER[0], under + START_UNDER[0]
        first = (apart[i] * 0.5 + value[i]) * over / under
        start[i] = first * (first * first + 24.0) / (x[i] * x[i] + 24.0)
    for i in range(n):
        across[i] = _across(x[i], start[i])
    for i in range(n):
        if x[i] / start[i] + 0.5 * start[i] > 0.0:
            across[i] = _across_above(x[i], start[i])
        s[i] = math.log(across[i])
    for i in range(n):
        s[i], _error = _next(x[i], start[i], across[i], s[i], size[i])
    for i in range(n):
        if not abs(s[i] - start[i]) <= _CLOSE * start[i]:
            s[i] = _deviation(size[i], x[i], s[i], root[i])
    return s


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _status(undiscounted: float, intrinsic: float, bound: float, years: float, floor: float) -> int:
    if math.isnan(undiscounted):
        return _NO_PRICE
    if years * _YEAR_S < _MIN_SECONDS:
        return _EXPIRED if years <= 0 else _TOO_CLOSE
    if undiscounted < floor:
        return _TICK_FLOOR
    if undiscounted <= intrinsic + _SLACK:
        return _BELOW_INTRINSIC
    return _ABOVE_BOUND if undiscounted >= bound - _SLACK else 0


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
    n, count, discount, past = len(price), 0, 1.0, math.nan
    sigma, status, places = np.full(n, np.nan), np.zeros(n, np.int8), np.empty(n, np.intp)
    value, apart, x, root = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        if years[i] != past:
            past = years[i]
            discount = math.exp(-rate * max(past, 0.0))
        bound = forward[i] if is_call[i] else strike[i]
        intrinsic = bound - min(strike[i], forward[i])
        undiscounted = price[i] / discount
        code = _status(undiscounted, intrinsic, bound, past, 2 * tick[i] / discount - _SLACK)
        status[i] = code
        if code == 0:
            middle = math.sqrt(forward[i] * strike[i])
            value[count] = (undiscounted - intrinsic) / middle
            apart[count] = abs(strike[i] - forward[i]) / middle
            x[count] = -abs(math.log(strike[i] / forward[i]))
            root[count] = math.sqrt(past)
            places[count] = i
            count += 1
    found = _solve(value[:count], apart[:count], x[:count], root[:count])
    for k in range(count):
        each, i = found[k] / root[k], places[k]
        if each < _SIGMA_MIN - _SLACK:
            status[i] = _BELOW_MIN
        elif each > _SIGMA_MAX + _SLACK:
            status[i] = _ABOVE_MAX
        else:
            sigma[i] = each
    return sigma, status


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _sides(d: float, density: float) -> tuple[float, float]:
    """Return N(d) and N(−d); see ``normal.both_sides``."""
    tail = density * _mills(abs(d))
    return (1.0 - tail, tail) if d > 0.0 else (tail, 1.0 - tail)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def d1_and_deltas(
    strike: FloatArray, forward: FloatArray, years: FloatArray, sigma: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return d1, shape (n,), both deltas to the forward, shape (2, n), and N(d1), shape (n,); see ``smile``."""
    n, discount, root, past = len(strike), 1.0, 1.0, math.nan
    d_one, delta, above = np.empty(n), np.empty((2, n)), np.empty(n)
    for i in range(n):
        if years[i] != past:
            past = years[i]
            discount, root = math.exp(past * -rate), math.sqrt(past)
        deviation = sigma[i] * root
        d = math.log(forward[i] / strike[i]) / deviation + deviation * 0.5
        over, under = _sides(d, math.exp(-0.5 * d * d) * _PHI_0)
        d_one[i], delta[0, i], delta[1, i] = d, discount * over, -discount * under
        above[i] = delta[0, i] / discount
    return d_one, delta, above


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _between(x: FloatArray, y: FloatArray, target: float) -> float:
    """Return y at the target by lines between points of rising x, beyond them the last one's; see ``numpy.interp``."""
    last = len(x) - 1
    if target <= x[0] or target >= x[last]:
        end: float = y[0] if target <= x[0] else y[last]
        return end
    i = 0
    while target >= x[i + 1]:
        i += 1
    found: float = (y[i + 1] - y[i]) / (x[i + 1] - x[i]) * (target - x[i]) + y[i]
    return found


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _first_at(x: FloatArray, y: FloatArray, target: float) -> float:
    """Return y at the target in the first pair of points around it, NaN without one; see ``smile._at``."""
    for i in range(len(x) - 1):
        if x[i] <= target <= x[i + 1] or x[i + 1] <= target <= x[i]:
            if x[i] == x[i + 1]:
                same: float = y[i]
                return same
            found: float = y[i] + (y[i + 1] - y[i]) * (target - x[i]) / (x[i + 1] - x[i])
            return found
    return math.nan


@machine  # type: ignore[untyped-decorator]  # numba has no types
def smile(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    strike: FloatArray,
    marks: FloatArray,
    forward: float,
    years: float,
    tick: float,
    rate: float,
    curve: FloatArray,
    status: IntArray,
    is_call: BoolArray,
) -> tuple[float, float, float]:
    """Put in a smile; return the volatilities at the money and at N(d1) of a quarter and of three, NaN where there is none.

    See ``smile``. An array that is made here costs as much as all of it.

    Args:
        strike: shape (n,).
        marks: of both legs, shape (2, n).
        forward: rupees.
        years: to expiry.
        tick: smallest step of the price.
        rate: a year.
        curve: gets volatility, d1 and both deltas, shape (4, n).
        status: gets each strike's, shape (n,).
        is_call: gets whether its volatility is the call's, shape (n,).
    """
    n, count = len(strike), 0
    price = np.empty(n)
    for i in range(n):
        is_call[i] = strike[i] >= forward
        price[i] = marks[0, i] if is_call[i] else marks[1, i]
    ahead, left = np.full(n, forward), np.full(n, years)
    iv, codes = implied_vols(price, is_call, strike, ahead, left, rate, np.full(n, tick))
    d_one, delta, above = d1_and_deltas(strike, ahead, left, iv, rate)
    at, sigma = np.empty(n), np.empty(n)
    for i in range(n):
        curve[0, i], curve[1, i], curve[2, i], curve[3, i] = iv[i], d_one[i], delta[0, i], delta[1, i]  # fmt: skip
        status[i] = codes[i]
        if codes[i] == 0:
            at[count], above[count], sigma[count] = strike[i], above[i], iv[i]
            count += 1
    if count == 0:
        return math.nan, math.nan, math.nan
    above, sigma = above[:count], sigma[:count]
    money = _between(at[:count], sigma, forward)
    return money, _first_at(above, sigma, 0.25), _first_at(above, sigma, 0.75)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def black76(
    forward: float, strike: FloatArray, years: float, sigma: FloatArray, rate: float
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return price (2, n), delta (2, n), gamma (n,), vega (n,) and theta (2, n); see ``greeks.black76``."""
    n = len(strike)
    price, delta, theta = np.empty((2, n)), np.empty((2, n)), np.empty((2, n))
    gamma, vega, d_one = np.empty(n), np.empty(n), np.empty(n)
    discount, root = math.exp(-rate * years), math.sqrt(years)
    for i in range(n):
        deviation = sigma[i] * root
        d_one[i] = math.log(forward / strike[i]) / deviation + deviation * 0.5
        gamma[i] = math.exp(-0.5 * d_one[i] * d_one[i]) * _PHI_0
    for i in range(n):
        deviation, d, phi = sigma[i] * root, d_one[i], gamma[i]
        over, under = _sides(d, phi)
        over_two, under_two = _sides(d - deviation, phi * (forward / strike[i]))
        delta[0, i], delta[1, i] = discount * over, -discount * under
        price[0, i] = delta[0, i] * forward - discount * strike[i] * over_two
        price[1, i] = delta[1, i] * forward + discount * strike[i] * under_two
        density = discount * phi
        gamma[i] = density / (deviation * forward)
        vega[i] = density * forward * root / 100.0
        decay = density * forward * sigma[i] / (2.0 * root)
        theta[0, i] = (price[0, i] * rate - decay) / 365.0
        theta[1, i] = (price[1, i] * rate - decay) / 365.0
    return price, delta, gamma, vega, theta
