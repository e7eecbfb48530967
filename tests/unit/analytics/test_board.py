"""The quote board of shares and commodities: what it says of a day, tick by tick."""

from dataclasses import asdict, replace

import pytest

from analytics.keeping import KEEPING
from oimon import calendar, codec
from oimon.messages import Instruments, TickFlag
from oimon.terms import FeedState, Kind, MarketState, Segment
from tests.unit.analytics.days import (
    START_US,
    Tape,
    day_records,
    make_batch,
    make_session,
    make_ticks,
)

OPEN_S = (calendar.open_us(Segment.MCX, calendar.day_of(START_US)) - START_US) // 1_000_000
PLAIN = TickFlag.PRICE | TickFlag.VOLUME
FUTURE, LATER = 1, 2


def commodity():
    """A session of an index, its near future and the next one."""
    session = make_session(segment=Segment.MCX, strikes=0, expiries=())
    told = session.instruments
    added = {
        "token": "2000", "symbol": "NIFTY29SEP26FUT", "kind": Kind.FUT, "expiry": "2026-09-29", "strike": None,
        "lot": 65, "tick": 0.05, "prev_close": None, "oi_prev": None, "oi_open": None,
    }  # fmt: skip
    columns = {name: [*getattr(told, name), value] for name, value in added.items()}
    columns["oi_prev"][FUTURE] = 6_500_000
    return replace(session, instruments=Instruments(**columns), mcx_oi=True)


class Day:
    """A tape that ticks and beats by the second."""

    def __init__(self):
        self.session, self.tape, self.seq = commodity(), Tape(), 0
        self.tape.put(self.session)

    def tick(self, second, row=FUTURE, *, flags=PLAIN, day=None, **fields):
        self.seq += 1
        at_us = START_US + second * 1_000_000
        ticks = make_ticks(self.session, [row], at_us, seq=self.seq, flags=flags, **fields)
        self.tape.put(make_batch(self.session, ticks, at_us, day))

    def rows(self, second):
        board = self.tape.beat(second, market=MarketState.OPEN, feed=FeedState.OK)
        return {row.symbol: row for row in board.rows}

    def future(self, second):
        return self.rows(second)["NIFTY25AUG26FUT"]


def test_the_average_comes_from_ticks_where_the_feed_tells_none():
    day = Day()
    for second, (rupees, volume) in enumerate([(100, 10), (110, 40), (90, 30), (130, 50)]):
        day.tick(second, ltp=rupees * 100, volume=volume)

    assert day.future(5).vwap == (110 * 30 + 130 * 10) / 40


def test_a_day_without_a_trade_has_no_range_and_no_gap():
    day = Day()
    day.session.instruments.prev_close[FUTURE] = 24_400.0
    day.tape.put(day.session)
    nothing = day_records(1, open=0, low=0, high=0, average=0)

    day.tick(0, ltp=2_450_000, volume=0, flags=PLAIN | TickFlag.DAY, day=nothing)

    row = day.future(1)
    assert row.change_pct is not None
    assert (row.gap_pct, row.low, row.high, row.vwap) == (None, None, None, None)
    assert day.tape.beat(2).why_null["low"] == "the feed has told no day's range of it"


@pytest.mark.parametrize(
    "fields",
    [
        {"ltp": 9_000, "volume": 2**62},
        {"ltp": 0, "volume": 45},
        {"ltp": -5, "volume": 45},
        {"ltp": 9_000, "volume": 45, "flags": TickFlag.PRICE},
        {"ltp": 9_000, "volume": 45, "flags": TickFlag.VOLUME},
    ],
    ids=["beyond any market", "of no price", "of a negative price", "untold", "without a price"],
)
def test_what_is_no_deal_moves_no_average(fields):
    day = Day()
    for second, (rupees, volume) in enumerate([(100, 10), (110, 40)]):
        day.tick(second, ltp=rupees * 100, volume=volume)
    day.tick(2, **fields)
    day.tick(3, ltp=13_000, volume=50)

    assert day.future(5).vwap == (110 * 30 + 130 * 10) / 40


def test_the_feed_s_own_average_stands_before_one_of_ticks():
    day = Day()
    told = day_records(1, open=9_000, low=9_000, high=11_000, average=10_400)
    day.tick(0, ltp=10_000, volume=10)
    day.tick(1, ltp=11_000, volume=20, flags=PLAIN | TickFlag.DAY, day=told)

    assert day.future(2).vwap == 104.0


def test_the_near_future_s_row_has_the_spread_to_the_next():
    day = Day()
    day.tick(0, ltp=10_000, volume=1)
    alone = day.future(1).calendar_spread
    day.tick(1, LATER, ltp=10_150, volume=1)

    rows = day.rows(2)

    assert alone is None
    assert rows["NIFTY25AUG26FUT"].calendar_spread == pytest.approx(1.5)
    assert rows["NIFTY29SEP26FUT"].calendar_spread is None


def test_a_future_s_open_interest_and_price_make_its_class():
    day = Day()
    interest = PLAIN | TickFlag.OI
    day.tick(0, ltp=100_000, volume=1, oi=6_500_000, flags=interest)
    young = day.future(1)
    day.tick(600, ltp=101_000, volume=2, oi=6_600_000, flags=interest)

    row = day.future(601)

    assert (young.oi_change_day, young.build_up) == (0, None)
    assert (row.oi_change_day, row.build_up) == (100_000, "LONG_BUILDUP")


def test_the_first_fifteen_minutes_make_the_opening_range():
    day = Day()
    full = PLAIN | TickFlag.DAY
    for second, low, high in ((OPEN_S + 60, 9_900, 10_100), (OPEN_S + 880, 9_800, 10_150)):
        told = day_records(1, open=10_000, low=low, high=high, average=10_000)
        day.tick(second, ltp=10_000, volume=second + 90_000, flags=full, day=told)
        early = day.future(second + 1)
    told = day_records(1, open=10_000, low=9_800, high=10_300, average=10_000)
    day.tick(OPEN_S + 900, ltp=10_300, volume=99_000, flags=full, day=told)

    row = day.future(OPEN_S + 901)

    assert (early.opening_low, early.opening_high, early.opening_broken) == (98.0, 101.5, None)
    assert (row.opening_low, row.opening_high, row.opening_broken) == (98.0, 101.5, "up")


def test_who_came_after_the_opening_knows_no_opening_range():
    day = Day()
    told = day_records(1, open=10_000, low=9_800, high=10_300, average=10_000)
    day.tick(0, ltp=10_300, volume=1, flags=PLAIN | TickFlag.DAY, day=told)

    row = day.future(1)

    assert (row.opening_low, row.opening_high, row.opening_broken) == (None, None, None)


def test_a_price_that_came_just_after_its_beat_has_no_negative_age():
    day = Day()
    ticks = make_ticks(day.session, [FUTURE], START_US, flags=PLAIN, ltp=10_000, volume=1)
    day.tape.put(make_batch(day.session, ticks, START_US + 2_200))  # as where a session is joined

    assert day.future(0).age_ms == 0
    assert day.future(1).age_ms == 997


def test_a_board_goes_on_from_a_snapshot():
    day = Day()
    for second, rupees in enumerate((100, 110)):
        day.tick(second, ltp=rupees * 100, volume=10 + 30 * second, oi=650, flags=PLAIN | TickFlag.OI)  # fmt: skip
    day.rows(2)
    thawed = Tape(desk=KEEPING.thaw("NIFTY", KEEPING.freeze(day.tape.desk)), n=day.tape.n)

    assert codec.encode(thawed.beat(3)) == codec.encode(day.tape.beat(3))
    assert thawed.beat(4).rows[0].vwap == 110.0


def test_the_place_in_the_range_of_52_weeks_is_told_where_the_feed_tells_the_range():
    day = Day()
    told = day_records(1, low=9_900, high=10_100, low_52w=8_000, high_52w=12_000)
    day.tick(0, ltp=10_000, volume=1, flags=PLAIN | TickFlag.DAY, day=told)
    day.tick(0, LATER, ltp=10_000, volume=1, flags=PLAIN | TickFlag.DAY, day=day_records(1, low=9_900, high=10_100))  # fmt: skip
    day.tape.desk = KEEPING.thaw("NIFTY", KEEPING.freeze(day.tape.desk))

    rows = day.rows(1)

    near, later = rows["NIFTY25AUG26FUT"], rows["NIFTY29SEP26FUT"]
    assert (near.low_52w, near.high_52w, near.position_52w) == (80.0, 120.0, 0.5)
    assert (later.low_52w, later.high_52w, later.position_52w) == (None, None, None)


def test_a_board_says_why_a_field_is_null_and_nothing_of_the_others():
    day = Day()
    day.tick(0, ltp=10_000, volume=1)

    board = day.tape.beat(1)

    nulls = {name for quote in board.rows for name in asdict(quote) if getattr(quote, name) is None}
    assert set(board.why_null) == nulls
    assert board.why_null["position_52w"].startswith("the feed tells no range of 52 weeks")
    assert "ltp" not in board.why_null
