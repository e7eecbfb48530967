"""Our dated table beside two public calendars; where they differ, a table here says why."""

import warnings
from datetime import date, time, timedelta
from types import MappingProxyType

import exchange_calendars
import pandas_market_calendars
import pytest

from oimon import calendar
from oimon.terms import MarketState, Segment

FIRST, LAST = date(2021, 1, 1), date(2026, 12, 31)
AUCTION = "since 3 August 2026 derivatives trade to 15:40, the cash market's continuous session ends 15:15"
MUHURAT = "Diwali: a holiday but for one hour in the evening, which one calendar takes for a day of trading"

EXPLAINED = MappingProxyType(
    {
        date(2021, 11, 4): MUHURAT,
        date(2022, 10, 24): MUHURAT,
        date(2024, 11, 1): MUHURAT,
        date(2025, 10, 21): MUHURAT,
    }
)
"""Weekdays on which a public calendar may say something else than ours, and why."""


def weekdays(first, last):
    days = (first + timedelta(days=n) for n in range((last - first).days + 1))
    return {day for day in days if day.weekday() < 5}


def bombay():
    """Days on which exchange_calendars' Bombay trades."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about a later pandas
        found = exchange_calendars.get_calendar("XBOM", start=FIRST, end=LAST)
    return {day.date() for day in found.sessions}, found.opens.iloc[-1], found.closes.iloc[-1]


def nse():
    """Days on which pandas_market_calendars' NSE trades."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pandas_market_calendars.get_calendar("NSE").schedule(FIRST, LAST)
    last = found.iloc[-1]
    return {day.date() for day in found.index}, last["market_open"], last["market_close"]


@pytest.mark.parametrize("others", [bombay, nse])
def test_trading_days_are_those_of_a_public_calendar(others):
    theirs, _, _ = others()

    for segment in (Segment.NFO, Segment.BFO, Segment.NSE):
        ours = {
            day
            for day in weekdays(FIRST, LAST)
            if MarketState.OPEN in {state for _, state in calendar.schedule(segment, day)}
        }
        assert (ours ^ theirs) <= EXPLAINED.keys()
    assert {day.weekday() for day in theirs} == set(
        range(5)
    )  # of special Sundays they know nothing


def test_each_difference_that_is_explained_is_one():
    (bombay_days, _, _), (nse_days, _, _) = bombay(), nse()

    assert bombay_days ^ nse_days == EXPLAINED.keys()
    assert all(calendar.is_trading_day(Segment.NFO, day) is None for day in EXPLAINED)


@pytest.mark.parametrize("others", [bombay, nse])
def test_hours_differ_from_a_public_calendar_s_by_what_the_auction_changed(others):
    _, opens, closes = others()
    before, after = date(2026, 7, 31), date(2026, 8, 3)

    theirs = [at.tz_convert("Asia/Kolkata").time() for at in (opens, closes)]

    assert theirs == [time(9, 15), time(15, 30)]
    for day, close, why in ((before, time(15, 30), None), (after, time(15, 40), AUCTION)):
        opened = next(at for at, s in calendar.schedule(Segment.NFO, day) if s is MarketState.OPEN)
        assert opened == calendar.instant_us(day, theirs[0])
        assert calendar.close_us(Segment.NFO, day) == calendar.instant_us(day, close), why


def test_the_table_ends_where_its_lists_end():
    year = date(2027, 1, 1)

    assert all(calendar.is_trading_day(Segment.NFO, day) is None for day in weekdays(year, date(2027, 12, 31)))  # fmt: skip
    assert "2027" in (calendar.warning(year) or "")


def test_a_year_whose_commodity_holidays_are_not_known_is_unknown_on_mcx_only():
    day = date(2025, 8, 5)

    assert calendar.is_trading_day(Segment.NFO, day) is True
    assert calendar.is_trading_day(Segment.MCX, day) is None
