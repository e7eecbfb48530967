"""Small readings of a chain as machine code: parity near the money, what strikes say, sums of changes; each says where it is meant."""

import math

import numpy as np

from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compiled.machine import any_order, machine


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _median(values: FloatArray) -> float:
    """Return the median of at least one value; sorts them."""
    values.sort()
    middle = len(values) // 2
    if len(values) % 2:
        odd: float = values[middle]
        return odd
    even: float = (values[middle - 1] + values[middle]) / 2
    return even


@machine  # type: ignore[untyped-decorator]  # numba has no types
def parity(
    strike: FloatArray,
    price: FloatArray,
    is_mid: BoolArray,
    spot: float,
    growth: float,
    nearest: int,
) -> tuple[int, float, int, float]:
    """Return how many of the strikes nearest to spot have two mids and the median of their forwards, and how many have two marks, likewise.

    See ``forward.nearest_pairs`` and ``forward.forward_by_parity``.
    """
    n, centre = len(strike), 0
    if n == 0:
        return 0, math.nan, 0, math.nan
    while centre < n and strike[centre] < spot:
        centre += 1
    low, high = centre - 1, centre  # the next to be asked on either side
    mids, marks = np.empty(nearest), np.empty(nearest)
    mid_count = mark_count = asked = 0
    while asked < nearest and (low >= 0 or high < n):
        is_lower = high >= n or (low >= 0 and abs(strike[low] - spot) <= abs(strike[high] - spot))
        at = low if is_lower else high
        low, high = low - is_lower, high + (not is_lower)
        asked += 1
        difference = price[0, at] - price[1, at]
        if not math.isnan(difference):
            forward = strike[at] + growth * difference
            marks[mark_count] = forward
            mark_count += 1
            if is_mid[0, at] and is_mid[1, at]:
                mids[mid_count] = forward
                mid_count += 1
    middle = _median(mids[:mid_count]) if mid_count else math.nan
    every = _median(marks[:mark_count]) if mark_count else math.nan
    return mid_count, middle, mark_count, every


@machine  # type: ignore[untyped-decorator]  # numba has no types
def verdicts(
    build_up: IntArray,
    oi_change: FloatArray,
    oi: FloatArray,
    says: FloatArray,
    threshold: float,
    code: IntArray,
    found: FloatArray,
) -> None:
    """Put in the code of each strike, and score, flow and balance, shape (3, n); see ``verdict.strike_verdict``.

    ``says``: what each class of a call says, then of a put.
    """
    puts = len(says) // 2
    for i in range(len(code)):
        call = abs(oi_change[0, i]) if oi_change[0, i] == oi_change[0, i] else 0.0
        put = abs(oi_change[1, i]) if oi_change[1, i] == oi_change[1, i] else 0.0
        held = oi[0, i] if oi[0, i] == oi[0, i] else 0.0
        held_put = oi[1, i] if oi[1, i] == oi[1, i] else 0.0
        said = says[build_up[0, i]] * call + says[puts + build_up[1, i]] * put
        flow = said / (call + put + 1e-300)
        balance = (held_put - held) / (held_put + held + 1e-300)
        score = 0.8 * flow + 0.2 * balance
        found[0, i], found[1, i], found[2, i] = score, flow, balance
        code[i] = (score >= threshold) + (score > -threshold)


@any_order  # type: ignore[untyped-decorator]  # numba has no types
def totals(cells: FloatArray, first: int, found: FloatArray) -> None:
    """Put in, of each of some cells from ``first`` on, how many calls and puts are known and their sums, shape (cells, 4); see ``anchors``."""
    for k in range(len(found)):
        for side in range(2):
            row, known, total = cells[first + k, side], 0.0, 0.0
            for i in range(len(row)):
                known += 1.0 if row[i] == row[i] else 0.0
                total += row[i] if row[i] == row[i] else 0.0
            found[k, side], found[k, 2 + side] = known, total


@machine  # type: ignore[untyped-decorator]  # numba has no types
def net_build_up(
    strike: FloatArray,
    build_up: IntArray,
    oi_change: FloatArray,
    oi: FloatArray,
    forward: float,
    says: FloatArray,
) -> tuple[int, float, float, float]:
    """Return how many legs' changes are known; flow that has a class, what that says, and interest, all weighed by nearness.

    See ``net_build_up.net_build_ups``; ``says`` as of :func:`verdicts`.
    """
    known, classed, said, near_oi = 0, 0.0, 0.0, 0.0
    scale, half = 1.0 / (0.01 * forward), len(says) // 2
    for i in range(len(strike)):
        away = (strike[i] - forward) * scale
        nearness = math.exp(away * away * -0.5)
        for side in range(2):
            held, flowed, code = oi[side, i], oi_change[side, i], build_up[side, i]
            near_oi += 0.0 if math.isnan(held) else held * nearness
            if not math.isnan(flowed):
                moved = abs(flowed) * nearness
                known += 1
                classed += moved if code != 0 else 0.0
                said += moved * says[side * half + code]
    return known, classed, said, near_oi
