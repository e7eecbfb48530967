"""The quote board of sessions without option analysis: shares, commodities (pure)."""

import math

from analytics.book import ChainBook
from analytics.cells import Cell, known
from oimon.core.chain import FloatArray
from oimon.core.day_range import range_position
from oimon.messages import Beat, Quote, QuoteBoard
from oimon.terms import Segment

_OFF = {
    Segment.MCX: ["option analysis and coaches: not made for commodities"],
    Segment.NSE: ["open interest, option analysis and coaches: shares have none"],
}
_NO_OPTIONS = ["option analysis and coaches: the session has no options"]


def quote_board(book: ChainBook, beat: Beat) -> QuoteBoard:
    """Return one row for each instrument that the feed has delivered.

    Source: messages-sketch (QuoteBoard); analytics specification, 10.
    """
    session, cells, delivered = book.session, book.copy(), book.delivered()
    rows = [
        _quote(symbol, cells[:, i], beat.ts_us)
        for i, symbol in enumerate(session.instruments.symbol)
        if delivered[i]
    ]
    return QuoteBoard(
        ts_us=beat.ts_us,
        run=session.run,
        mode=session.mode,
        segment=session.segment,
        underlying=session.underlying,
        off=_OFF.get(session.segment, _NO_OPTIONS),
        rows=rows,
    )


def _quote(symbol: str, cells: FloatArray, now_us: int) -> Quote:
    """Return one row from an instrument's cells, shape (KEPT,)."""
    ltp, close, opened = (known(cells[c]) for c in (Cell.LTP, Cell.PREV_CLOSE, Cell.DAY_OPEN))
    low, high = known(cells[Cell.DAY_LOW]), known(cells[Cell.DAY_HIGH])
    received_us = known(cells[Cell.RECEIVED_US])
    return Quote(
        symbol=symbol,
        ltp=ltp,
        bid=known(cells[Cell.BID]),
        ask=known(cells[Cell.ASK]),
        volume=_count(cells[Cell.VOLUME]),
        oi=_count(cells[Cell.OI]),
        change_pct=_change_pct(ltp, close),
        gap_pct=_change_pct(opened, close),
        vwap=known(cells[Cell.DAY_AVERAGE]),
        low=low,
        high=high,
        range_position=range_position(ltp, low, high),
        age_ms=None if received_us is None else int(now_us - received_us) // 1000,
    )


def _change_pct(now: float | None, then: float | None) -> float | None:
    return 100.0 * (now - then) / then if now is not None and then else None


def _count(value: float) -> int | None:
    return None if math.isnan(value) else int(value)
