"""From when changes of open interest count, and what a chain changed since, anchor by anchor (pure).

Source: analytics specification, 1.3; requirement B02.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from analytics.book import ChainBook
from analytics.cells import WINDOWS, Cell
from analytics.history import Oldest, RollingTicks
from analytics.layout import ExpiryLayout
from analytics.situation import CHAINS_KEPT, ChainCells
from oimon import calendar
from oimon.core import fast
from oimon.core.compare import reaches
from oimon.core.oi import MIN_WINDOW_S
from oimon.messages import OiAnchor
from oimon.terms import Segment

NAMES: Mapping[int, str] = {
    Cell.OI_CHANGE_DAY: "day",
    Cell.OI_CHANGE_OPEN: "open",
    Cell.OI_CHANGE_3M: "3m",
    Cell.OI_CHANGE_5M: "5m",
    Cell.OI_CHANGE_15M: "15m",
    Cell.OI_CHANGE_30M: "30m",
}
"""Name of each change's anchor, in the order of the cells."""
_FIRST, _LAST = min(NAMES), max(NAMES)


class Base(NamedTuple):
    """What one change counts from: the instant in epoch seconds and who says so, None where there is nothing to count from."""

    at_s: float | None = None
    source: str | None = None
    is_partial: bool = False


def anchors(rows: ChainCells, counted_from: Sequence[Base]) -> list[OiAnchor]:
    """Return the anchors of one chain with the totals of its calls and puts.

    Args:
        rows: the chain.
        counted_from: of each change of ``NAMES``, in order.
    """
    return [
        OiAnchor(
            name=name,
            at_us=None if base.at_s is None else round(base.at_s * 1e6),
            source=base.source,
            is_partial=base.is_partial,
            legs=legs,
            ce_change=calls,
            pe_change=puts,
        )
        for name, base, (legs, calls, puts) in zip(
            NAMES.values(), counted_from, _totals(rows), strict=True
        )
    ]


@lru_cache(maxsize=CHAINS_KEPT)
def _totals(rows: ChainCells) -> list[tuple[int, float | None, float | None]]:
    """Return, of each change, how many legs have it, and the sums of calls and of puts, None where none has."""
    found = np.empty((len(NAMES), 4))
    if fast.loops is not None:
        fast.loops.totals(rows.cells, _FIRST, found)
    else:
        changes = rows.cells[_FIRST : _LAST + 1]
        is_known = changes == changes  # noqa: PLR0124 - only NaN is unlike itself
        found[:, :2] = np.add.reduce(is_known, axis=2, dtype=np.float64)
        found[:, 2:] = np.add.reduce(np.where(is_known, changes, 0.0), axis=2)
    return [
        (int(ce_legs + pe_legs), ce if ce_legs else None, pe if pe_legs else None)
        for ce_legs, pe_legs, ce, pe in found.tolist()
    ]


def window_bases(history: RollingTicks, now_s: float) -> list[Base]:
    """Return what the changes over the windows count from: a sample, or nothing where the history is younger."""
    found = []
    for window_s in WINDOWS.values():
        at_s = history.base_s(now_s, window_s)
        if at_s is None:
            found.append(Base())
        else:
            found.append(Base(at_s, f"sample of {now_s - at_s:.0f} s ago"))
    return found


def bases(
    book: ChainBook, history: RollingTicks, windows: Sequence[Base], expiry: str, *, now_s: float
) -> list[Base]:
    """Return what the changes of one expiry's chain count from.

    Args:
        book: whose session names the source.
        history: of all instruments.
        windows: of :func:`window_bases`.
        expiry: ISO day.
        now_s: the beat.
    """
    session = book.session
    first_s = _first_s(history.oldest, book.layout.of(expiry))
    if first_s == np.inf:
        return [Base()] * len(NAMES)
    close_s = previous_close_s(session.segment, session.date)
    day = (
        Base(close_s, f"previous close, as {session.source} tells it")
        if book.tells_oi_prev(expiry)
        else Base()
    )
    is_told = book.tells_oi_open
    first = Base(
        _open_s(session.segment, session.date) if is_told else first_s,
        f"first of the day, as {session.source} tells it" if is_told else "first seen in this run",
    )
    young = Base()
    if reaches(now_s - first_s, MIN_WINDOW_S):
        young = Base(first_s, "oldest seen: the history is younger", is_partial=True)
    # a sample from before the expiry's first leg was seen is none of its
    since = [young if base.at_s is None or base.at_s < first_s else base for base in windows]
    return [day, first, *since]


@lru_cache(
    maxsize=4096
)  # of an exchange's expiries: what was first seen of an instrument never changes
def _first_s(oldest: Oldest, expiry: ExpiryLayout) -> float:
    """Return since when any leg of an expiry is known, infinity where none is."""
    return float(np.fmin.reduce(oldest.at_s[expiry.columns], axis=None, initial=np.inf))


def page_bases(name: str, close_s: float | None = None, *, tells_day: bool = True) -> list[Base]:
    """Return what changes count from on a page of NSE's, which tells the day's alone, or in a CSV that may not even tell that.

    Args:
        name: of the page.
        close_s: of :func:`previous_close_s`.
        tells_day: it has a change since the previous close.
    """
    day = Base(close_s, f"previous close, as {name} tells it") if tells_day else Base()
    return [day, *[Base()] * (len(NAMES) - 1)]


@lru_cache(maxsize=256)
def _open_s(segment: Segment, iso_day: str) -> float:
    """Return when a day's session opens, in epoch seconds."""
    return calendar.open_us(segment, date.fromisoformat(iso_day)) / 1e6


@lru_cache(maxsize=256)
def previous_close_s(segment: Segment, iso_day: str) -> float | None:
    """Return when the session before a day closed, in epoch seconds, None where the calendar does not know it."""
    before = calendar.previous_trading_day(segment, date.fromisoformat(iso_day))
    return None if before is None else calendar.close_us(segment, before) / 1e6
