"""What keeps a model from costing too much."""

from datetime import date, time

from oimon import calendar
from oimon.clock import ManualClock
from oimon.llm.limits import Breaker, Budget

DAY_US = calendar.instant_us(date(2026, 11, 18), time(23, 59))


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


def test_after_the_minute_one_more_failure_opens_it_again():
    clock = ManualClock(DAY_US)
    breaker = Breaker(clock)
    failed(breaker, 5)
    clock.advance(60)

    failed(breaker, 1)

    assert breaker.is_open


def make_budget(clock, **given):
    return Budget(**{"calls": 3, "inr": 9.0, "usd_inr": 90.0, "clock": clock, **given})


def test_calls_are_counted_before_they_are_made():
    budget = make_budget(ManualClock(DAY_US))

    for _ in range(3):
        assert not budget.is_spent()
        budget.take(0.0)

    assert budget.is_spent()


def test_money_is_taken_at_its_most_and_settled_at_its_cost():
    budget = make_budget(ManualClock(DAY_US))

    budget.take(0.1)
    assert budget.is_spent()
    budget.settle(0.1, 0.01)
    assert not budget.is_spent()
    assert budget.status()["inr"] == 0.9


def test_an_unknown_cost_leaves_what_was_taken():
    budget = make_budget(ManualClock(DAY_US))

    budget.take(0.1)
    budget.settle(0.1, None)

    assert budget.is_spent()


def test_the_day_that_counts_is_indias():
    clock = ManualClock(DAY_US)
    budget = make_budget(clock, calls=1)
    budget.take(0.0)

    clock.advance(59)
    assert budget.is_spent()
    clock.advance(1)
    assert not budget.is_spent()


def test_a_budget_of_nothing_is_always_spent():
    assert make_budget(ManualClock(DAY_US), calls=0).is_spent()
    assert make_budget(ManualClock(DAY_US), inr=0.0).is_spent()


def test_what_is_used_is_the_greater_share_of_questions_and_money():
    budget = make_budget(ManualClock(DAY_US), calls=4)

    budget.take(0.0)
    by_questions = budget.used()
    budget.take(0.08)
    by_money = budget.used()

    assert by_questions == 0.25
    assert round(by_money, 6) == 0.8
    assert make_budget(ManualClock(DAY_US), calls=0).used() == 0.0
