"""Ticks into a book as machine code, by numba: what the extra ``fast`` brings beside the core's loops.

Does what ``book`` does with numpy, which says what it means and against which it is tested; one tick after the other, so they need
no sorting. Which cell is where, and what is too much, is told at each call: a cached loop would not know when they change. Import it
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
Limits = tuple[float, float, float, float, float]
"""Paise in a rupee; the most microseconds ahead, the most of a quantity; what a leap is: so many lots, so many times."""


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _is_leap(before: float, now: float, least: float, times: float) -> bool:
    """Say whether it is one; of an unknown value it is none."""
    more, less = max(before, now), min(before, now)
    return more >= least and more >= less * times


@machine  # type: ignore[untyped-decorator]  # numba has no types
def _keep_interest(
    now: float, at: float, cells: FloatArray, places: Places, trust: tuple[float, float]
) -> bool:
    """Keep open interest of one instrument, where it is believed; return whether it is."""
    oi, changed_us, seen_us, opened, doubted = places
    before, twice = cells[oi], cells[doubted]
    is_again = not math.isnan(twice) and not _is_leap(twice, now, *trust)
    if not is_again and not math.isnan(before) and _is_leap(before, now, *trust):
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
    exchange_us, seq_at, received_us, ltp, traded_us, bid, ask, bid_qty, ask_qty, quoted_us, volume = places[:-5]  # fmt: skip
    paise, ahead_us, most, leap_lots, leap = limits
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
            traded = float(tick.traded_s) * 1e6
            cells[ltp, row] = tick.ltp / paise
            cells[traded_us, row] = traded if traded > 0 else float(tick.exchange_us)
        if (flags & _QUOTE) != 0:
            cells[bid, row], cells[ask, row] = tick.bid / paise, tick.ask / paise
            cells[bid_qty, row], cells[ask_qty, row] = float(tick.bid_qty), float(tick.ask_qty)
            cells[quoted_us, row] = at
        if (flags & _VOLUME) != 0:
            cells[volume, row] = float(tick.volume)
        if (flags & _OI) != 0:
            trust = lots[row] * leap_lots, leap
            doubtful += not _keep_interest(float(tick.oi), at, cells[:, row], places[-5:], trust)
    return absurd, old, doubtful
