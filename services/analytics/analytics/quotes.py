"""What the quote modes remember of a day: deals seen in ticks, and the opening range (pure)."""

from dataclasses import dataclass, field, replace

import numpy as np

from analytics.belief import MOST
from analytics.cells import Cell, known
from oimon import calendar
from oimon.core.chain import FloatArray
from oimon.core.day_range import OPENING_S
from oimon.core.tick_vwap import Dealt, dealt_on
from oimon.messages import TickBatch, TickFlag
from oimon.terms import Segment

PAISE = 100.0  # in a rupee
_TOLD = TickFlag.PRICE | TickFlag.VOLUME


@dataclass(frozen=True, slots=True)
class QuoteDay:
    """One instrument's day: what was dealt; low and high of the first 15 minutes and of 52 weeks in rupees, None where not seen."""

    dealt: Dealt = field(default_factory=Dealt)
    opening: tuple[float, float] | None = None
    year: tuple[float, float] | None = None


QuoteDays = dict[int, QuoteDay]
"""By the instrument's row in the session."""


def with_deals(before: QuoteDays, batch: TickBatch) -> QuoteDays:
    """Return the days after more ticks; a tick without a price, or with a price or a volume that no market has, is no deal."""
    ticks = batch.records
    is_told = (ticks["flags"] & _TOLD == _TOLD) & (ticks["ltp"] > 0)
    ticks = ticks[is_told & (ticks["volume"] >= 0) & (ticks["volume"] <= MOST)]
    after = dict(before)
    for row in np.unique(ticks["row"]).tolist():
        own, day = ticks[ticks["row"] == row], after.get(row, QuoteDay())
        price, volume = own["ltp"] / PAISE, own["volume"].astype(np.float64)
        after[row] = replace(day, dealt=dealt_on(day.dealt, price, volume))
    return after


def with_year(before: QuoteDays, batch: TickBatch) -> QuoteDays:
    """Return the days after more ticks: the range of 52 weeks as the feed tells it last; one that it does not tell is 0 there.

    Source: analytics specification, 10.2.
    """
    if batch.day is None:
        return before
    rows = batch.records["row"][batch.records["flags"] & TickFlag.DAY > 0]
    after = dict(before)
    told = zip(rows.tolist(), batch.day["low_52w"].tolist(), batch.day["high_52w"].tolist(), strict=True)  # fmt: skip
    for row, low, high in told:
        if 0 < low <= high:
            after[row] = replace(after.get(row, QuoteDay()), year=(low / PAISE, high / PAISE))
    return after


def with_opening(
    before: QuoteDays, cells: FloatArray, *, segment: Segment, ts_us: int
) -> QuoteDays:
    """Return the days after a beat: in the first 15 minutes the day's range so far is the opening range.

    Args:
        before: after the beat before.
        cells: the matrix, shape (COUNT, instruments + 1).
        segment: says when trading opens.
        ts_us: the beat.

    Source: analytics specification, 10.2.
    """
    since_us = ts_us - calendar.open_us(segment, calendar.day_of(ts_us))
    if not 0 <= since_us <= OPENING_S * 1e6:
        return before
    after = dict(before)
    for row in range(cells.shape[1] - 1):
        low, high = known(cells[Cell.DAY_LOW, row]), known(cells[Cell.DAY_HIGH, row])
        if low is not None and high is not None and low > 0:
            after[row] = replace(after.get(row, QuoteDay()), opening=(low, high))
    return after


def is_opening_over(segment: Segment, ts_us: int) -> bool:
    """Say whether the first 15 minutes have passed."""
    return ts_us > calendar.open_us(segment, calendar.day_of(ts_us)) + OPENING_S * 1e6
