"""The option chain: aligned columns in ascending order of strike, and where in it a level lies."""

import math
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int8]
BoolArray: TypeAlias = npt.NDArray[np.bool_]
Terms: TypeAlias = float | FloatArray
"""One number for all options, or one an option."""
IndexArray: TypeAlias = npt.NDArray[np.intp]

CE, PE = 0, 1  # rows of a two-sided column, shape (2, n)
_ONES = np.ones(1024)
_ONES.flags.writeable = False


def nearest_index(strike: FloatArray, level: float) -> int | None:
    """Return the index of the listed strike nearest to a level; of two equally near, the lower.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        level: rupees.

    Returns:
        The index, or None for an empty chain.
    """
    if not len(strike):
        return None
    above = int(strike.searchsorted(level))
    if above == len(strike):
        return above - 1
    if above and level - strike[above - 1] <= strike[above] - level:
        return above - 1
    return above


def atm_strike(strike: FloatArray, level: float) -> float | None:
    """Return the at-the-money strike, in rupees: the listed one nearest to a level, of two the lower.

    Source: analytics specification, 1.5.
    """
    index = nearest_index(strike, level)
    return None if index is None else float(strike[index])


def strike_window(strike: FloatArray, atm: float, each_side: int) -> slice:
    """Return where ATM±n lies: n strikes each side by position, without compensation at an edge.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        atm: the strike at the centre.
        each_side: strikes on each side.

    Source: analytics specification, 1.5.
    """
    index = nearest_index(strike, atm)
    if index is None:
        return slice(0, 0)
    return slice(max(index - each_side, 0), index + each_side + 1)


def side_totals(column: FloatArray) -> tuple[float, float]:
    """Return the sums of a two-sided column, calls then puts; what is missing counts as 0.

    Args:
        column: open interest or volume, in quantity, shape (2, n).

    Source: analytics specification, 1.5 (missing leg).
    """
    each = ones(column.shape[1])
    calls, puts = column.dot(each).tolist()
    if math.isnan(calls + puts):
        calls, puts = np.where(np.isnan(column), 0.0, column).dot(each).tolist()
    return calls, puts


def ones(count: int) -> FloatArray:
    """Return so many ones: a product with them is the cheapest sum of a chain's hundred numbers, and of quantities exact."""
    return _ONES[:count] if count <= len(_ONES) else np.ones(count)


def without_gaps(column: FloatArray) -> FloatArray:
    """Return a column of open interest or volume with 0 where a leg is missing, of the same shape."""
    flat = column.ravel()
    if math.isnan(flat.dot(flat)):  # the cheapest question that any one NaN answers
        return np.where(np.isnan(column), 0.0, column)
    return column
