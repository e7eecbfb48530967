"""The quote board of sessions without option analysis: shares, commodities (pure)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from analytics.cells import Cell, known
from analytics.commodity import OFF, OFF_BY_DEFAULT, TOO_THIN
from analytics.quotes import QuoteDay, is_opening_over
from analytics.run import Run
from oimon.core.build_up import future_bands, one_build_up
from oimon.core.chain import FloatArray
from oimon.core.day_range import range_broken, range_position
from oimon.messages import Beat, Quote, QuoteBoard, Session
from oimon.terms import Kind, Segment

_OFF_SHARES = "open interest, option analysis and coaches: shares have none"
_DAY = (Cell.DAY_OPEN, Cell.DAY_LOW, Cell.DAY_HIGH, Cell.DAY_AVERAGE)
_NO_DAY = "the feed has told no day's range of it"
_NO_OPENING = "the feed told no day's range of it in the first 15 minutes"
_NO_YEAR = "the feed tells no range of 52 weeks"
_WHY: Mapping[str, str] = MappingProxyType(
    {
        "ltp": "it has not traded",
        "bid": "nobody bids, or the feed shows no book of it",
        "ask": "nobody asks, or the feed shows no book of it",
        "volume": "the feed tells none of it",
        "oi": "it has none, or the feed tells none of it",
        "change_pct": "it has not traded, or the session does not tell the previous close",
        "gap_pct": "the feed has told no open of it, or the session no previous close",
        "vwap": "no trade of it was seen",
        "low": _NO_DAY,
        "high": _NO_DAY,
        "range_position": f"{_NO_DAY}, or one of no width",
        "age_ms": "nothing of it has come",
        "oi_change_day": "its open interest, or that at the previous close, is not known",
        "build_up": "it is no future, is not asked for (MCX_OI), or its history is younger than 5 minutes",
        "calendar_spread": "it is not the near future, or a later one has no price",
        "opening_low": _NO_OPENING,
        "opening_high": _NO_OPENING,
        "opening_broken": "it is inside, the first 15 minutes are not over, or their range is not known",
        "low_52w": _NO_YEAR,
        "high_52w": _NO_YEAR,
        "position_52w": f"{_NO_YEAR}, or one of no width",
    }
)
_NO_OPTIONS = "option analysis and coaches: the session has no options"


def quote_board(run: Run, beat: Beat, cells: FloatArray) -> QuoteBoard:
    """Return one row for each instrument that the feed has delivered.

    Args:
        run: whose session names things.
        beat: what is answered.
        cells: the matrix at that beat, shape (COUNT, instruments + 1).

    Source: messages-sketch (QuoteBoard); analytics specification, 10.
    """
    session = run.book.session
    rows = _quotes(run, beat, cells, range(len(session.instruments.symbol)))
    return QuoteBoard(
        ts_us=beat.ts_us,
        run=session.run,
        mode=session.mode,
        segment=session.segment,
        underlying=session.underlying,
        off=_off(session),
        rows=rows,
        why_null=why_null(rows),
    )


def future_quotes(run: Run, beat: Beat, cells: FloatArray) -> list[Quote]:
    """Return the rows of a commodity's futures, nearest first; arguments as of :func:`quote_board`."""
    return _quotes(run, beat, cells, run.book.layout.futures)


def why_null(rows: Sequence[Quote]) -> dict[str, str]:
    """Return, of each field that is null in some row, why one is."""
    return {
        name: why for name, why in _WHY.items() if any(getattr(row, name) is None for row in rows)
    }


def _off(session: Session) -> list[str]:
    """Return what is off in the session's mode, each with its reason. Source: requirement R178."""
    if session.segment is Segment.NSE:
        return [_OFF_SHARES]
    if session.segment is not Segment.MCX:
        return [_NO_OPTIONS]
    return [OFF, TOO_THIN if session.mcx_oi else OFF_BY_DEFAULT]


def _quotes(run: Run, beat: Beat, cells: FloatArray, rows: Iterable[int]) -> list[Quote]:
    delivered = run.book.delivered()
    return [
        _quote(run, i, cells[:, i], beat.ts_us, spread=_calendar_spread(run, i, cells))
        for i in rows
        if delivered[i]
    ]


def _quote(run: Run, row: int, cells: FloatArray, now_us: int, *, spread: float | None) -> Quote:
    """Return one row from an instrument's cells, shape (COUNT,)."""
    ltp, close, received_us = (known(cells[c]) for c in (Cell.LTP, Cell.PREV_CLOSE, Cell.RECEIVED_US))  # fmt: skip
    # a feed that tells none, as before the day's first trade, says 0
    opened, low, high, average = (known(cells[c]) or None for c in _DAY)
    day, told = run.quotes.get(row, QuoteDay()), run.book.session
    opening, year = day.opening or (None, None), day.year or (None, None)
    is_over = is_opening_over(told.segment, now_us)
    return Quote(
        symbol=told.instruments.symbol[row],
        ltp=ltp,
        bid=known(cells[Cell.BID]),
        ask=known(cells[Cell.ASK]),
        volume=_count(cells[Cell.VOLUME]),
        oi=_count(cells[Cell.OI]),
        change_pct=_change_pct(ltp, close),
        gap_pct=_change_pct(opened, close),
        vwap=day.dealt.vwap if average is None else average,
        low=low,
        high=high,
        range_position=range_position(ltp, low, high),
        age_ms=None if received_us is None else max(0, int(now_us - received_us)) // 1000,
        oi_change_day=_count(cells[Cell.OI_CHANGE_DAY]),
        build_up=_build_up(run, row, cells),
        calendar_spread=spread,
        opening_low=opening[0],
        opening_high=opening[1],
        opening_broken=range_broken(ltp, *opening) if is_over else None,
        low_52w=year[0],
        high_52w=year[1],
        position_52w=range_position(ltp, *year),
    )


def _build_up(run: Run, row: int, cells: FloatArray) -> str | None:
    """Return the class of a future over the short-term window, None where it is none, is not asked for, or a value is missing.

    Without options there is no volatility, so the price's dead-band is that of its size and ticks alone.

    Source: analytics specification, 5.1 and 10.1.
    """
    told = run.book.session.instruments
    mark, moved = known(cells[Cell.MARK]), known(cells[Cell.PRICE_CHANGE_15M])
    oi, flowed = known(cells[Cell.OI]), known(cells[Cell.OI_CHANGE_15M])
    if not _is_classified(run, row) or mark is None or moved is None:
        return None
    if oi is None or flowed is None:
        return None
    price_band, oi_band = future_bands(
        mark - moved, oi - flowed, lot=told.lot[row], tick=told.tick[row], em_w=None
    )
    return one_build_up(moved, flowed, price_band=price_band, oi_band=oi_band).value


def _is_classified(run: Run, row: int) -> bool:
    """Say whether an instrument is a future whose build-up is told: a commodity's only by ``MCX_OI``."""
    session = run.book.session
    is_on = session.mcx_oi or session.segment is not Segment.MCX
    return is_on and session.instruments.kind[row] is Kind.FUT


def _calendar_spread(run: Run, row: int, cells: FloatArray) -> float | None:
    """Return the next future's price less the near one's, on the near one's row. Source: specification, 10.1."""
    told = run.book.session
    live = [f for f in run.book.layout.futures if (told.instruments.expiry[f] or "") >= told.date]
    if len(live) < 2 or row != live[0]:
        return None
    near, later = (known(cells[Cell.LTP, future]) for future in live[:2])
    return None if near is None or later is None else later - near


def _change_pct(now: float | None, then: float | None) -> float | None:
    return 100.0 * (now - then) / then if now is not None and then else None


def _count(value: float) -> int | None:
    return None if math.isnan(value) else int(value)
