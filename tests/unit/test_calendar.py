"""The dated table and what is read from it."""

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon import calendar
from oimon.terms import MarketState, Segment


def us(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=calendar.IST).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("segment", "at", "state"),
    [
        (Segment.NFO, "2026-11-18T09:14:59", MarketState.PREOPEN),
        (Segment.NFO, "2026-11-18T09:15:00", MarketState.OPEN),
        (Segment.BFO, "2026-11-18T15:15:00", MarketState.OPEN_CAS),
        (Segment.NFO, "2026-11-18T15:40:00", MarketState.CLOSED),
        (Segment.NFO, "2026-07-31T15:29:59", MarketState.OPEN),
        (Segment.NFO, "2026-07-31T15:30:00", MarketState.CLOSED),
        (Segment.NSE, "2026-11-18T15:36:00", MarketState.TRANSITION),
        (Segment.NSE, "2026-11-18T16:00:00", MarketState.CLOSED),
        (Segment.MCX, "2026-11-24T10:00:00", MarketState.CLOSED),
        (Segment.MCX, "2026-11-24T18:00:00", MarketState.OPEN),
        (Segment.MCX, "2026-01-01T17:00:00", MarketState.CLOSED),
        (Segment.MCX, "2026-12-25T18:00:00", MarketState.CLOSED),
        (Segment.MCX, "2027-03-15T23:29:59", MarketState.UNKNOWN),
        (Segment.MCX, "2027-03-15T23:30:00", MarketState.CLOSED),
    ],
)
def test_a_boundary_belongs_to_the_later_state(segment, at, state):
    assert calendar.market_state(segment, us(at)) is state


def test_india_is_five_and_a_half_hours_ahead():
    utc = datetime.fromisoformat("2026-11-18T03:45:00+00:00")

    assert calendar.instant_us(date(2026, 11, 18), time(9, 15)) == utc.timestamp() * 1e6


def test_an_unconfirmed_session_is_not_in_force():
    assert calendar.close_us(Segment.NFO, date(2026, 12, 8)) == us("2026-12-08T15:40:00")


def test_a_year_without_holidays_is_unknown_in_session_only():
    assert calendar.market_state(Segment.NFO, us("2027-03-15T11:00:00")) is MarketState.UNKNOWN
    assert calendar.market_state(Segment.NFO, us("2027-03-15T03:00:00")) is MarketState.CLOSED
    assert calendar.market_state(Segment.NFO, us("2027-03-14T11:00:00")) is MarketState.CLOSED
    assert calendar.is_trading_day(Segment.NFO, date(2027, 3, 15)) is None


def test_a_warning_names_the_year_that_is_missing():
    assert calendar.warning(date(2026, 11, 18)) is None
    assert "2027" in calendar.warning(date(2027, 1, 4))


def test_a_special_session_without_times_is_unknown():
    assert calendar.market_state(Segment.NFO, us("2026-11-08T18:00:00")) is MarketState.UNKNOWN


def test_trading_days_leave_out_holidays_and_weekends():
    week = [date(2026, 11, 21) + timedelta(days=n) for n in range(5)]

    assert [calendar.is_trading_day(Segment.NFO, day) for day in week] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_session_length_follows_the_date():
    assert calendar.session_s(Segment.NFO, date(2026, 8, 3)) == 23_100
    assert calendar.session_s(Segment.NFO, date(2026, 7, 31)) == 22_500
    assert calendar.session_s(Segment.MCX, date(2026, 10, 30)) == 52_200
    assert calendar.session_s(Segment.MCX, date(2026, 11, 2)) == 53_700


def test_time_to_expiry_ends_at_the_close_of_the_expiry_day():
    expiry = date(2026, 8, 18)

    assert calendar.time_to_expiry(Segment.NFO, expiry, us("2026-08-18T15:39:00")) == 60
    assert calendar.time_to_expiry(Segment.NFO, expiry, us("2026-08-18T15:41:00")) == -60


def test_positions_may_be_entered_until_two_on_the_expiry_day():
    day = date(2026, 11, 18)

    first, last = calendar.entry_window(Segment.NFO, day, is_expiry=False)
    assert (first, last) == (us("2026-11-18T09:20:00"), us("2026-11-18T14:45:00"))
    assert calendar.entry_window(Segment.NFO, day, is_expiry=True)[1] == us("2026-11-18T14:00:00")
    first, last = calendar.entry_window(Segment.MCX, day, is_expiry=False)
    assert (first, last) == (us("2026-11-18T09:05:00"), us("2026-11-18T23:10:00"))


def test_square_off_comes_before_the_closing_auction():
    day = date(2026, 11, 18)

    assert calendar.square_off_us(Segment.NFO, day) == us("2026-11-18T15:10:00")
    assert calendar.square_off_us(Segment.MCX, day) == us("2026-11-18T23:40:00")


def test_a_day_without_trading_has_the_hours_that_it_would_have():
    day = date(2026, 11, 24)

    assert calendar.entry_window(Segment.NFO, day, is_expiry=False)[1] == us("2026-11-24T14:45:00")
    assert calendar.square_off_us(Segment.NFO, day) == us("2026-11-24T15:10:00")


@pytest.fixture
def short_session(monkeypatch):
    """A special session of one hour on a Sunday, as an operator adds it."""
    day = date(2026, 11, 8)
    states = [["13:45", MarketState.OPEN], ["14:45", MarketState.CLOSED]]
    special = [{"day": day, "segments": ["NFO", "MCX"], "states": states}]
    table = {**calendar._table(), "special": special}
    cached = (calendar.schedule, calendar.entry_window, calendar.square_off_us)
    with monkeypatch.context() as patched:
        patched.setattr(calendar, "_table", lambda: table)
        for function in cached:
            function.cache_clear()
        yield day
    for function in cached:
        function.cache_clear()


@pytest.mark.parametrize("segment", [Segment.NFO, Segment.MCX])
def test_positions_are_closed_before_a_short_session_ends(short_session, segment):
    _, last = calendar.entry_window(segment, short_session, is_expiry=False)

    assert last == us("2026-11-08T14:00:00")
    assert calendar.square_off_us(segment, short_session) == us("2026-11-08T14:30:00")


def test_before_the_closing_auction_came_the_hours_were_the_same():
    day = date(2026, 7, 31)

    assert calendar.entry_window(Segment.NFO, day, is_expiry=False)[1] == us("2026-07-31T14:45:00")
    assert calendar.square_off_us(Segment.NFO, day) == us("2026-07-31T15:10:00")


def test_next_expiry_moves_off_a_holiday():
    assert calendar.next_expiry("NIFTY", date(2026, 11, 18)) == date(2026, 11, 23)
    assert calendar.next_expiry("BANKNIFTY", date(2026, 11, 24)) == date(2026, 12, 29)
    assert calendar.next_expiry("SENSEX", date(2026, 12, 25)) == date(2026, 12, 31)
    assert calendar.next_expiry("NIFTY", date(2026, 11, 24)) == date(2026, 12, 1)
    assert calendar.next_expiry("BANKNIFTY", date(2026, 12, 1)) == date(2026, 12, 29)


def test_expiry_days_are_known_from_the_day_on_which_they_were_changed():
    assert calendar.next_expiry("NIFTY", date(2025, 8, 31)) is None
    assert calendar.next_expiry("NIFTY", date(2025, 9, 1)) == date(2025, 9, 2)
    assert calendar.next_expiry("SENSEX", date(2025, 9, 1)) == date(2025, 9, 4)


def test_an_index_is_traded_with_its_exchange_a_share_on_nse():
    assert calendar.segment_of("SENSEX") is Segment.BFO
    assert calendar.segment_of("NIFTY") is calendar.segment_of("RELIANCE") is Segment.NFO


def test_what_the_table_does_not_know_is_none():
    assert calendar.next_expiry("NIFTY", date(2026, 12, 30)) is None  # would fall in 2027
    assert calendar.next_expiry("NIFTY", date(2027, 1, 5)) is None
    assert calendar.next_expiry("SILVERMIC", date(2026, 11, 18)) is None
    assert calendar.lot_size("NIFTY", date(2025, 8, 5), date(2025, 8, 5)) is None
    assert calendar.lot_size("NIFTY", date(2026, 8, 18), date(2026, 8, 18)) == 65


def test_a_lot_is_not_known_of_a_day_before_it_came_into_force():
    june = date(2026, 6, 30)

    assert calendar.lot_size("NIFTY", june, date(2026, 1, 30)) == 65
    assert calendar.lot_size("NIFTY", june, date(2025, 8, 5)) is None  # 75 a contract then


@given(
    on=st.dates(date(2024, 1, 1), date(2030, 1, 1)),
    weekday=st.integers(0, 4),
    offsets=st.sets(st.integers(0, 20), max_size=4),
)
def test_a_weekly_expiry_is_a_trading_day_not_in_the_past(on, weekday, offsets):
    holidays = {on + timedelta(days=n) for n in offsets}

    found = calendar.weekly_expiry(on, weekday, holidays)

    assert found not in holidays
    assert found.weekday() < 5
    assert on <= found


def test_a_day_begins_at_midnight_in_india():
    assert calendar.day_of(us("2026-11-18T00:00:00")) == date(2026, 11, 18)
    assert calendar.day_of(us("2026-11-18T00:00:00") - 1) == date(2026, 11, 17)


@given(st.integers(0, 2**51))
def test_the_day_of_an_instant_is_indias(ts_us):
    day = calendar.day_of(ts_us)

    assert calendar.instant_us(day, time(0)) <= ts_us
    assert ts_us < calendar.instant_us(day + timedelta(days=1), time(0))


def test_the_day_before_is_the_last_one_of_trading_and_unknown_beyond_the_table():
    assert calendar.previous_trading_day(Segment.NFO, date(2026, 11, 25)) == date(2026, 11, 23)
    assert calendar.previous_trading_day(Segment.NFO, date(2026, 11, 20)) == date(2026, 11, 19)
    assert calendar.previous_trading_day(Segment.NFO, date(2027, 3, 16)) is None
