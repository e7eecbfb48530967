"""The search for the forward of no net gamma as machine code; ``gex`` says what it means."""

import math

import numpy as np

from oimon.core.chain import FloatArray
from oimon.core.compiled.machine import machine

_FAR = 80.0  # half a squared d1 beyond which a density is nothing beside any other


@machine  # type: ignore[untyped-decorator]  # numba has no types
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


@machine  # type: ignore[untyped-decorator]  # numba has no types
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
