"""What is known of each instrument at one instant: one matrix, a row a cell, a column an instrument (pure)."""

import math
from types import MappingProxyType

import numpy as np

from analytics.history import Then
from analytics.machine import loops
from oimon.core.chain import BoolArray, FloatArray
from oimon.core.compare import SLACK, age_limit
from oimon.core.mark import MAX_AGE_S, WIDEST, mark_price
from oimon.core.oi import MIN_WINDOW_S, window_base
from oimon.core.quality import OI_STALE_S

PAISE = 100.0  # in a rupee; divided by, so that 14235 becomes 142.35 and not its neighbour


class Cell:
    """Rows of the matrix; plain numbers, because an array is indexed by them some hundred times a beat. Prices in rupees, interest and volume in quantity, instants in microseconds; NaN is unknown."""

    LTP = 0
    BID = 1
    ASK = 2
    BID_QTY = 3
    ASK_QTY = 4
    VOLUME = 5
    OI = 6
    OI_PREV = 7  # at the previous session's close
    OI_OPEN = 8  # the session's first
    PREV_CLOSE = 9
    EXCHANGE_US = 10
    RECEIVED_US = 11
    TRADED_US = 12
    OI_CHANGED_US = 13
    # what only the book itself needs
    QUOTED_US = 14
    OI_SEEN_US = 15
    SEQ = 16
    DAY_OPEN = 17
    DAY_HIGH = 18
    DAY_LOW = 19
    DAY_AVERAGE = 20
    OI_DOUBTED = 21  # told once and not yet believed; NaN as a rule
    # what follows from the rest at a beat
    MARK = 22
    IS_MID = 23  # 1 where the mark is a mid
    OI_AGE_S = 24  # since the last open-interest message; as long as no limit is passed, as of an earlier beat
    OI_CHANGE_DAY = 25
    OI_CHANGE_OPEN = 26
    OI_CHANGE_3M = 27
    OI_CHANGE_5M = 28
    OI_CHANGE_15M = 29
    OI_CHANGE_30M = 30
    PRICE_CHANGE_15M = 31


COUNT = 32
"""Cells of an instrument."""

KEPT = Cell.MARK
"""Cells below this one are kept by the book; the others are made at each beat."""
WINDOWS = MappingProxyType(
    {
        Cell.OI_CHANGE_3M: 180.0,
        Cell.OI_CHANGE_5M: 300.0,
        Cell.OI_CHANGE_15M: 900.0,
        Cell.OI_CHANGE_30M: 1800.0,
    }
)
"""Windows of the changes of open interest, in seconds; the specification's ΔOI_w is the 15-minute one."""


_SEEN = (Cell.QUOTED_US, Cell.TRADED_US, Cell.OI_SEEN_US, Cell.OI_SEEN_US)
_GIVEN = (Cell.BID, Cell.ASK, Cell.LTP, Cell.QUOTED_US, Cell.TRADED_US, Cell.OI_SEEN_US)
_MADE = (Cell.MARK, Cell.IS_MID, Cell.OI_AGE_S)


def is_fresh(kept: FloatArray, now_us: int, cadence_s: float) -> BoolArray:
    """Return which quotes, trades and open interest (of two limits) are not too old for anything here, shape (4, instruments).

    Between two beats of which it is the same, ages change nothing.

    Args:
        kept: the book's cells, shape (KEPT, instruments).
        now_us: the beat.
        cadence_s: usual time between two prices of one instrument.
    """
    price_s = age_limit(MAX_AGE_S, cadence_s) + SLACK
    limits = (price_s, price_s, OI_STALE_S, OI_STALE_S + SLACK)
    compiled = loops()
    if compiled is not None:
        found = np.empty((len(_SEEN), kept.shape[1]), np.bool_)
        compiled.is_fresh(kept, float(now_us), _SEEN, limits, found)
        return found
    return (now_us - kept[list(_SEEN)]) * 1e-6 <= np.array(limits)[:, np.newaxis]


def marked(kept: FloatArray, tick: FloatArray, now_us: int, cadence_s: float) -> FloatArray:
    """Return the whole matrix with marks and ages, and with changes still unknown.

    Args:
        kept: the book's cells, shape (KEPT, instruments).
        tick: smallest step of each price in rupees, shape (instruments,).
        now_us: the beat.
        cadence_s: usual time between two prices of one instrument.

    Source: analytics specification, 1.4; rulings, 13.
    """
    cells, max_age_s = np.empty((COUNT, kept.shape[1])), age_limit(MAX_AGE_S, cadence_s)
    cells[:KEPT], cells[KEPT:] = kept, np.nan
    compiled = loops()
    if compiled is not None:
        limits = (max_age_s + SLACK, *WIDEST, SLACK)
        compiled.mark(cells, tick, float(now_us), _GIVEN, _MADE, limits)
        return cells
    marks = mark_price(
        kept[Cell.BID],
        kept[Cell.ASK],
        kept[Cell.LTP],
        quote_age_s=(now_us - kept[Cell.QUOTED_US]) * 1e-6,
        trade_age_s=(now_us - kept[Cell.TRADED_US]) * 1e-6,
        tick=tick,
        max_age_s=max_age_s,
    )
    cells[Cell.MARK], cells[Cell.IS_MID] = marks.price, marks.is_mid
    cells[Cell.OI_AGE_S] = (now_us - kept[Cell.OI_SEEN_US]) * 1e-6
    return cells


def fill_changes(cells: FloatArray, then: dict[float, Then]) -> None:
    """Fill in the changes of open interest and of marks, in place.

    A leg whose open interest was last confirmed more than 600 s ago keeps it, but has no change over a window.

    Args:
        cells: the matrix of :func:`marked`.
        then: what was known at the start of each window of ``WINDOWS``, by its length.

    Source: analytics specification, 1.3 and 1.6.
    """
    oi = cells[Cell.OI]
    np.subtract(oi, cells[Cell.OI_PREV], out=cells[Cell.OI_CHANGE_DAY])
    np.subtract(oi, cells[Cell.OI_OPEN], out=cells[Cell.OI_CHANGE_OPEN])
    for cell, window_s in WINDOWS.items():
        _fill_change(cells, cell, then[window_s])
    past = then[WINDOWS[Cell.OI_CHANGE_15M]]
    _, is_partial = window_base(past.oi, past.first_oi, past.first_age_s)
    base = np.where(is_partial, past.first_mark, past.mark) if is_partial.any() else past.mark
    np.subtract(cells[Cell.MARK], base, out=cells[Cell.PRICE_CHANGE_15M])


def _fill_change(cells: FloatArray, cell: int, past: Then) -> None:
    """Fill in the change of open interest over one window."""
    oi, age_s = cells[Cell.OI], cells[Cell.OI_AGE_S]
    compiled = loops()
    if compiled is not None:
        first = past.first_oi, past.first_age_s, MIN_WINDOW_S - SLACK
        compiled.fill_change(oi, age_s, OI_STALE_S, past.oi, *first, cells[cell])
        return
    base, _ = window_base(past.oi, past.first_oi, past.first_age_s)
    cells[cell] = np.where(age_s <= OI_STALE_S, oi, np.nan) - base


def known(value: float) -> float | None:
    """Return a cell's value as a plain number, None where it is unknown."""
    return None if math.isnan(value) else float(value)
