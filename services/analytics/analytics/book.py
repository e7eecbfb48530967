"""The chain as it stands: ticks go in, a copy comes out. The only mutable state of market data here."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

import numpy as np

from analytics.belief import indices, lots
from analytics.cells import KEPT, Cell
from analytics.intake import take_in
from analytics.layout import Layout, layout_of
from oimon.core.chain import BoolArray, FloatArray
from oimon.errors import PoisonMessage
from oimon.messages import Session, TickBatch

MOST_WAITING = 16_384  # ticks, 1 MB
_TOLD = [Cell.PREV_CLOSE, Cell.OI_PREV, Cell.OI_OPEN]
"""Cells that the session itself tells, sometimes later than its instruments."""


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
        ``absurd`` (beyond any sane value) and ``doubtful`` (open interest that leapt, told once, also against the previous close)."""
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
        drops = take_in(
            batches, self._cells, self._delivered, is_index=self._is_index, lots=self._lots
        )
        for why, count in zip(("absurd", "old", "doubtful"), drops, strict=True):
            if count:
                self.dropped[why] += count


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
