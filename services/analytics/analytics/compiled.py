"""Ticks into a book, and what follows from it, as machine code, by numba: what the extra ``fast`` brings beside the core's loops.

Does what ``intake``, ``cells`` and ``packing`` do with numpy, which say what it means and against which it is tested; one tick after the
other, so they need no sorting. Which cell is where, and what is too much, is told at each call: a cached loop would not know when they change. Import it
where ``oimon.core.fast`` says that it is used.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from oimon.core.chain import BoolArray, FloatArray
from oimon.core.compiled.machine import machine

_PRICE, _QUOTE, _VOLUME, _OI = 1, 2, 4, 8
Places = tuple[int, ...]
"""Rows of the cells that ticks change, in the order in which ``take_in`` unpacks them."""
Limits = tuple[float, float, float, float, float, float]
"""Paise in a rupee; the most microseconds ahead, the most of a quantity; what a leap is: so many lots, so many times, and of the first message."""


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _is_leap(before: float, now: float, least: float, times: float) -> bool:
    """Say whether it is one; of an unknown value it is none."""
    more, less = max(before, now), min(before, now)
    return more >= least and more >= less * times


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _keep_interest(
    now: float, at: float, cells: FloatArray, places: Places, trust: tuple[float, float, float]
) -> bool:
    """Keep open interest of one instrument, where it is believed; return whether it is."""
    oi, changed_us, seen_us, opened, doubted, prev = places
    least, times, overnight = trust
    before, twice = cells[oi], cells[doubted]
    base, limit = before, times
    if math.isnan(before) and cells[prev] > 0:
        base, limit = cells[prev], overnight
    is_again = not math.isnan(twice) and not _is_leap(twice, now, least, times)
    if not is_again and not math.isnan(base) and _is_leap(base, now, least, limit):
        cells[doubted] = now
        return False
    cells[doubted] = math.nan
    if before != now and not math.isnan(before):
        cells[changed_us] = at
    cells[oi], cells[seen_us] = now, at
    if math.isnan(cells[opened]):
        cells[opened] = now
    return True


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _is_sane(tick: Any, is_index: bool, most: float) -> bool:
    if (tick.flags & _PRICE) != 0 and tick.ltp == 0 and is_index:
        return False
    if tick.ltp < 0 or tick.bid < 0 or tick.ask < 0:
        return False
    is_sane: bool = 0 <= tick.volume <= most and 0 <= tick.oi <= most
    return is_sane


@machine  # type: ignore[untyped-decorator]  # numba has no types
def take_in(
    ticks: npt.NDArray[np.void],
    received: FloatArray,
    cells: FloatArray,
    delivered: BoolArray,
    is_index: BoolArray,
    lots: FloatArray,
    places: Places,
    limits: Limits,
) -> tuple[int, int, int]:
    """Take ticks in, in their order; return how many were absurd, old and doubtful.

    Args:
        ticks: of dtype TICK, shape (n,).
        received: when each came, in microseconds, shape (n,).
        cells: of the book, shape (KEPT, instruments + 1): is changed.
        delivered: of the book, shape (instruments + 1,): is changed.
        is_index: of each instrument, same shape.
        lots: quantity of a contract, same shape.
        places: which cell is where.
        limits: what is absurd and what a leap.
    """
    exchange_us, seq_at, received_us, ltp, traded_us, bid, ask, bid_qty, ask_qty, quoted_us, volume = places[:-6]  # fmt: skip
    paise, ahead_us, most, leap_lots, leap, overnight = limits
    absurd = old = doubtful = 0
    for i in range(len(ticks)):
        tick, at = ticks[i], received[i]
        row, flags = tick.row, tick.flags
        if not _is_sane(tick, is_index[row], most):
            absurd += 1
            continue
        exchange, seq = float(tick.exchange_us), float(tick.seq)
        if exchange > at + ahead_us:
            exchange = at
        last = cells[exchange_us, row]
        if exchange < last or (exchange == last and not seq > cells[seq_at, row]):
            old += 1
            continue
        cells[exchange_us, row], cells[seq_at, row], cells[received_us, row] = exchange, seq, at
        delivered[row] = True
        if (flags & _PRICE) != 0 and tick.ltp > 0:
            told = float(tick.traded_s) * 1e6
            traded = told if told > 0 else float(tick.exchange_us)
            cells[ltp, row] = tick.ltp / paise
            cells[traded_us, row] = at if traded > at + ahead_us else traded
        if (flags & _QUOTE) != 0:
            cells[bid, row] = tick.bid / paise if tick.bid > 0 else math.nan
            cells[ask, row] = tick.ask / paise if tick.ask > 0 else math.nan
            has_book = tick.bid > 0 or tick.ask > 0  # one without a side may be untold
            cells[bid_qty, row] = float(tick.bid_qty) if has_book else math.nan
            cells[ask_qty, row] = float(tick.ask_qty) if has_book else math.nan
            cells[quoted_us, row] = at
        if (flags & _VOLUME) != 0:
            cells[volume, row] = float(tick.volume)
        if (flags & _OI) != 0:
            trust = lots[row] * leap_lots, leap, overnight
            doubtful += not _keep_interest(float(tick.oi), at, cells[:, row], places[-6:], trust)
    return absurd, old, doubtful


@machine  # type: ignore[untyped-decorator]  # numba has no types
def is_fresh(
    kept: FloatArray,
    now_us: float,
    seen: tuple[int, ...],
    limits: tuple[float, ...],
    found: BoolArray,
) -> None:
    """Put in which cells were seen within their limits; see ``cells.is_fresh``."""
    for k in range(len(seen)):
        row, limit = kept[seen[k]], limits[k]
        for i in range(len(row)):
            found[k, i] = (now_us - row[i]) * 1e-6 <= limit


@machine  # type: ignore[untyped-decorator]  # numba has no types
def mark(
    cells: FloatArray,
    tick: FloatArray,
    now_us: float,
    given: tuple[int, ...],
    made: tuple[int, ...],
    limits: tuple[float, ...],
) -> None:
    """Fill in marks and the age of open interest; see ``cells.marked`` and ``mark.mark_price``.

    Args:
        cells: the whole matrix, shape (COUNT, n): is changed.
        tick: smallest step of each price, shape (n,).
        now_us: the beat.
        given: rows of bid, ask, last price, and of when the quote, the trade and open interest were seen.
        made: rows of the mark, whether it is a mid, and of the age of open interest.
        limits: oldest quote or trade in seconds, widest spread as a share of the mid and in ticks, and the slack.
    """
    bid, ask, ltp = cells[given[0]], cells[given[1]], cells[given[2]]
    quoted_us, traded_us, seen_us = cells[given[3]], cells[given[4]], cells[given[5]]
    price, is_mid, age_s = cells[made[0]], cells[made[1]], cells[made[2]]
    oldest, share, ticks, slack = limits
    for i in range(len(price)):
        mid = (bid[i] + ask[i]) * 0.5
        widest, floor = mid * share, tick[i] * ticks
        widest = (widest if widest > floor else floor) + slack  # noqa: FURB136 - a step that is unknown bounds everything
        is_good = (ask[i] - bid[i] <= widest) & (ask[i] >= bid[i]) & (bid[i] > 0.0)
        is_good &= (now_us - quoted_us[i]) * 1e-6 <= oldest
        is_traded = (ltp[i] > 0.0) & ((now_us - traded_us[i]) * 1e-6 <= oldest)
        price[i] = mid if is_good else (ltp[i] if is_traded else math.nan)
        is_mid[i] = 1.0 if is_good else 0.0
        age_s[i] = (now_us - seen_us[i]) * 1e-6


@machine  # type: ignore[untyped-decorator]  # numba has no types
def fill_change(
    oi: FloatArray,
    age_s: FloatArray,
    stale_s: float,
    at_window: FloatArray,
    oldest: FloatArray,
    oldest_age_s: FloatArray,
    least_s: float,
    change: FloatArray,
) -> None:
    """Fill in the change of open interest over one window; see ``cells.fill_changes`` and ``oi.window_base``."""
    for i in range(len(change)):
        is_partial = (at_window[i] != at_window[i]) & (oldest_age_s[i] >= least_s)
        now = oi[i] if age_s[i] <= stale_s else math.nan
        change[i] = now - (oldest[i] if is_partial else at_window[i])


@machine  # type: ignore[untyped-decorator]  # numba has no types
def row_of(
    values: FloatArray, scale: float, unknown: int, most: float, found: npt.NDArray[np.int32]
) -> bool:
    """Put in the whole numbers of a column, where all are small ones and none below 0; return whether they are. See ``packing.row_of``."""
    bits = values.view(np.int64)
    for i in range(len(values)):
        steps = np.rint(values[i] * scale)
        apart = bits[i] - np.float64(steps / scale).view(np.int64)
        is_known = values[i] == values[i]
        if is_known & ((bits[i] < 0) | (abs(apart) > 1) | (steps >= most)):
            return False
        found[i] = 4 * np.int64(steps) + 1 + apart if is_known else unknown
    return True
