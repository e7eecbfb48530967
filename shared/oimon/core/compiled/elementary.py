"""Logarithm, exponential and the tail of the normal distribution, without a branch or a call: a loop over them works on several numbers at once.

Each is products, sums, quotients and moved bits in an order of its own, nothing contracted: the same bits on each machine and at each width.
Whoever calls them notes this file's digest (``machine`` says why).
"""

import math

import numpy as np

from oimon.core.compiled.machine import bits, inlined, number
from oimon.core.normal import OVER, UNDER

# The first has 42 bits: times a power of 2 it is exact.
_LN_2_HIGH, _LN_2_LOW = 0.6931471805598903, 5.497923018708371e-14
_LOG2_E = 1.4426950408889634
_LN = (
    0.666666666666667, 0.39999999999898445, 0.28571428626398654, 0.22222211072894535, 0.18182893216800716, 0.1533159698024087,
    0.14617872803129472,
)  # fmt: skip
"""(ln((1 + s)/(1 − s))/s − 2)/s² in powers of s², for numbers between √½ and √2, to 5e-18 of the logarithm; ours."""
_EXP = (
    0.5000000000000011, 0.1666666666666641, 0.041666666666529725, 0.008333333333494982, 0.0013888888943760225, 0.00019841269505767618,
    2.480149294935911e-05, 2.7557586807971833e-06, 2.763030634758801e-07, 2.5000017846119357e-08,
)  # fmt: skip
"""(e^r − 1 − r)/r² in powers of r, for r within half of ln 2, to 4e-18 of the exponential; ours."""

_WIDTH, _BIAS = np.uint64(52), np.uint64(1023)  # of a fraction; added to the power of 2
_FRACTION = np.uint64((1 << 52) - 1)
_ROOT_HALF = np.float64(math.sqrt(0.5)).view(np.uint64)
# What is at least √½ of a power of 2 gets that power.
_UP = np.float64(1.0).view(np.uint64) - _ROOT_HALF
# Its last bit is 1: a small whole number is or-ed into it, and is there as a float.
_WHOLE, _WHOLE_BITS = 2.0**52, np.float64(2.0**52).view(np.uint64)
# Added, it rounds to a whole number, of either sign, which is then its last bits.
_ROUND = 1.5 * 2.0**52
_LEAST = 2.0**-1022


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def ln(x: float) -> float:
    """Return the natural logarithm of a normal number, to a unit of its last place; NaN of what has none."""
    moved = bits(x) + _UP
    power = number((moved >> _WIDTH) | _WHOLE_BITS) - (_WHOLE + 1023.0)
    f = number((moved & _FRACTION) + _ROOT_HALF) - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    r = z * (_LN[0] + w * (_LN[2] + w * (_LN[4] + w * _LN[6]))) + w * (_LN[1] + w * (_LN[3] + w * _LN[5]))  # fmt: skip
    half = 0.5 * f * f  # ln(1 + f) = f − (f²/2 − s·(f²/2 + r)): the large part is exact
    found = power * _LN_2_HIGH - ((half - (s * (half + r) + power * _LN_2_LOW)) - f)
    return found if x >= _LEAST else math.nan


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def exp(x: float) -> float:
    """Return e^x to a unit of its last place: 0 below −708, infinite above 709."""
    rounded = x * _LOG2_E + _ROUND
    power = rounded - _ROUND
    r = (x - power * _LN_2_HIGH) - power * _LN_2_LOW
    s = r * r
    q = s * s
    high = (_EXP[4] + _EXP[5] * r) + s * (_EXP[6] + _EXP[7] * r) + q * (_EXP[8] + _EXP[9] * r)
    rest = (_EXP[0] + _EXP[1] * r) + s * (_EXP[2] + _EXP[3] * r) + q * high
    found = (1.0 + (r + s * rest)) * number((bits(rounded) + _BIAS) << _WIDTH)
    found = 0.0 if x < -708.0 else found
    return math.inf if x > 709.0 else found


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def mills(z: float) -> float:
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


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def sides(d: float, density: float) -> tuple[float, float]:
    """Return N(d) and N(−d) by the density at d; see ``normal.both_sides``."""
    tail = density * mills(abs(d))
    return (1.0 - tail, tail) if d > 0.0 else (tail, 1.0 - tail)


@inlined  # type: ignore[untyped-decorator]  # numba has no types
def eights(count: int) -> int:
    """Return the next multiple of eight: a loop over whole eights leaves none over for a slow end."""
    return (count + 7) // 8 * 8
