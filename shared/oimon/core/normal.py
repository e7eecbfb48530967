"""The normal distribution for arrays: numpy has no error function, and one element at a time is slow."""

import math
from functools import lru_cache

import numpy as np

from oimon.core.chain import FloatArray

ROOT_TAU = math.sqrt(2.0 * math.pi)
OVER = (
    1.8932190633084853, -0.8147089518854208, 1.7005238135262293, -0.5914500164190148, 0.5657533339579761, -0.15956086686223986,
    0.0799001470043041, -0.016519180309654588, 0.0039134405929433244, -0.0004455558361756542, 2.8690896987819543e-05,
)  # fmt: skip
UNDER = (
    1.0, 0.37452715994494723, 0.6870878682266981, 0.29558688143290746, 0.19708148258864597, 0.07254716564341368,
    0.02597491978250822, 0.00645439452778937, 0.0012353871990066494, 0.00014962607143446396, 9.032557069039177e-06,
)  # fmt: skip
"""(z + 4)·R(z) for z ≥ 0 as a fraction of two polynomials in t = (z − 4)/(z + 4), lowest power first; fitted for an equal relative
error, 5e-17, over all z. Ours; the tests hold it against the C library's erfc."""

# Rows: even powers of both, odd powers of both; columns from the highest power of t² down.
_ROWS = np.array([(*OVER[::2],), (*UNDER[::2],), (*OVER[1::2], 0.0), (*UNDER[1::2], 0.0)])
_ZERO, _FOUR, _ONE, _MINUS_EIGHT, _MINUS_HALF = map(np.array, (0.0, 4.0, 1.0, -8.0, -0.5))
_PHI_0 = np.array(1.0 / ROOT_TAU)


def mills(z: FloatArray) -> FloatArray:
    """Return Mills' ratio R(z) = N(−z)/φ(z) for z ≥ 0, shape (n,), to the last digit; no element depends on another."""
    near: FloatArray = z + _FOUR
    np.divide(_ONE, near, out=near)
    t = near * _MINUS_EIGHT
    t += _ONE
    square = np.empty((len(_ROWS), len(z)))
    square[:] = t * t
    first, *others, last = _coefficients(len(z))
    rows = first * square
    for coefficient in others:
        rows += coefficient
        rows *= square
    rows += last
    odd = rows[2:]
    odd *= t
    rows[:2] += odd
    near *= rows[0]
    near /= rows[1]
    return near


@lru_cache(maxsize=32)
def _coefficients(count: int) -> tuple[FloatArray, ...]:
    """Return each column of coefficients for so many numbers: arrays of one shape work in half the time of a broadcast."""
    return tuple(np.repeat(column[:, None], count, axis=1) for column in _ROWS.T[::-1])


def normal_pdf(x: FloatArray) -> FloatArray:
    """Return φ(x), of the same shape."""
    found: FloatArray = x * x
    found *= _MINUS_HALF
    np.exp(found, out=found)
    found *= _PHI_0
    return found


def both_sides(x: FloatArray, density: FloatArray) -> FloatArray:
    """Return N(x) and N(−x), shape (2, n), both to the last digit: the smaller from its own tail, the other from it.

    Args:
        x: shape (n,).
        density: φ(x), shape (n,).
    """
    both = np.empty((2, *x.shape))
    tail = mills(np.abs(x))
    tail *= density
    # 1 above 0 and 0 below: the one side is |1 − tail| or |0 − tail|, the other the other
    is_above = (x > _ZERO).astype(np.float64)
    np.subtract(is_above, tail, out=both[0])
    np.subtract(_ONE, is_above, out=is_above)
    np.subtract(is_above, tail, out=both[1])
    return np.abs(both, out=both)
