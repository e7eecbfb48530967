"""What the broker's ``getCandleData`` and ``getOIData`` say: the feed's minutes so far, gathered (pure). Source: smartapi, 2.4."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby

from ingest.fakebroker.market import MINUTE_US, Market, Minute
from ingest.fakebroker.subscriptions import Name
from oimon import calendar
from oimon.calendar import IST
from oimon.terms import Segment

INTERVALS = {
    "ONE_MINUTE": (1, 30),
    "THREE_MINUTE": (3, 60),
    "FIVE_MINUTE": (5, 100),
    "TEN_MINUTE": (10, 100),
    "FIFTEEN_MINUTE": (15, 200),
    "THIRTY_MINUTE": (30, 200),
    "ONE_HOUR": (60, 400),
    "ONE_DAY": (1440, 2000),
}
"""Minutes of a candle, and days of the longest span."""
_OPENS = time(9, 15)
_FORM = "%Y-%m-%d %H:%M"
_FORM_LENGTH = 16
_A_DAY = 1440


class BadFormError(ValueError):
    """A date is not written as the broker wants it: it answers HTTP 400."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A request for history, read."""

    minutes: int
    from_us: int
    to_us: int


def span(interval: str, fromdate: str, todate: str) -> Span | None:
    """Return what is asked for; ``None``: the broker's "something went wrong", for a bad interval or range.

    Raises:
        BadFormError: a date does not read like 2026-08-18 09:15.
    """
    start, end = _read(fromdate), _read(todate)
    if interval not in INTERVALS:
        return None
    minutes, most_days = INTERVALS[interval]
    if start >= end or end - start > timedelta(days=most_days):
        return None
    return Span(minutes=minutes, from_us=_us(start), to_us=_us(end))


def candles(market: Market, name: Name, wanted: Span) -> list[list[str | float | int]]:
    """Return rows of start, open, high, low, close in rupees, and volume of the candle in units."""
    rows: list[list[str | float | int]] = []
    before = 0
    for start_us, found in _gathered(market, name, wanted.minutes):
        volume, before = found[-1].volume - before, found[-1].volume
        if wanted.from_us <= found[0].at_us <= wanted.to_us:
            prices = (
                found[0].open,
                max(minute.high for minute in found),
                min(minute.low for minute in found),
                found[-1].close,
            )
            rows.append([_text(start_us), *(price / 100 for price in prices), volume])
    return rows


def open_interest(market: Market, name: Name, wanted: Span) -> list[dict[str, str | int]]:
    """Return open interest at the end of each interval, in units; of the session before, its last."""
    listed = market.listed[name]
    if not listed.row.expiry:
        return []  # of shares and indices there is none
    found = [
        (start_us, minutes[0].at_us, minutes[-1].oi)
        for start_us, minutes in _gathered(market, name, wanted.minutes)
    ]
    closed_us = _closed_before_us(listed.row.exch_seg, market.date)
    if listed.oi_prev is not None and closed_us is not None:
        at_us = closed_us - wanted.minutes % _A_DAY * MINUTE_US
        found.insert(0, (at_us, at_us, listed.oi_prev))
    return [
        {"time": _text(start_us), "oi": oi}
        for start_us, at_us, oi in found
        if wanted.from_us <= at_us <= wanted.to_us
    ]


def _gathered(market: Market, name: Name, minutes: int) -> Iterator[tuple[int, Sequence[Minute]]]:
    """Give the minutes of each interval, counted from the market's opening, with the interval's start."""
    opens_us = calendar.instant_us(date.fromisoformat(market.date), _OPENS)
    if minutes == _A_DAY:
        opens_us = calendar.instant_us(date.fromisoformat(market.date), time())
    step_us = minutes * MINUTE_US

    def start_us(minute: Minute) -> int:
        return opens_us + (minute.at_us - opens_us) // step_us * step_us

    for at_us, found in groupby(market.minutes(name), start_us):
        yield at_us, list(found)


def _closed_before_us(exchange: str, day: str) -> int | None:
    """Return when the session before a day closed; ``None``: the calendar does not know."""
    segment = Segment(exchange)
    before = calendar.previous_trading_day(segment, date.fromisoformat(day))
    return None if before is None else calendar.close_us(segment, before)


def _read(text: str) -> datetime:
    if len(text) != _FORM_LENGTH:
        raise BadFormError(text)
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=IST)
    except ValueError as error:
        raise BadFormError(text) from error


def _us(at: datetime) -> int:
    return round(at.timestamp()) * 1_000_000


def _text(at_us: int) -> str:
    return datetime.fromtimestamp(at_us / 1e6, UTC).astimezone(IST).isoformat(timespec="seconds")
