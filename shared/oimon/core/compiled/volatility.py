"""Volatilities, Greeks and deltas of an expiry's options as machine code; ``implied_vol``, ``greeks`` and ``smile`` say what they mean.

Options are worked on in blocks, a row a number: rows of a block are a known distance apart, so the compiler sees that none is another, and
each loop over them, without a branch, does several options at once. The few that need more are done again one by one.
"""

import math

import numpy as np

from oimon.core.bachelier import START_OVER, START_UNDER
from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compiled.elementary import eights, exp, ln, mills, sides
from oimon.core.compiled.machine import inlined, machine
from oimon.core.normal import ROOT_TAU

_ELEMENTARY = "0167eb5506f5a72a"  # of its text: what is cached here was compiled with it
_PHI_0 = 1.0 / ROOT_TAU
_SLACK = 1e-9
_STEPS, _MAX_STEPS, _CLOSE = 8, 60, 1e-4
_SIGMA_MIN, _SIGMA_MAX = 0.01, 5.0
_YEAR_S, _MIN_SECONDS = 365.0 * 86_400.0, 60.0
_NO_PRICE, _EXPIRED, _TOO_CLOSE, _TICK_FLOOR, _BELOW_INTRINSIC, _ABOVE_BOUND, _BELOW_MIN, _ABOVE_MAX = range(1, 9)  # fmt: skip
_WIDE = 128  # options of a block
_PRICE, _STRIKE, _IS_CALL, _VALUE, _APART, _X, _START, _S, _CODE = range(9)
_D_ONE, _DENSITY, _SIGMA, _AT, _RATIO, _ROWS = range(8, 14)  # after the rows of the Greeks


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _halley(scaled: float, x: float, s: float) -> tuple[float, float]:
    """Return the next s, and ln(b(s)/value) of ``scaled``, value·√(2π); see ``implied_vol._halley``."""
    ratio, half = x / s, 0.5 * s
    inner = ratio - half
    ahead = mills(abs(inner))
    ahead = ROOT_TAU * exp(0.5 * inner * inner) - ahead if inner < 0.0 else ahead
    across = ahead - mills(ratio + half)
    square, quarter = ratio * ratio, half * half
    error = ln(across / scaled) - 0.5 * (square + quarter)
    bend = across * (square - quarter) - s
    return s - across * error * s / (s - 0.5 * (error * bend)), error


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _deviation(scaled: float, x: float, start: float, root: float) -> float:
    """Return s = σ√T where one step from the start is not enough; see ``implied_vol._deviation``."""
    s: float = start
    for _ in range(_STEPS):
        new, _error = _halley(scaled, x, s)
        is_close = abs(new - s) <= _CLOSE * s
        s = new
        if is_close:
            return s
        if math.isnan(s):
            break
    low, high = root * 0.5 * _SIGMA_MIN, root * 2.0 * _SIGMA_MAX
    s = math.sqrt(low * high)
    for _ in range(_MAX_STEPS):
        new, error = _halley(scaled, x, s)
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


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _start(value: float, apart: float, x: float) -> float:
    """Return a close s; see ``bachelier.near_deviation``."""
    level = ln(1.0 + apart / value)
    over, under = START_OVER[5] * level, START_UNDER[5] * level
    over, under = (over + START_OVER[4]) * level, (under + START_UNDER[4]) * level
    over, under = (over + START_OVER[3]) * level, (under + START_UNDER[3]) * level
    over, under = (over + START_OVER[2]) * level, (under + START_UNDER[2]) * level
    over, under = (over + START_OVER[1]) * level, (under + START_UNDER[1]) * level
    over, under = over + START_OVER[0], under + START_UNDER[0]
    first = (apart * 0.5 + value) * over / under
    found: float = first * (first * first + 24.0) / (x * x + 24.0)
    return found


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _values(block: FloatArray, width: int, forward: float, discount: float, floor: float) -> None:
    """Put in status, value, |F − K|, both over √(F·K), and |ln(F/K)|; see ``implied_vol``."""
    for i in range(width):
        strike = block[_STRIKE, i]
        apart, least = abs(strike - forward), min(strike, forward)
        is_inside = (block[_IS_CALL, i] > 0.0) == (strike < forward)
        undiscounted, share = block[_PRICE, i] / discount, 1.0 / math.sqrt(forward * strike)
        value = undiscounted - (apart if is_inside else 0.0)
        code = _ABOVE_BOUND if value >= least - _SLACK else 0.0
        code = _BELOW_INTRINSIC if value <= _SLACK else code
        code = _TICK_FLOOR if undiscounted < floor else code
        block[_CODE, i] = _NO_PRICE if math.isnan(undiscounted) else code
        block[_VALUE, i] = value * share
        block[_APART, i] = apart * share
        block[_X, i] = abs(ln(strike / forward))


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _solve(block: FloatArray, width: int, root: float) -> None:
    """Put in s of each option: one step for all, what is left one by one."""
    left = 0
    for i in range(width):
        block[_START, i] = _start(block[_VALUE, i], block[_APART, i], block[_X, i])
    for i in range(width):
        start = block[_START, i]
        s, _error = _halley(block[_VALUE, i] * ROOT_TAU, block[_X, i], start)
        block[_S, i] = s
        left += (block[_CODE, i] == 0.0) & (not abs(s - start) <= _CLOSE * start)
    if left == 0:
        return
    for i in range(width):
        start = block[_START, i]
        if block[_CODE, i] == 0.0 and not abs(block[_S, i] - start) <= _CLOSE * start:
            block[_S, i] = _deviation(block[_VALUE, i] * ROOT_TAU, block[_X, i], start, root)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def implied_vols(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    price: FloatArray,
    is_call: BoolArray,
    strike: FloatArray,
    forward: float,
    years: float,
    rate: float,
    tick: float,
    sigma: FloatArray,
    status: IntArray,
) -> None:
    """Put in volatility and status of each option, shape (n,); see ``implied_vol``."""
    n, root = len(strike), math.sqrt(max(years, 0.0))
    if years * _YEAR_S < _MIN_SECONDS:
        for i in range(n):
            gone = _EXPIRED if years <= 0.0 else _TOO_CLOSE
            sigma[i], status[i] = math.nan, _NO_PRICE if math.isnan(price[i]) else gone
        return
    discount, block = exp(-rate * years), np.empty((_CODE + 1, _WIDE))
    for begin in range(0, n, _WIDE):
        count = min(n - begin, _WIDE)
        width = eights(count)
        for i in range(count):
            block[_PRICE, i], block[_STRIKE, i] = price[begin + i], strike[begin + i]
            block[_IS_CALL, i] = is_call[begin + i]
        for i in range(count, width):
            block[_PRICE, i], block[_STRIKE, i], block[_IS_CALL, i] = math.nan, forward, 0.0
        _values(block, width, forward, discount, 2 * tick / discount - _SLACK)
        _solve(block, width, root)
        for i in range(width):
            each, code = block[_S, i] / root, block[_CODE, i]
            is_low, is_high = each < _SIGMA_MIN - _SLACK, each > _SIGMA_MAX + _SLACK
            code = code if code > 0.0 else _BELOW_MIN * is_low + _ABOVE_MAX * is_high
            block[_CODE, i], block[_S, i] = code, each if code == 0.0 else math.nan
        for i in range(count):
            sigma[begin + i], status[begin + i] = block[_S, i], int(block[_CODE, i])


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def _ends(
    block: FloatArray,
    strike: FloatArray,
    sigma: FloatArray,
    begin: int,
    forward: float,
    root: float,
) -> tuple[int, int]:
    """Put in strikes, volatilities, d1 and φ(d1) from ``begin``; return how many options there are, and how many are worked on."""
    count = min(len(strike) - begin, _WIDE)
    width = eights(count)
    for i in range(count):
        block[_AT, i], block[_SIGMA, i] = strike[begin + i], sigma[begin + i]
    for i in range(count, width):
        block[_AT, i], block[_SIGMA, i] = forward, math.nan
    for i in range(width):
        deviation, ratio = block[_SIGMA, i] * root, forward / block[_AT, i]
        d = ln(ratio) / deviation + deviation * 0.5
        block[_D_ONE, i], block[_DENSITY, i] = d, exp(-0.5 * d * d) * _PHI_0
        block[_RATIO, i] = ratio
    return count, width


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _deltas(
    strike: FloatArray,
    forward: float,
    root: float,
    discount: float,
    curve: FloatArray,
    above: FloatArray,
) -> None:
    """Put in d1 and both deltas to the forward, from the curve's volatilities, and N(d1), shape (n,); see ``smile``."""
    block = np.empty((_ROWS, _WIDE))
    for begin in range(0, len(strike), _WIDE):
        count, width = _ends(block, strike, curve[0], begin, forward, root)
        for i in range(width):
            over, under = sides(block[_D_ONE, i], block[_DENSITY, i])
            block[0, i], block[1, i] = discount * over, -discount * under
            block[2, i] = block[0, i] / discount
        for i in range(count):
            curve[1, begin + i], curve[2, begin + i] = block[_D_ONE, i], block[0, i]
            curve[3, begin + i], above[begin + i] = block[1, i], block[2, i]


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
    at, above, sigma = np.empty(n), np.empty(n), np.empty(n)
    for i in range(n):
        is_call[i] = strike[i] >= forward
        at[i] = marks[0, i] if is_call[i] else marks[1, i]
    implied_vols(at, is_call, strike, forward, years, rate, tick, curve[0], status)
    _deltas(strike, forward, math.sqrt(years), exp(-rate * years), curve, above)
    for i in range(n):
        if status[i] == 0:
            at[count], above[count], sigma[count] = strike[i], above[i], curve[0, i]
            count += 1
    if count == 0:
        return math.nan, math.nan, math.nan
    above, sigma = above[:count], sigma[:count]
    money = _between(at[:count], sigma, forward)
    return money, _first_at(above, sigma, 0.25), _first_at(above, sigma, 0.75)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def black76(
    forward: float,
    strike: FloatArray,
    years: float,
    sigma: FloatArray,
    rate: float,
    table: FloatArray,
) -> None:
    """Put in the rows of ``greeks.Greeks``, shape (8, n); see ``greeks.black76``."""
    discount, root, block = exp(-rate * years), math.sqrt(years), np.empty((_ROWS, _WIDE))
    per_point, fading, per_day = root / 100.0, 0.5 / root, 1.0 / 365.0
    for begin in range(0, len(strike), _WIDE):
        count, width = _ends(block, strike, sigma, begin, forward, root)
        for i in range(width):
            strike_i, sigma_i = block[_AT, i], block[_SIGMA, i]
            d, phi, deviation = block[_D_ONE, i], block[_DENSITY, i], sigma_i * root
            over, under = sides(d, phi)
            over_two, under_two = sides(d - deviation, phi * block[_RATIO, i])
            block[2, i], block[3, i] = discount * over, -discount * under
            call = block[2, i] * forward - strike_i * discount * over_two
            put = block[3, i] * forward + strike_i * discount * under_two
            density = phi * (discount * forward)
            decay = density * sigma_i * fading
            block[0, i], block[1, i] = call, put
            block[4, i] = density / (deviation * (forward * forward))
            block[5, i] = density * per_point
            block[6, i] = (call * rate - decay) * per_day
            block[7, i] = (put * rate - decay) * per_day
        for row in range(len(table)):
            for i in range(count):
                table[row, begin + i] = block[row, i]
