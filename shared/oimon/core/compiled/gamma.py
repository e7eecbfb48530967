"""Gamma exposure and the search for the forward of none as machine code; ``gex`` says what they mean."""

import math

import numpy as np

from oimon.core.chain import FloatArray, IntArray
from oimon.core.compiled.machine import machine
from oimon.core.normal import ROOT_TAU

_PHI_0 = 1.0 / ROOT_TAU
_FAR = 80.0  # half a squared d1 beyond which a density is nothing beside any other


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _exposure(
    level: float, log_strike: FloatArray, share: FloatArray, apart: FloatArray, middle: FloatArray
) -> float:
    """Return the exposure at a level, but for what has no level in it: of shares net/s, with 1/s and s/2 of each strike."""
    total, at = 0.0, math.log(level)
    for i in range(len(share)):
        d = (at - log_strike[i]) * apart[i] + middle[i]
        half = 0.5 * d * d
        if half < _FAR:
            total += share[i] * math.exp(-half)
    return total * level


@machine  # type: ignore[untyped-decorator]  # numba has no types
def zero_gamma(
    strike: FloatArray, net: FloatArray, deviation: FloatArray, forward: float, grid: FloatArray
) -> float:
    """Return the crossing nearest to the forward, NaN without one; from the grid's middle outwards. See ``gex``."""
    log_strike, apart, half = np.log(strike), 1.0 / deviation, 0.5 * deviation
    share = net * apart
    middle = len(grid) // 2
    below = above = forward * grid[middle]
    at_below = at_above = _exposure(below, log_strike, share, apart, half)
    nearest = math.nan
    for step in range(1, middle + 1):
        for side in (-1, 1):
            x0 = below if side < 0 else above
            y0 = at_below if side < 0 else at_above
            x1 = forward * grid[middle + side * step]
            y1 = _exposure(x1, log_strike, share, apart, half)
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


@machine  # type: ignore[untyped-decorator]  # numba has no types
def gex(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    strike: FloatArray,
    oi: FloatArray,
    iv: FloatArray,
    status: IntArray,
    d_one: FloatArray,
    forward: float,
    years: float,
    rate: float,
    grid: FloatArray,
    per_strike: FloatArray,
) -> tuple[int, float, float, float]:
    """Return how many strikes have a volatility, net and absolute exposure, and the forward of none or NaN; put in each strike's."""
    n, count = len(strike), 0
    at, net, deviation = np.empty(n), np.empty(n), np.empty(n)
    root, discount = math.sqrt(years), math.exp(-rate * years)
    total = size = 0.0
    is_held = False
    for i in range(n):
        per_strike[i] = math.nan
        if status[i] != 0:
            continue
        call = oi[0, i] if oi[0, i] == oi[0, i] else 0.0
        put = oi[1, i] if oi[1, i] == oi[1, i] else 0.0
        density = math.exp(-0.5 * d_one[i] * d_one[i]) * _PHI_0
        unit = density * discount / (iv[i] * (forward * root)) * (0.01 * forward * forward)
        per_strike[i] = unit * (call - put)
        total += per_strike[i]
        size += unit * (call + put)
        at[count], net[count], deviation[count] = strike[i], call - put, iv[i] * root
        is_held |= call != put
        count += 1
    zero = math.nan
    if is_held:
        zero = zero_gamma(at[:count], net[:count], deviation[:count], forward, grid)
    return count, total, size, zero
