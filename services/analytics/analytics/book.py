"""The chain as it stands: ticks go in, a copy comes out. The only mutable state of market data here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from analytics.belief import AHEAD_US, MOST, believed, indices, is_sane, lots
from analytics.cells import KEPT, PAISE, Cell
from analytics.layout import Layout, layout_of
from analytics.machine import loops
from oimon.core.chain import BoolArray, FloatArray
from oimon.core.oi import LEAP, LEAP_LOTS
from oimon.errors import PoisonMessage
from oimon.messages import TICK, Session, TickBatch, TickFlag

MOST_WAITING = 16_384  # ticks, 1 MB
_DAY = (
    (Cell.DAY_OPEN, "open"),
    (Cell.DAY_HIGH, "high"),
    (Cell.DAY_LOW, "low"),
    (Cell.DAY_AVERAGE, "average"),
)
_PLACES = (
    Cell.EXCHANGE_US, Cell.SEQ, Cell.RECEIVED_US, Cell.LTP, Cell.TRADED_US, Cell.BID, Cell.ASK, Cell.BID_QTY, Cell.ASK_QTY,
    Cell.QUOTED_US, Cell.VOLUME, Cell.OI, Cell.OI_CHANGED_US, Cell.OI_SEEN_US, Cell.OI_OPEN, Cell.OI_DOUBTED,
)  # fmt: skip
_LIMITS = (PAISE, float(AHEAD_US), float(MOST), LEAP_LOTS, LEAP)
_TOLD = [Cell.PREV_CLOSE, Cell.OI_PREV, Cell.OI_OPEN]
"""Cells that the session itself tells, sometimes later than its instruments."""
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, kw_only=True, eq=False)
class BookState:
    """All that a book has taken in: cells of shape (KEPT, instruments + 1), ``delivered`` of shape (instruments + 1,)."""

    session: Session
    version: int
    dropped: dict[str, int]
    cells: FloatArray
    delivered: BoolArray


class ChainBook:
    """Newest value of every cell of every instrument of one run.

    Args:
        session: what the ticks mean.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.layout: Layout = layout_of(session.instruments)
        self.version = 0
        """Grows with everything that may have changed a cell or a place."""
        self.dropped: Counter[str] = Counter()
        """Ticks that changed nothing, of those that were looked at for somebody: ``old`` (repeated or out of order),
        ``absurd`` (beyond any sane value) and ``doubtful`` (open interest that leapt, told once)."""
        self._cells = _static(session)
        self._lots, self._is_index = lots(session), indices(session)
        self.tells_oi_open = any(session.instruments.oi_open)
        """Whether the session itself tells the day's first open interest."""
        self._told_prev: dict[str, bool] = {}  # by expiry, until the session is told again
        self._delivered = np.zeros(self._cells.shape[1], np.bool_)
        self._waiting: list[
            TickBatch
        ] = []  # until somebody asks: many small batches cost one large one
        self._ticks_waiting = 0

    @classmethod
    def of(cls, state: BookState) -> Self:
        """Return the book that has taken this in; the arrays become its own.

        Raises:
            ValueError: an array has another shape than the session's instruments need.
        """
        book = cls(state.session)
        found, needed = state.cells.shape, book._cells.shape
        if found != needed or state.delivered.shape != needed[1:]:
            raise ValueError(f"the session needs cells of shape {needed}, found {found}")
        book.version, book.dropped = state.version, Counter(state.dropped)
        book._cells, book._delivered = state.cells, state.delivered
        return book

    def state(self) -> BookState:
        """Return all that was taken in, to be read only, and until the next batch."""
        self._settle()
        return BookState(
            session=self.session,
            version=self.version,
            dropped=dict(self.dropped),
            cells=self._cells,
            delivered=self._delivered,
        )

    def copy(self) -> FloatArray:
        """Return all cells kept, shape (KEPT, instruments + 1); nothing is known of the last column."""
        return self.cells().copy()

    def cells(self) -> FloatArray:
        """Return what :meth:`copy` returns, but to be read only, and until the next batch."""
        self._settle()
        return self._cells

    @property
    def has_ticked(self) -> bool:
        """Whether ticks have come since the cells were asked for."""
        return bool(self._waiting)

    def delivered(self) -> BoolArray:
        """Return which instruments the feed has delivered in this run, shape (instruments + 1,): to be read only."""
        self._settle()
        return self._delivered

    def tells_oi_prev(self, expiry: str) -> bool:
        """Say whether the previous session's open interest is known of any leg of an expiry."""
        is_told = self._told_prev.get(expiry)
        if is_told is None:
            column = self._cells[Cell.OI_PREV, self.layout.of(expiry).columns]
            is_told = self._told_prev[expiry] = not np.isnan(column).all()
        return is_told

    def adopt(self, session: Session) -> int:
        """Take in the same run's session table again; return how many instruments were added at its end.

        Raises:
            PoisonMessage: the table is not the one known with instruments added.
        """
        known = len(self.session.instruments.token)
        tokens = session.instruments.token
        if tokens[:known] != self.session.instruments.token:
            raise PoisonMessage(
                f"within a run instruments are only added: knew {known} of table {self.session.table}, "
                f"found {len(tokens)} others in table {session.table}"
            )
        self._settle()
        cells = _static(session)
        told = cells[_TOLD, :known]
        cells[:, :known] = self._cells[:, :known]
        cells[_TOLD, :known] = np.where(np.isnan(told), cells[_TOLD, :known], told)
        if len(tokens) > known:
            self._cells, self.layout = cells, layout_of(session.instruments)
            self._lots, self._is_index = lots(session), indices(session)
            self._delivered = ~np.isnan(cells[Cell.RECEIVED_US])
        else:
            self._cells[_TOLD] = cells[_TOLD]
        self.tells_oi_open = any(session.instruments.oi_open)
        self._told_prev = {}
        self.session, self.version = session, self.version + 1
        return len(tokens) - known

    def apply(self, batch: TickBatch) -> None:
        """Take in a batch; several ticks of one instrument count in their order.

        Raises:
            PoisonMessage: the batch belongs to another session table, or names an instrument that is not in it.
        """
        if batch.table != self.session.table:
            raise PoisonMessage(
                f"ticks of table {batch.table}, but the session's is {self.session.table}"
            )
        if not len(batch.records):
            return
        row = np.maximum.reduce(batch.records["row"])
        if row >= len(self.session.instruments.token):
            raise PoisonMessage(
                f"tick of row {row}, but the session has {len(self.session.instruments.token)}"
            )
        self.version += 1
        self._waiting.append(batch)
        self._ticks_waiting += len(batch.records)
        if self._ticks_waiting >= MOST_WAITING:
            self._settle()

    def _settle(self) -> None:
        """Bring the cells to where the batches stand."""
        if not self._waiting:
            return
        batches, self._waiting, self._ticks_waiting = self._waiting, [], 0
        ticks = _joined([batch.records for batch in batches])
        came_us = [float(batch.received_us) for batch in batches]
        received = np.repeat(came_us, [len(batch.records) for batch in batches])
        received += ticks["received_after_us"]
        day = _day_records(batches, len(ticks))
        compiled = loops()
        if compiled is not None and day is None:
            book = self._cells, self._delivered, self._is_index, self._lots
            drops = compiled.take_in(ticks, received, *book, _PLACES, _LIMITS)
            for why, count in zip(("absurd", "old", "doubtful"), drops, strict=True):
                if count:
                    self.dropped[why] += count
            return
        rows = ticks["row"]
        if not (rows[1:] > rows[:-1]).all():
            order = rows.argsort(kind="stable")
            ticks, received, day = _at(ticks, order), received[order], _of(day, order)
        sane = is_sane(ticks, self._is_index)
        if not sane.all():
            self.dropped["absurd"] += int((~sane).sum())
            ticks, received, day = ticks[sane], received[sane], _of(day, sane)
        self._take_in(ticks, received, day)

    def _take_in(
        self, ticks: npt.NDArray[np.void], received: FloatArray, day: FloatArray | None
    ) -> None:
        """Take in sane ticks by instrument, each one's in their order; ``day`` holds their day records in rupees, shape (n, 4).

        Where an instrument has several, the last assignment of a cell stays.
        """
        cells, rows = self._cells, ticks["row"].astype(np.intp)
        exchange, seq = ticks["exchange_us"].astype(np.float64), ticks["seq"].astype(np.float64)
        # An exchange's clock that jumped ahead once must not make all that follows look old.
        exchange = np.where(exchange > received + AHEAD_US, received, exchange)
        is_new = _is_new(rows, exchange, seq, cells[Cell.EXCHANGE_US, rows], cells[Cell.SEQ, rows])
        if not is_new.all():
            self.dropped["old"] += int((~is_new).sum())
            ticks, rows, received, day = (
                ticks[is_new],
                rows[is_new],
                received[is_new],
                _of(day, is_new),
            )
            exchange, seq = exchange[is_new], seq[is_new]
        cells[Cell.EXCHANGE_US, rows], cells[Cell.SEQ, rows] = exchange, seq
        cells[Cell.RECEIVED_US, rows] = received
        self._delivered[rows] = True
        flags = ticks["flags"]
        has_price = flags & TickFlag.PRICE > 0
        has_price &= ticks["ltp"] > 0  # a contract that never traded has a last price of 0
        self._trade(ticks, rows, _places(has_price))
        self._quote(ticks, rows, received, _places(flags & TickFlag.QUOTE > 0))
        at = _places(flags & TickFlag.VOLUME > 0)
        cells[Cell.VOLUME, rows[at]] = ticks["volume"][at]
        at = _places(flags & TickFlag.OI > 0)
        self._interest(ticks["oi"][at].astype(np.float64), rows[at], received[at])
        if day is not None:
            has = flags & TickFlag.DAY > 0
            for i, (cell, _) in enumerate(_DAY):
                cells[cell, rows[has]] = day[has, i]

    def _trade(self, ticks: npt.NDArray[np.void], rows: Rows, at: Rows) -> None:
        traded, into = ticks["traded_s"][at] * 1e6, rows[at]
        self._cells[Cell.LTP, into] = ticks["ltp"][at] / PAISE
        # A feed that does not say when the last trade was: it is as old as the frame that tells it.
        traded = np.where(traded > 0, traded, ticks["exchange_us"][at])
        self._cells[Cell.TRADED_US, into] = traded

    def _quote(
        self, ticks: npt.NDArray[np.void], rows: Rows, received: FloatArray, at: Rows
    ) -> None:
        into = rows[at]
        self._cells[Cell.BID, into] = ticks["bid"][at] / PAISE
        self._cells[Cell.ASK, into] = ticks["ask"][at] / PAISE
        self._cells[Cell.BID_QTY, into] = ticks["bid_qty"][at]
        self._cells[Cell.ASK_QTY, into] = ticks["ask_qty"][at]
        self._cells[Cell.QUOTED_US, into] = received[at]

    def _interest(self, now: FloatArray, at: Rows, seen: FloatArray) -> None:
        """Keep open interest, when it was last told, and when it last changed; a change is an event of its own."""
        cells, is_first = self._cells, _is_first(at)
        before = _before(is_first, cells[Cell.OI, at], now)
        is_sure = believed(
            at, now, before, oi=cells[Cell.OI], doubted=cells[Cell.OI_DOUBTED], lot=self._lots
        )
        if not is_sure.all():
            self.dropped["doubtful"] += int((~is_sure).sum())
            at, now, seen = at[is_sure], now[is_sure], seen[is_sure]
            is_first = _is_first(at)
            before = _before(is_first, cells[Cell.OI, at], now)
        moved = ((before != now) & ~np.isnan(before)).nonzero()[
            0
        ]  # the first value seen is no change
        cells[Cell.OI_CHANGED_US, at[moved]] = seen[moved]
        cells[Cell.OI, at] = now
        cells[Cell.OI_SEEN_US, at] = seen
        opened = (is_first & np.isnan(cells[Cell.OI_OPEN, at])).nonzero()[0]
        cells[Cell.OI_OPEN, at[opened]] = now[opened]


def _static(session: Session) -> FloatArray:
    """Return cells in which only what the session itself tells is known."""
    told = session.instruments
    cells = np.full((KEPT, len(told.token) + 1), np.nan)
    for cell, values in (
        (Cell.PREV_CLOSE, told.prev_close),
        (Cell.OI_PREV, told.oi_prev),
        (Cell.OI_OPEN, told.oi_open),
    ):
        cells[cell, :-1] = [np.nan if value is None else value for value in values]
    return cells


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
