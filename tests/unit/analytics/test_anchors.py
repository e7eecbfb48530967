"""Changes of open interest on all anchors side by side: from when, by whose word, how much in all."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from analytics.nse import read_page
from analytics.page import page_analysis
from oimon import calendar
from oimon.terms import Segment
from tests.unit.analytics.days import (
    EXPIRIES,
    START_US,
    Tape,
    make_batch,
    make_session,
    market_ticks,
    play,
)
from tests.unit.analytics.test_nse import make_page, make_row, write

S = 1_000_000


def by_name(expiry):
    return {anchor.name: anchor for anchor in expiry.oi_anchors}


@pytest.fixture(scope="module")
def half_hour():
    """The analysis 40 minutes into a day of a tick a minute and a beat each 20 s."""
    return play(make_session(cadence_s=60.0), range(0, 2401, 20))[-1]


def test_every_anchor_stands_beside_the_others_with_its_time_and_source(half_hour):
    told = by_name(half_hour)
    now_us = half_hour.ts_us

    assert list(told) == ["day", "open", "3m", "5m", "15m", "30m"]
    assert told["day"].source == "previous close, as test tells it"
    assert told["day"].at_us == 1_786_961_400 * S  # 17 August 2026, 15:40
    assert (told["open"].at_us, told["open"].source) == (
        START_US + S // 2, "first seen in this run",
    )  # fmt: skip
    for name, window_s in (("3m", 180), ("5m", 300), ("15m", 900), ("30m", 1800)):
        age_us = now_us - told[name].at_us
        assert window_s * S <= age_us < (window_s + 21) * S
        assert told[name].source == f"sample of {age_us / S:.0f} s ago"
        assert not told[name].is_partial


def test_the_totals_are_the_sums_of_the_legs(half_hour):
    for expiry in (half_hour, *half_hour.more):
        told = by_name(expiry)
        for name in told:
            for legs, total in (
                (expiry.chain.ce, told[name].ce_change),
                (expiry.chain.pe, told[name].pe_change),
            ):
                assert total == np.nansum(getattr(legs, f"oi_change_{name}"))
            assert told[name].legs == 2 * len(expiry.chain.strike)
        assert len({anchor.ce_change for anchor in told.values()}) > 3


def test_a_younger_history_counts_from_its_oldest_and_says_so():
    told = by_name(play(make_session(cadence_s=60.0), range(0, 421, 20))[-1])

    assert not told["5m"].is_partial
    assert told["15m"].is_partial
    assert told["15m"].at_us == told["open"].at_us
    assert told["15m"].source == "oldest seen: the history is younger"


def test_before_five_minutes_a_window_has_no_anchor_and_no_total():
    told = by_name(play(make_session(cadence_s=60.0), range(0, 241, 20))[-1])

    assert told["3m"].legs > 0
    for name in ("5m", "15m", "30m"):
        assert (told[name].at_us, told[name].source) == (None, None)
        assert (told[name].legs, told[name].ce_change, told[name].pe_change) == (0, None, None)


def test_an_expiry_that_comes_later_counts_from_its_own_oldest():
    session, tape = make_session(), Tape()
    tape.put(session)
    is_late = np.array([expiry == EXPIRIES[1] for expiry in session.instruments.expiry])
    told = {}
    for second in range(0, 2_001, 20):
        ticks = market_ticks(session, second, oi_step=second // 100)
        ticks = ticks if second >= 1_000 else ticks[~is_late]
        tape.put(make_batch(session, ticks, START_US + second * S))
        answer = tape.beat(second)
        told[second] = [by_name(other) for other in answer.more]

    first_us = START_US + 1_000 * S
    assert [told[1_100][0][name].source for name in ("3m", "15m")] == [None, None]
    for second, name in ((1_300, "15m"), (1_880, "15m"), (2_000, "30m")):
        late = told[second][0][name]
        assert (late.at_us, late.is_partial, late.legs) == (first_us, True, 22)
    assert not told[2_000][0]["15m"].is_partial
    assert told[2_000][0]["15m"].at_us == START_US + 1_100 * S


def test_a_source_without_yesterday_has_no_change_of_the_day_and_no_invented_one():
    session = make_session(cadence_s=60.0)
    unknown = [None] * len(session.instruments.token)
    session = replace(session, instruments=replace(session.instruments, oi_prev=unknown))

    told = by_name(play(session, range(0, 61, 20))[-1])

    assert (told["day"].at_us, told["day"].source, told["day"].ce_change) == (None, None, None)
    assert told["open"].ce_change is not None


def test_an_open_that_the_source_tells_is_named_as_its():
    session = make_session(cadence_s=60.0)
    told_by_it = [650_000 if k else None for k in session.instruments.strike]
    session = replace(session, instruments=replace(session.instruments, oi_open=told_by_it))

    opened = by_name(play(session, range(0, 61, 20))[-1])["open"]

    at_us = calendar.open_us(Segment.NFO, date.fromisoformat(session.date))
    assert (opened.at_us, opened.source) == (at_us, "first of the day, as test tells it")


def test_before_any_open_interest_nothing_is_counted_from():
    session, tape = make_session(), Tape()
    tape.put(session)
    tape.put(make_batch(session, market_ticks(session, 0)[:1], START_US))

    for anchor in tape.beat(1).oi_anchors:
        assert (anchor.at_us, anchor.source, anchor.legs, anchor.ce_change) == (None, None, 0, None)


def test_a_page_of_nse_tells_the_day_s_change_alone(tmp_path):
    page = read_page(write(tmp_path, make_page(make_row(24_600), make_row(24_650))))

    told = by_name(page_analysis(page, 75))

    assert (told["day"].ce_change, told["day"].pe_change) == (3000.0, 3000.0)
    assert told["day"].source == "previous close, as page.json tells it"
    assert {told[name].source for name in told if name != "day"} == {None}
