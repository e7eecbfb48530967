"""What keeps a model that fails from being asked."""

from datetime import date, time

from oimon import calendar
from oimon.clock import ManualClock
from oimon.llm.limits import Breaker

DAY_US = calendar.instant_us(date(2026, 11, 18), time(12))


def failed(breaker, times):
    for _ in range(times):
        breaker.note(is_good=False)


def test_five_failures_in_a_row_open_the_breaker_for_a_minute():
    clock = ManualClock(DAY_US)
    breaker = Breaker(clock)

    failed(breaker, 4)
    assert not breaker.is_open
    failed(breaker, 1)
    assert breaker.is_open
    clock.advance(60)
    assert not breaker.is_open


def test_a_good_answer_starts_the_count_anew():
    breaker = Breaker(ManualClock(DAY_US))

    failed(breaker, 4)
    breaker.note(is_good=True)
    failed(breaker, 4)

    assert not breaker.is_open


def test_a_good_answer_that_was_under_way_closes_it():
    breaker = Breaker(ManualClock(DAY_US))
    failed(breaker, 5)

    breaker.note(is_good=True)

    assert not breaker.is_open


def test_after_the_minute_one_more_failure_opens_it_again():
    clock = ManualClock(DAY_US)
    breaker = Breaker(clock)
    failed(breaker, 5)
    clock.advance(60)

    failed(breaker, 1)

    assert breaker.is_open
