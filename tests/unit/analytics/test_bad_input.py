"""Feeds that lie, tear or stand still: ticks in, an analysis out that says what is wrong and does not flap."""

from dataclasses import replace

import numpy as np
import pytest

from analytics.cells import Cell
from oimon.core import fast
from oimon.messages import Instruments, TickFlag
from oimon.terms import Direction, Quality
from tests.unit.analytics.days import (
    EXPIRIES,
    SPOT,
    START_US,
    Tape,
    make_batch,
    make_session,
    make_ticks,
    market_ticks,
)
from tests.unit.analytics.test_properties import unfinished

DAY_US = 86_400_000_000


@pytest.fixture(autouse=True, params=[False, True], ids=["numpy", "machine code"])
def _both_ways(request):
    if fast.use(wanted=request.param) is not request.param:
        pytest.skip("numba is not installed")
    yield
    fast.use(wanted=False)


class Feed:
    """A desk with a feed of one tick of every instrument at each second that is asked for."""

    def __init__(self, session=None, **session_fields):
        self.session = session or make_session(expiries=EXPIRIES[1:], **session_fields)
        self.tape = Tape()
        self.tape.put(self.session)

    def rows(self, kind=None):
        kinds = self.session.instruments.kind
        return [i for i, k in enumerate(kinds) if kind is None or k in kind]

    def tick(self, second, *, change=None, leave_out=(), at_us=None, step=None):
        """Send a second's ticks, changed by a function of them, and beat."""
        step = min(second // 500, 3) if step is None else step
        ticks = market_ticks(self.session, second, spot=SPOT, oi_step=step)
        if change is not None:
            change(ticks)
        ticks = ticks[~np.isin(ticks["row"], list(leave_out))]
        at_us = START_US + second * 1_000_000 if at_us is None else at_us
        self.tape.put(make_batch(self.session, ticks, at_us))
        return self.beat(second)

    def beat(self, second):
        answer = self.tape.beat(second)
        assert list(unfinished(replace(answer, chain=None, more=[]))) == []
        return answer

    def run(self, seconds, **how):
        return [self.tick(second, **how) for second in seconds]


def labels(answers):
    return {answer.direction for answer in answers}


@pytest.mark.parametrize("factor", [0, 10, 1_000])
def test_open_interest_of_one_packet_that_nobody_repeats_is_not_believed(factor):
    feed, row = Feed(), 6
    before = feed.run(range(0, 60, 10), step=0)[-1]

    def wrong(ticks):
        ticks["oi"][row] *= factor

    during, after = feed.tick(61, change=wrong, step=0), feed.tick(62, step=0)

    assert (during.pcr, during.max_pain, during.support) == (before.pcr, before.max_pain, before.support)  # fmt: skip
    assert during.quality is Quality.DEGRADED
    assert during.quality_why == ["oi_doubtful"]
    assert (after.pcr, after.quality) == (before.pcr, Quality.OK)
    assert labels([before, during, after]) == {Direction.NEUTRAL}


@pytest.mark.parametrize("factor", [0, 1_000])
def test_the_first_open_interest_of_a_leg_is_held_against_the_previous_close(factor):
    right, wrong, row = Feed(), Feed(), 6

    def leaps(ticks):
        ticks["oi"][row] *= factor

    first = wrong.tick(0, change=leaps, step=0)
    seconds = range(1, 1_000, 40)
    answers, expected = wrong.run(seconds, step=0), right.run(seconds, step=0)

    assert (first.quality, first.quality_why) == (Quality.DEGRADED, ["oi_doubtful"])
    assert np.isnan(first.chain.ce.oi[2])
    for answer, same in zip(answers, expected, strict=True):
        assert (answer.pcr, answer.max_pain, answer.quality) == (same.pcr, same.max_pain, same.quality)  # fmt: skip
        assert answer.chain.ce.oi_change_open[2] == 0
    assert labels(answers) == {Direction.NEUTRAL}


def test_the_first_open_interest_that_is_told_again_is_true():
    feed, row = Feed(), 6

    def more(ticks):
        ticks["oi"][row] *= 1_000

    _, again = feed.run(range(2), change=more, step=0)

    assert again.quality is Quality.OK
    assert again.chain.ce.oi[2] == 325_000_000


@pytest.mark.parametrize(("oi_prev", "factor"), [(0, 1_000), (None, 1_000), (650_000, 150)])
def test_a_day_may_have_brought_much_to_a_leg_before_it_is_first_seen(oi_prev, factor):
    session = make_session(expiries=EXPIRIES[1:])
    session.instruments.oi_prev[6] = oi_prev
    feed, row = Feed(session), 6

    def more(ticks):
        ticks["oi"][row] *= factor

    first = feed.tick(0, change=more, step=0)

    assert first.quality is Quality.OK
    assert first.chain.ce.oi[2] == 325_000 * factor


def test_a_jump_that_the_next_packet_repeats_is_true():
    feed, row = Feed(), 6
    before = feed.run(range(0, 60, 10), step=0)[-1]

    def more(ticks):
        ticks["oi"][row] *= 20

    feed.tick(61, change=more, step=0)
    after = feed.tick(62, change=more, step=0)

    assert after.pcr != before.pcr
    assert after.quality is Quality.OK


def test_zero_open_interest_everywhere_has_no_ratios_and_says_so():
    feed = Feed()
    feed.run(range(0, 60, 10))

    def nothing(ticks):
        ticks["oi"] = 0

    doubted, believed = feed.run(range(61, 63), change=nothing)

    assert doubted.pcr is not None
    assert doubted.quality_why == ["oi_doubtful"]
    assert (believed.pcr, believed.max_pain, believed.support, believed.resistance) == (None, None, [], [])  # fmt: skip
    assert {"pcr", "max_pain"} <= believed.why_null.keys()
    assert believed.quality_why == ["oi_stale"]
    assert believed.direction is Direction.NEUTRAL


def test_one_side_missing_leaves_what_the_other_says():
    feed = Feed()
    puts = feed.rows(kind={"PE"})

    answer = feed.run(range(0, 400, 20), leave_out=puts)[-1]

    assert answer.pcr == 0
    assert (answer.support, answer.straddle) == ([], None)
    assert answer.quality is Quality.DEGRADED
    assert "chain_incomplete" in answer.quality_why


def test_strikes_that_vanish_grow_old_and_lose_their_change():
    feed = Feed()
    feed.run(range(0, 1_000, 20))
    gone = [row for row in feed.rows(kind={"CE", "PE"}) if row % 2]

    answers = feed.run(range(1_000, 1_700, 20), leave_out=gone)

    young, old = answers[0], answers[-1]
    assert young.quality is Quality.OK
    assert old.quality_why == ["oi_stale"]
    assert (np.isnan(old.chain.ce.oi_change_15m) | np.isnan(old.chain.pe.oi_change_15m)).all()
    assert old.pcr is not None  # open interest is a stock: an old leg still counts
    assert len(old.chain.strike) == len(young.chain.strike)


def test_the_next_expiry_takes_over_with_a_memory_of_its_own():
    feed = Feed(make_session())
    close_s = 5 * 3_600 - 4_500 + 40 * 60  # 15:40, of seconds since the days of these tests begin
    feed.run(range(0, 120, 20))

    answers = feed.run(range(close_s - 100, close_s + 100, 20))

    expiries = [answer.expiry for answer in answers]
    assert sorted(set(expiries)) == list(EXPIRIES)
    assert expiries == sorted(expiries)
    first = answers[expiries.index(EXPIRIES[1])]
    assert first.events == []  # what it remembers is its own, not that of the expiry before
    assert first.direction is Direction.NEUTRAL


def test_a_lot_that_changed_overnight_is_that_of_the_new_session():
    feed = Feed()
    yesterday = feed.run(range(0, 120, 20))[-1]
    told = feed.session.instruments
    columns = {name: getattr(told, name) for name in Instruments.__slots__}
    tomorrow = replace(
        feed.session, run="r2", instruments=Instruments(**columns | {"lot": [75] * len(told.lot)})
    )
    feed.session = tomorrow
    feed.tape.put(tomorrow)

    today = feed.tick(200)

    assert (yesterday.lot, today.lot) == (65, 75)
    assert today.coi.balance is None  # no change from one session to the next
    assert not today.is_warm
    assert today.quality is Quality.OK


@pytest.mark.parametrize("value", [0, -5])
def test_an_index_of_zero_is_no_price_and_the_last_one_grows_old(value):
    feed = Feed()
    last = feed.run(range(0, 60, 10))[-1]

    def no_index(ticks):
        ticks["ltp"][0] = value

    answers = feed.run(range(51, 100), change=no_index)

    assert {answer.spot for answer in answers} == {last.spot}
    assert [(a.quality, a.quality_why) for a in (answers[0], answers[15], answers[-1])] == [
        (Quality.OK, []),
        (Quality.DEGRADED, ["underlying_slow"]),
        (Quality.BAD, ["underlying_stale"]),
    ]
    assert answers[-1].confidence_factor == 0


@pytest.mark.parametrize("told", [None, 0])
def test_an_index_that_was_never_told_leaves_open_interest_alone_to_speak(told):
    feed, index = Feed(make_session(expiries=EXPIRIES[1:], with_future=False)), 0

    def nothing(ticks):
        ticks["ltp"][index] = told

    answers = feed.run(
        range(0, 1_000, 40),
        change=told if told is None else nothing,
        leave_out=[index] if told is None else [],
    )

    last = answers[-1]
    assert (last.spot, last.forward, last.atm, last.support, last.direction) == (None, None, None, [], Direction.NEUTRAL)  # fmt: skip
    assert {"spot", "forward", "atm_iv", "support_wall"} <= last.why_null.keys()
    assert last.pcr is not None
    assert {(answer.quality, *answer.quality_why) for answer in answers} == {(Quality.BAD, "underlying_stale")}  # fmt: skip
    assert last.confidence_factor == 0


def test_a_frozen_index_is_a_price_as_long_as_it_is_told():
    feed = Feed()

    def frozen(ticks):
        ticks["ltp"][0] = 2_450_000

    answers = feed.run(range(0, 1_200, 20), change=frozen)

    assert {answer.quality for answer in answers} == {Quality.OK}
    assert sum(len(answer.events) for answer in answers) <= 4
    assert {event.kind for answer in answers for event in answer.events if "BREAK" in event.kind} == set()  # fmt: skip


@pytest.mark.parametrize("jump_us", [DAY_US, 3_600_000_000, -3_600_000_000])
def test_a_clock_of_the_exchange_that_jumped_once_shuts_nobody_out(jump_us):
    feed = Feed()
    feed.run(range(0, 60, 10))

    def jumped(ticks):
        ticks["exchange_us"] += jump_us

    feed.tick(60, change=jumped)
    feed.tick(61)
    cells = feed.tape.desk.run.book.copy()

    assert (cells[Cell.RECEIVED_US, :-1] == START_US + 61_000_000).all()


@pytest.mark.parametrize("ahead", [{"exchange_us": 3_600_000_000, "traded_s": None}, {"traded_s": 3_600}])  # fmt: skip
def test_a_trade_that_is_dated_ahead_grows_old_like_any_other(ahead):
    feed = Feed()
    feed.run(range(0, 60, 10))

    def dated_ahead(ticks):
        ticks["flags"] = TickFlag.PRICE
        for name, by in ahead.items():
            ticks[name] = 0 if by is None else ticks[name] + by

    feed.tick(60, change=dated_ahead)
    fresh, old = feed.beat(120), feed.beat(121)

    assert set(fresh.chain.ce.mark_source) == {"ltp"}
    assert set(old.chain.ce.mark_source) == {None}


def test_beats_that_go_back_in_time_are_answered():
    feed = Feed()
    ahead = feed.run(range(0, 400, 20))[-1]

    back, on = feed.tick(100), feed.run(range(401, 800, 20))[-1]

    assert back.ts_us < ahead.ts_us
    assert back.label.smoothed == ahead.label.smoothed
    assert (on.quality, on.is_warm) == (Quality.OK, True)


def test_a_chain_of_one_strike_is_analysed():
    feed = Feed(strikes=1)

    answer = feed.run(range(0, 1_000, 20))[-1]

    assert (answer.max_pain, answer.atm) == (24_500.0, 24_500.0)
    assert answer.rr25 is None
    assert "rr25" in answer.why_null
    assert len(answer.verdicts) == 1


def test_a_quantity_beyond_any_market_is_dropped():
    feed = Feed()
    before = feed.tick(0, step=0)

    def absurd(ticks):
        ticks["oi"] = 2**62

    after = feed.tick(1, change=absurd, step=0)

    assert after.pcr == before.pcr
    assert feed.tape.desk.run.book.dropped["absurd"] == len(feed.session.instruments.token)


def test_a_tick_of_no_flags_changes_nothing():
    feed = Feed()
    before = feed.tick(0, step=0)

    ticks = make_ticks(feed.session, [5], START_US + 1_000_000, seq=9, flags=0, oi=1)
    feed.tape.put(make_batch(feed.session, ticks, START_US + 1_000_000))

    assert feed.beat(1).pcr == before.pcr
