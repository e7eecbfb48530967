"""Gamma exposure and the search for the forward of none as machine code; ``gex`` says what they mean."""

import math

import numpy as np

from oimon.core.chain import FloatArray, IntArray
from oimon.core.compiled.elementary import eights, exp, ln
from oimon.core.compiled.machine import machine
from oimon.core.normal import ROOT_TAU

_ELEMENTARY = "0167eb5506f5a72a"  # of its text: what is cached here was compiled with it
_PHI_0 = 1.0 / ROOT_TAU
_LOG_STRIKE, _NET, _APART, _HALF, _TERM, _ROWS = range(6)


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _exposure(
    level: float,
    log_strike: FloatArray,
    share: FloatArray,
    apart: FloatArray,
    middle: FloatArray,
    term: FloatArray,
) -> float:
    """Return the exposure at a level, but for what has no level in it: of shares net/s, with 1/s and s/2 of each strike."""
    total, at = 0.0, ln(level)
    for i in range(len(term)):
        d = (at - log_strike[i]) * apart[i] + middle[i]
        term[i] = share[i] * exp(-0.5 * d * d)
    for i in range(len(term)):
        total += term[i]
    return total * level


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _zero_gamma(rows: FloatArray, width: int, forward: float, grid: FloatArray) -> float:
    """Return the crossing nearest to the forward, NaN without one; from the grid's middle outwards. See ``gex``.

    The rows come with strikes in place of their logarithms, and with s in place of 1/s.
    """
    log_strike, share, apart = rows[_LOG_STRIKE][:width], rows[_NET][:width], rows[_APART][:width]
    half, term = rows[_HALF][:width], rows[_TERM][:width]
    for i in range(len(term)):
        s = apart[i]
        log_strike[i], share[i] = ln(log_strike[i]), share[i] / s
        apart[i], half[i] = 1.0 / s, 0.5 * s
    middle = len(grid) // 2
    below = above = forward * grid[middle]
    at_below = at_above = _exposure(below, log_strike, share, apart, half, term)
    nearest = math.nan
    for step in range(1, middle + 1):
        for side in (-1, 1):
            x0 = below if side < 0 else above
            y0 = at_below if side < 0 else at_above
            x1 = forward * grid[middle + side * step]
            y1 = _exposure(x1, log_strike, share, apart, half, term)
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
    rows = np.empty((_ROWS, eights(n)))
    root, discount = math.sqrt(years), exp(-rate * years)
    for i in range(n):
        rows[_TERM, i] = exp(-0.5 * d_one[i] * d_one[i]) * _PHI_0
    total = size = 0.0
    is_held = False
    for i in range(n):
        per_strike[i] = math.nan
        if status[i] != 0:
            continue
        call = oi[0, i] if oi[0, i] == oi[0, i] else 0.0
        put = oi[1, i] if oi[1, i] == oi[1, i] else 0.0
        unit = rows[_TERM, i] * discount / (iv[i] * (forward * root)) * (0.01 * forward * forward)
        per_strike[i] = unit * (call - put)
        total += per_strike[i]
        size += unit * (call + put)
        rows[_LOG_STRIKE, count], rows[_NET, count] = strike[i], call - put
        rows[_APART, count] = iv[i] * root
        is_held |= call != put
        count += 1
    if not is_held:
        return count, total, size, math.nan
    width = eights(count)
    for i in range(count, width):
        rows[_LOG_STRIKE, i], rows[_NET, i], rows[_APART, i] = 1.0, 0.0, 1.0
    return count, total, size, _zero_gamma(rows, width, forward, grid)
