"""The basis of an underlying without a future: the synthetic one's, against what it was when the window began."""

import pytest

from oimon.terms import Kind
from tests.unit.analytics.days import EXPIRIES, make_session
from tests.unit.analytics.test_bad_input import Feed

RISE_S = 600  # when calls get dearer by 5 rupees, and puts cheaper: the forward rises by 10


def feed_that_rises():
    feed = Feed(make_session(expiries=EXPIRIES[1:], with_future=False))
    calls, puts = feed.rows(kind={Kind.CE}), feed.rows(kind={Kind.PE})

    def risen(ticks):
        for price in ("ltp", "bid", "ask"):
            ticks[price][calls] += 500
            ticks[price][puts] -= 500

    def at(second):
        change = risen if second >= RISE_S else None
        return feed.tick(second, change=change, step=0).components["futures"]

    return at


def test_the_basis_counts_from_the_window_s_start_and_of_a_young_history_from_its_oldest():
    at = feed_that_rises()

    told = {second: at(second) for second in range(0, 1_520, 20)}

    assert {told[second].status for second in range(0, 300, 20)} == {"missing"}
    assert told[300].score == pytest.approx(0, abs=1e-6)
    for second in (600, 880, 900, 1_480):
        assert told[second].score == pytest.approx(0.0004 / 0.0005, abs=0.02)
    assert told[1_500].score == pytest.approx(0, abs=0.01)
