"""Ticks into a book as machine code, by numba: what the extra ``fast`` brings beside the core's loops.

Does what ``book`` does with numpy, which says what it means and against which it is tested; one tick after the other, so they need
no sorting. Import it where ``oimon.core.fast`` says that it is used.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from analytics.belief import AHEAD_US, MOST
from analytics.cells import PAISE, Cell
from oimon.core.chain import BoolArray, FloatArray
from oimon.core.oi import LEAP, LEAP_LOTS
from oimon.messages import TickFlag

_compiled: Any = njit(cache=True, error_model="numpy", nogil=True)

_PRICE, _QUOTE, _VOLUME, _OI = TickFlag.PRICE, TickFlag.QUOTE, TickFlag.VOLUME, TickFlag.OI
_LTP, _BID, _ASK, _BID_QTY, _ASK_QTY = Cell.LTP, Cell.BID, Cell.ASK, Cell.BID_QTY, Cell.ASK_QTY
_VOLUME_CELL, _OI_CELL, _OI_OPEN = Cell.VOLUME, Cell.OI, Cell.OI_OPEN
_EXCHANGE_US, _RECEIVED_US, _TRADED_US = Cell.EXCHANGE_US, Cell.RECEIVED_US, Cell.TRADED_US
_OI_CHANGED_US, _QUOTED_US, _OI_SEEN_US = Cell.OI_CHANGED_US, Cell.QUOTED_US, Cell.OI_SEEN_US
_SEQ, _OI_DOUBTED = Cell.SEQ, Cell.OI_DOUBTED


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _is_leap(before: float, now: float, lot: float) -> bool:
    most, least = max(before, now), min(before, now)
    return most >= lot * LEAP_LOTS and most >= least * LEAP


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def take_in(
    ticks: npt.NDArray[np.void],
    received: FloatArray,
    cells: FloatArray,
    delivered: BoolArray,
    is_index: BoolArray,
    lots: FloatArray,
) -> tuple[int, int, int]:
    """Take ticks in, in their order; return how many were absurd, old and doubtful.

    Args:
        ticks: of dtype TICK, shape (n,).
        received: when each came, in microseconds, shape (n,).
        cells: of the book, shape (KEPT, instruments + 1): is changed.
        delivered: of the book, shape (instruments + 1,): is changed.
        is_index: of each instrument, same shape.
        lots: quantity of a contract, same shape.
    """
    absurd = old = doubtful = 0
    for i in range(len(ticks)):
        tick, at = ticks[i], received[i]
        row, flags = tick.row, tick.flags
        has_price = (flags & _PRICE) != 0
        is_sane = min(tick.ltp, tick.bid, tick.ask) >= 0 and not (
            has_price and tick.ltp == 0 and is_index[row]
        )
        if not (is_sane and 0 <= tick.volume <= MOST and 0 <= tick.oi <= MOST):
            absurd += 1
            continue
        exchange, seq = float(tick.exchange_us), float(tick.seq)
        if exchange > at + AHEAD_US:
            exchange = at
        before = cells[_EXCHANGE_US, row]
        if exchange < before or (exchange == before and not seq > cells[_SEQ, row]):
            old += 1
            continue
        cells[_EXCHANGE_US, row], cells[_SEQ, row], cells[_RECEIVED_US, row] = exchange, seq, at
        delivered[row] = True
        if has_price and tick.ltp > 0:
            cells[_LTP, row] = tick.ltp / PAISE
            traded_s = float(tick.traded_s)
            cells[_TRADED_US, row] = traded_s * 1e6 if traded_s > 0 else float(tick.exchange_us)
        if (flags & _QUOTE) != 0:
            cells[_BID, row], cells[_ASK, row] = tick.bid / PAISE, tick.ask / PAISE
            cells[_BID_QTY, row], cells[_ASK_QTY, row] = float(tick.bid_qty), float(tick.ask_qty)
            cells[_QUOTED_US, row] = at
        if (flags & _VOLUME) != 0:
            cells[_VOLUME_CELL, row] = float(tick.volume)
        if (flags & _OI) != 0 and not _interest(float(tick.oi), row, at, cells, lots[row]):
            doubtful += 1
    return absurd, old, doubtful


@_compiled  # type: ignore[untyped-decorator]  # numba has no types
def _interest(now: float, row: int, at: float, cells: FloatArray, lot: float) -> bool:
    """Keep open interest that is believed; say whether it is."""
    before, doubted = cells[_OI_CELL, row], cells[_OI_DOUBTED, row]
    is_again = not math.isnan(doubted) and not _is_leap(doubted, now, lot)
    if not is_again and not math.isnan(before) and _is_leap(before, now, lot):
        cells[_OI_DOUBTED, row] = now
        return False
    cells[_OI_DOUBTED, row] = math.nan
    if before != now and not math.isnan(before):
        cells[_OI_CHANGED_US, row] = at
    cells[_OI_CELL, row], cells[_OI_SEEN_US, row] = now, at
    if math.isnan(cells[_OI_OPEN, row]):
        cells[_OI_OPEN, row] = now
    return True
