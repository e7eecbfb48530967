"""What open interest says of a chain and what each leg does, in one pass of machine code; ``one_pass`` of the core says what comes out."""

import math

import numpy as np

from oimon.core.chain import FloatArray, IndexArray, IntArray
from oimon.core.compiled.machine import any_order, machine

_SLACK = 1e-9


@any_order  # type: ignore[untyped-decorator]  # numba has no types
def _count(oi: FloatArray, age_s: FloatArray, stale_s: float, found: FloatArray) -> None:
    """Put in how many legs are known, and their interest that is fresh."""
    known = fresh = 0.0
    for side in range(2):
        for i in range(oi.shape[1]):
            is_known = oi[side, i] == oi[side, i]
            known += 1.0 if is_known else 0.0
            fresh += oi[side, i] if is_known & (age_s[side, i] <= stale_s) else 0.0
    found[0], found[1] = known, fresh


@any_order  # type: ignore[untyped-decorator]  # numba has no types
def _known(column: FloatArray, first: int, last: int) -> float:
    """Return how many legs are known from ``first`` up to ``last``."""
    known = 0.0
    for side in range(2):
        part = column[side, first:last]
        for i in range(len(part)):
            known += 1.0 if part[i] == part[i] else 0.0
    return known


@any_order  # type: ignore[untyped-decorator]  # numba has no types
def _total(column: FloatArray, first: int, last: int, found: FloatArray, at: int) -> None:
    """Put in the sum of each side from ``first`` up to ``last``."""
    for side in range(2):
        part, total = column[side, first:last], 0.0
        for i in range(len(part)):
            total += part[i] if part[i] == part[i] else 0.0
        found[at + side] = total


@any_order  # type: ignore[untyped-decorator]  # numba has no types
def _weighted(column: FloatArray, strike: FloatArray) -> tuple[float, float]:
    """Return the sum of a side and of each leg times its strike."""
    total = weighted = 0.0
    for i in range(len(strike)):
        known = column[i] if column[i] == column[i] else 0.0
        total += known
        weighted += known * strike[i]
    return total, weighted


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _max_pain(strike: FloatArray, oi: FloatArray, level: float, found: FloatArray, at: int) -> None:
    """Put in strike, pain and zone of max pain; see ``max_pain``."""
    n = len(strike)
    puts, puts_strike = _weighted(oi[1], strike)
    curve, running, running_strike, pain = np.empty(n), 0.0, 0.0, math.inf
    for i in range(n):
        both = oi[0, i] if oi[0, i] == oi[0, i] else 0.0
        both += oi[1, i] if oi[1, i] == oi[1, i] else 0.0
        running += both
        running_strike += both * strike[i]
        curve[i] = (running - puts) * strike[i] - running_strike + puts_strike
        pain = min(curve[i], pain)
    if not running > 0.0:
        return
    slack = 1e-12 * running * strike[n - 1]
    low, high = 0, n - 1  # the curve is convex: what lies within a limit is one stretch
    while curve[low] > 1.02 * pain + slack:
        low += 1
    while curve[high] > 1.02 * pain + slack:
        high -= 1
    found[at + 1], found[at + 2], found[at + 3] = max(pain, 0.0), strike[low], strike[high]
    while curve[low] > pain + slack:
        low += 1
    found[at] = strike[low]
    while low < high and curve[low + 1] <= pain + slack:
        low += 1
        if abs(strike[low] - level) < abs(found[at] - level):
            found[at] = strike[low]


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _place(strike: FloatArray, level: float) -> int:
    """Return the place of the first strike at or above a level."""
    low, high = 0, len(strike)
    while low < high:
        middle = (low + high) >> 1
        if strike[middle] < level:
            low = middle + 1
        else:
            high = middle
    return low


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _levels(
    strike: FloatArray,
    oi: FloatArray,
    change_day: FloatArray,
    side: int,
    level: float,
    found: FloatArray,
    at: int,
) -> None:
    """Put in one side's two walls and three strongest levels, from the level outwards; see ``walls.sr_levels``."""
    own, other, change = oi[side], oi[1 - side], change_day[side]
    start, stop, step = _place(strike, level), len(strike), 1
    if side == 1:
        start -= not (start < stop and strike[start] == level)
        stop, step = -1, -1
    first = second = moved = 0.0
    one = two = start
    for i in range(start, stop, step):  # of equal walls the first stays first
        size = abs(change[i])
        moved = size if (size > moved) & (own[i] > 0.0) else moved
        if own[i] > second:
            if own[i] > first:
                first, second, one, two = own[i], first, i, one
            else:
                second, two = own[i], i
    if not first > 0.0:
        return
    found[at], found[at + 1] = strike[one], first
    if second > 0.0:
        found[at + 2], found[at + 3] = strike[two], second
    scale, flow, far = 50.0 / first, 10.0 / moved if moved > 0.0 else 0.0, -100.0 / level
    best, near, third = at + 4, 1.0, 0.0
    for i in range(start, stop, step):
        held, flowed = own[i] * scale, change[i] * flow if change[i] == change[i] else 0.0
        share = own[i] / (own[i] + (other[i] if other[i] == other[i] else 0.0))
        # nearness only falls from here on: mostly no exponential is needed to see that a level is not among the three
        if own[i] > 0.0 and held + (share + near) * 15.0 + flowed + 10.0 + _SLACK > third:
            near = math.exp(far * abs(strike[i] - level))
            strength = held + (share + near) * 15.0 + flowed + 10.0
            if strength > third:
                _insert(strike[i], strength, found, best)
                third = found[best + 5]


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _insert(strike: float, value: float, found: FloatArray, at: int) -> None:
    """Put a level that is stronger than the third in its place; of equal ones the first stays first."""
    place = at + 4
    while place > at and value > found[place - 1]:
        found[place], found[place + 1] = found[place - 2], found[place - 1]
        place -= 2
    found[place], found[place + 1] = strike, value


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _classify(
    cells: FloatArray,
    columns: IndexArray,
    delta: FloatArray,
    lot: int,
    tick: float,
    noise: float,
    codes: IntArray,
) -> None:
    """Put in the class of each leg; see ``build_up.option_bands`` and ``build_up.build_up``."""
    oi, mark = cells[columns[0]], cells[columns[2]]
    price_change, oi_change = cells[columns[3]], cells[columns[4]]
    least_price, least_oi = 2.0 * tick, 25.0 * lot
    for side in range(2):
        for i in range(codes.shape[1]):
            moved, flowed = price_change[side, i], oi_change[side, i]
            price_band, oi_band = (mark[side, i] - moved) * 0.01, (oi[side, i] - flowed) * 0.01
            # a comparison with NaN fails: what is unknown bounds nothing and reaches nothing; ``max`` would pass it on
            price_band = price_band if price_band > least_price else least_price  # noqa: FURB136
            stirred = abs(delta[side, i]) * noise
            price_band = stirred if stirred > price_band else price_band  # noqa: FURB136
            oi_band = oi_band if oi_band > least_oi else least_oi  # noqa: FURB136
            counts = (abs(moved) + _SLACK >= price_band) & (abs(flowed) + _SLACK >= oi_band)
            codes[side, i] = counts * (1 + (moved < 0.0) + 2 * (flowed < 0.0))


@machine  # type: ignore[untyped-decorator]  # numba has no types
def one_pass(  # noqa: PLR0913, PLR0917 - machine code takes no keywords
    strike: FloatArray,
    cells: FloatArray,
    columns: IndexArray,
    delta: FloatArray,
    level: float,
    first: int,
    last: int,
    lot: int,
    tick: float,
    noise: float,
    stale_s: float,
    found: FloatArray,
    codes: IntArray,
) -> None:
    """Fill in numbers and classes; arguments as of ``one_pass.one_pass``."""
    found[:] = 0.0
    n, oi, volume = len(strike), cells[columns[0]], cells[columns[1]]
    _count(oi, cells[columns[6]], stale_s, found)
    _total(oi, 0, n, found, 2)
    _total(volume, 0, n, found, 4)
    _total(oi, first, last, found, 6)
    _total(volume, first, last, found, 8)
    _total(cells[columns[4]], first, last, found, 10)
    found[12] = _known(cells[columns[4]], first, last)
    _max_pain(strike, oi, level, found, 13)
    if level > 0.0:
        _levels(strike, oi, cells[columns[5]], 1, level, found, 17)
        _levels(strike, oi, cells[columns[5]], 0, level, found, 27)
    _classify(cells, columns, delta, lot, tick, noise, codes)
