"""Which ticks are believed: one packet alone does not turn a chain upside down (pure, but for the cells that it is handed)."""

import math

import numpy as np
import numpy.typing as npt

from oimon.core.chain import BoolArray, FloatArray
from oimon.core.oi import LEAP, LEAP_OVERNIGHT, is_leap
from oimon.messages import Session, TickFlag
from oimon.terms import Kind

AHEAD_US = 60_000_000  # further than this before its own arrival no tick was sent
MOST = 10**12  # quantity of open interest or volume; a thousand times the largest ever seen
_PRICES = ("ltp", "bid", "ask")
_QUANTITIES = ("volume", "oi")


def lots(session: Session) -> FloatArray:
    """Return the lot of each instrument, shape (instruments + 1,)."""
    return np.array([*session.instruments.lot, 1], np.float64)


def indices(session: Session) -> BoolArray:
    """Return which instruments are indices, shape (instruments + 1,)."""
    return np.array([*(kind is Kind.INDEX for kind in session.instruments.kind), False])


def is_sane(ticks: npt.NDArray[np.void], is_index: BoolArray) -> BoolArray:
    """Return which ticks hold no negative price, no index of 0, and no negative or impossible quantity.

    Args:
        ticks: shape (n,).
        is_index: of each instrument, shape (instruments + 1,).
    """
    is_told = ticks["flags"] & TickFlag.PRICE > 0
    sane: BoolArray = ~(is_told & (ticks["ltp"] == 0) & is_index[ticks["row"]])
    for name in _PRICES:
        sane &= ticks[name] >= 0
    for name in _QUANTITIES:
        sane &= (ticks[name] >= 0) & (ticks[name] <= MOST)
    return sane


def believed(
    rows: npt.NDArray[np.intp],
    told: FloatArray,
    before: FloatArray,
    *,
    oi: FloatArray,
    oi_prev: FloatArray,
    doubted: FloatArray,
    lot: FloatArray,
) -> BoolArray:
    """Return which open interest is believed: what is no leap, or is told a second time; keep in ``doubted`` what is not.

    The first of a run is held against the previous close, where there was any, with a wider limit: trading lies between them.

    Args:
        rows: instrument of each, each one's together and in their order, shape (n,).
        told: quantity, shape (n,).
        before: told by the instrument's message before, for its first the last one believed, shape (n,).
        oi: last believed of each instrument, shape (instruments + 1,).
        oi_prev: at the previous session's close, NaN where unknown, same shape.
        doubted: told last and not believed, NaN where there is none, same shape: is changed.
        lot: quantity of a contract, same shape.
    """
    leaps = is_leap(before, told, lot[rows])
    opens = np.isnan(oi[rows]) & (oi_prev[rows] > 0)
    if opens.any():
        leaps |= opens & is_leap(oi_prev[rows], told, lot[rows], LEAP_OVERNIGHT)
    if not leaps.any() and np.isnan(doubted[rows]).all():
        return np.ones(len(rows), np.bool_)
    found = np.ones(len(rows), np.bool_)
    known: dict[int, tuple[float, float]] = {}  # by instrument: believed, and doubted
    for i, (row, value) in enumerate(zip(rows.tolist(), told.tolist(), strict=True)):
        trusted, last = known.get(row, (oi.item(row), doubted.item(row)))
        is_again = not math.isnan(last) and not is_leap(last, value, lot.item(row))
        base, times = trusted, LEAP
        if math.isnan(trusted) and oi_prev.item(row) > 0:
            base, times = oi_prev.item(row), LEAP_OVERNIGHT
        found[i] = is_again or not is_leap(base, value, lot.item(row), times)
        known[row] = (value, math.nan) if found[i] else (trusted, value)
    for row, (_, last) in known.items():
        doubted[row] = last
    return found
