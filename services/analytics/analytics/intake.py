"""Ticks into the cells of a book, and which of them change nothing (pure, but for the cells that it is handed)."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from analytics.belief import AHEAD_US, MOST, believed, is_sane
from analytics.cells import PAISE, Cell
from analytics.machine import loops
from oimon.core.chain import BoolArray, FloatArray
from oimon.core.oi import LEAP, LEAP_LOTS, LEAP_OVERNIGHT
from oimon.messages import TICK, TickBatch, TickFlag

_DAY = (
    (Cell.DAY_OPEN, "open"),
    (Cell.DAY_HIGH, "high"),
    (Cell.DAY_LOW, "low"),
    (Cell.DAY_AVERAGE, "average"),
)
_PLACES = (
    Cell.EXCHANGE_US, Cell.SEQ, Cell.RECEIVED_US, Cell.LTP, Cell.TRADED_US, Cell.BID, Cell.ASK, Cell.BID_QTY, Cell.ASK_QTY,
    Cell.QUOTED_US, Cell.VOLUME, Cell.OI, Cell.OI_CHANGED_US, Cell.OI_SEEN_US, Cell.OI_OPEN, Cell.OI_DOUBTED,
    Cell.OI_PREV,
)  # fmt: skip
_LIMITS = (PAISE, float(AHEAD_US), float(MOST), LEAP_LOTS, LEAP, LEAP_OVERNIGHT)
Rows = npt.NDArray[np.intp]
Drops = tuple[int, int, int]
"""Ticks that changed nothing: absurd, old and doubtful ones."""


def take_in(
    batches: Sequence[TickBatch],
    cells: FloatArray,
    delivered: BoolArray,
    *,
    is_index: BoolArray,
    lots: FloatArray,
) -> Drops:
    """Take ticks in, in their order; return how many changed nothing, and why.

    Args:
        batches: of the instruments' session, in the order in which they came.
        cells: newest value of every cell, shape (KEPT, instruments + 1): is changed.
        delivered: which instruments the feed has delivered, shape (instruments + 1,): is changed.
        is_index: of each instrument, same shape.
        lots: quantity of a contract, same shape.
    """
    ticks = _joined([batch.records for batch in batches])
    came_us = [float(batch.received_us) for batch in batches]
    received = np.repeat(came_us, [len(batch.records) for batch in batches])
    received += ticks["received_after_us"]
    day = _day_records(batches, len(ticks))
    compiled = loops()
    if compiled is not None and day is None:
        book = cells, delivered, is_index, lots
        drops: Drops = compiled.take_in(ticks, received, *book, _PLACES, _LIMITS)
        return drops
    rows = ticks["row"]
    if not (rows[1:] > rows[:-1]).all():
        order = rows.argsort(kind="stable")
        ticks, received, day = _at(ticks, order), received[order], _of(day, order)
    absurd, sane = 0, is_sane(ticks, is_index)
    if not sane.all():
        absurd = int((~sane).sum())
        ticks, received, day = ticks[sane], received[sane], _of(day, sane)
    old, doubtful = _keep(ticks, received, day, cells=cells, delivered=delivered, lots=lots)
    return absurd, old, doubtful


def _keep(
    ticks: npt.NDArray[np.void],
    received: FloatArray,
    day: FloatArray | None,
    *,
    cells: FloatArray,
    delivered: BoolArray,
    lots: FloatArray,
) -> tuple[int, int]:
    """Take in sane ticks by instrument, each one's in their order; return how many were old and doubtful.

    ``day`` holds their day records in rupees, shape (n, 4). Where an instrument has several, the last assignment of a cell stays.
    """
    old, rows = 0, ticks["row"].astype(np.intp)
    exchange, seq = ticks["exchange_us"].astype(np.float64), ticks["seq"].astype(np.float64)
    # An exchange's clock that jumped ahead once must not make all that follows look old.
    exchange = np.where(exchange > received + AHEAD_US, received, exchange)
    is_new = _is_new(rows, exchange, seq, cells[Cell.EXCHANGE_US, rows], cells[Cell.SEQ, rows])
    if not is_new.all():
        old = int((~is_new).sum())
        ticks, rows, received, day = (
            ticks[is_new],
            rows[is_new],
            received[is_new],
            _of(day, is_new),
        )
        exchange, seq = exchange[is_new], seq[is_new]
    cells[Cell.EXCHANGE_US, rows], cells[Cell.SEQ, rows] = exchange, seq
    cells[Cell.RECEIVED_US, rows] = received
    delivered[rows] = True
    flags = ticks["flags"]
    has_price = flags & TickFlag.PRICE > 0
    has_price &= ticks["ltp"] > 0  # a contract that never traded has a last price of 0
    at = _places(has_price)
    _trade(cells, ticks, rows, at, seen=received[at])
    at = _places(flags & TickFlag.QUOTE > 0)
    _quote(cells, ticks, rows, at, seen=received[at])
    at = _places(flags & TickFlag.VOLUME > 0)
    cells[Cell.VOLUME, rows[at]] = ticks["volume"][at]
    at = _places(flags & TickFlag.OI > 0)
    told = ticks["oi"][at].astype(np.float64)
    doubtful = _interest(cells, told, rows[at], received[at], lots=lots)
    if day is not None:
        has = flags & TickFlag.DAY > 0
        for i, (cell, _) in enumerate(_DAY):
            cells[cell, rows[has]] = day[has, i]
    return old, doubtful


def _trade(
    cells: FloatArray, ticks: npt.NDArray[np.void], rows: Rows, at: Rows, *, seen: FloatArray
) -> None:
    traded, into = ticks["traded_s"][at] * 1e6, rows[at]
    cells[Cell.LTP, into] = ticks["ltp"][at] / PAISE
    # A feed that does not say when the last trade was: it is as old as the frame that tells it.
    traded = np.where(traded > 0, traded, ticks["exchange_us"][at])
    # One that is dated ahead would not grow old until the clock is there.
    cells[Cell.TRADED_US, into] = np.where(traded > seen + AHEAD_US, seen, traded)


def _quote(
    cells: FloatArray, ticks: npt.NDArray[np.void], rows: Rows, at: Rows, *, seen: FloatArray
) -> None:
    into = rows[at]
    for cell, name in ((Cell.BID, "bid"), (Cell.ASK, "ask")):
        paise = ticks[name][at]
        cells[cell, into] = np.where(paise > 0, paise / PAISE, np.nan)  # an empty side says 0
    has_book = (ticks["bid"][at] > 0) | (ticks["ask"][at] > 0)  # one without a side may be untold
    for cell, name in ((Cell.BID_QTY, "bid_qty"), (Cell.ASK_QTY, "ask_qty")):
        cells[cell, into] = np.where(has_book, ticks[name][at], np.nan)
    cells[Cell.QUOTED_US, into] = seen


def _interest(
    cells: FloatArray, now: FloatArray, at: Rows, seen: FloatArray, *, lots: FloatArray
) -> int:
    """Keep open interest, when it was last told, and when it last changed (an event of its own); return how many were doubtful."""
    doubtful, is_first = 0, _is_first(at)
    before = _before(is_first, cells[Cell.OI, at], now)
    trust = {"oi": cells[Cell.OI], "oi_prev": cells[Cell.OI_PREV]}
    is_sure = believed(at, now, before, **trust, doubted=cells[Cell.OI_DOUBTED], lot=lots)
    if not is_sure.all():
        doubtful = int((~is_sure).sum())
        at, now, seen = at[is_sure], now[is_sure], seen[is_sure]
        is_first = _is_first(at)
        before = _before(is_first, cells[Cell.OI, at], now)
    moved = ((before != now) & ~np.isnan(before)).nonzero()[0]  # the first value seen is no change
    cells[Cell.OI_CHANGED_US, at[moved]] = seen[moved]
    cells[Cell.OI, at] = now
    cells[Cell.OI_SEEN_US, at] = seen
    opened = (is_first & np.isnan(cells[Cell.OI_OPEN, at])).nonzero()[0]
    cells[Cell.OI_OPEN, at[opened]] = now[opened]
    return doubtful


def _of(day: FloatArray | None, place: Rows | BoolArray) -> FloatArray | None:
    return None if day is None else day[place]


def _is_first(rows: Rows) -> BoolArray:
    """Return which ticks are their instrument's first, where each one's stand together."""
    is_first = np.ones(len(rows), np.bool_)
    is_first[1:] = rows[1:] != rows[:-1]
    return is_first


def _before(is_first: BoolArray, known: FloatArray, told: FloatArray) -> FloatArray:
    """Return what stood before each tick: what its instrument's tick before it told, or for the first what is known."""
    later = (~is_first).nonzero()[0]
    if not len(later):
        return known
    before: FloatArray = known.copy()
    before[later] = told[later - 1]
    return before


def _is_new(
    rows: Rows, exchange: FloatArray, seq: FloatArray, last: FloatArray, last_seq: FloatArray
) -> BoolArray:
    """Return which ticks are newer than all of their instrument before them, by the exchange's time, then by number.

    Args:
        rows: instrument of each tick, each one's together, shape (n,).
        exchange: when it was sent, shape (n,).
        seq: its number, shape (n,).
        last: when the newest tick that the instrument has was sent, NaN where there is none, shape (n,).
        last_seq: that one's number, shape (n,).
    """
    is_first = _is_first(rows)
    before, before_seq = _before(is_first, last, exchange), _before(is_first, last_seq, seq)
    is_new: BoolArray = (
        np.isnan(before) | (exchange > before) | ((exchange == before) & (seq > before_seq))
    )
    if is_new.all():
        return is_new
    newest = (-np.inf, -np.inf)  # what follows an old tick is compared with the one before that
    told = zip(is_first, exchange, seq, last, last_seq, strict=True)
    for i, (first, at, number, known, known_number) in enumerate(told):
        if first:
            newest = (-np.inf, -np.inf) if np.isnan(known) else (known, known_number)
        is_new[i] = (at, number) > newest
        newest = max(newest, (at, number))
    return is_new


def _joined(records: Sequence[npt.NDArray[np.void]]) -> npt.NDArray[np.void]:
    """Return arrays of ticks as one; as bytes, for numpy copies fields one by one."""
    return np.frombuffer(b"".join([each.tobytes() for each in records]), TICK)


def _at(ticks: npt.NDArray[np.void], places: Rows) -> npt.NDArray[np.void]:
    """Return the ticks at these places; as words, for numpy copies fields one by one."""
    words = np.ndarray((len(ticks), TICK.itemsize // 8), np.uint64, ticks)
    return np.ndarray((len(places),), TICK, words.take(places, 0))


def _places(has: BoolArray) -> Rows:
    return has.nonzero()[0]


def _day_records(batches: Sequence[TickBatch], count: int) -> FloatArray | None:
    """Return the day record of each tick of all batches in rupees, shape (count, 4), NaN where it has none; None if none has."""
    if all(batch.day is None for batch in batches):
        return None
    values, end = np.full((count, len(_DAY)), np.nan), 0
    for batch in batches:
        start, end = end, end + len(batch.records)
        if batch.day is not None:
            has = start + (batch.records["flags"] & TickFlag.DAY > 0).nonzero()[0]
            for i, (_, name) in enumerate(_DAY):
                values[has, i] = batch.day[name] / PAISE
    return values
