"""What a coach's questions may cost."""

import math
from datetime import date, time

import pytest

from oimon import calendar
from oimon.bus import Use
from oimon.bus.memory import MemoryBus
from oimon.clock import ManualClock
from oimon.coach import budget as coach_budget
from oimon.coach.budget import Budget
from oimon.errors import BusDown
from oimon.llm.limits import NoBudget
from oimon.terms import Coach
from tests.eventually import eventually
from tests.summing import running

LATE_US = calendar.instant_us(date(2026, 11, 18), time(23, 59))


class Bus(MemoryBus):
    """A bus that can be away."""

    is_away = False
    in_vain = 0

    async def spend(self, *args):
        if self.is_away:
            self.in_vain += 1
            raise BusDown("away")
        return await super().spend(*args)


@pytest.fixture
def clock():
    return ManualClock(LATE_US)


@pytest.fixture
def bus():
    return Bus()


@pytest.fixture
def make_budget(bus, clock):
    def make(coach=Coach.MINIMAL, **given):
        return Budget(bus, coach, **{"calls": 3, "inr": 9.0, "usd_inr": 90.0, "clock": clock, **given})  # fmt: skip

    return make


async def refused(budget: Budget) -> str:
    with pytest.raises(NoBudget) as error:
        await budget.take(0.0)
    return str(error.value)


async def test_calls_are_counted_before_they_are_made(make_budget):
    budget = make_budget()

    for _ in range(3):
        assert not budget.is_spent()
        await budget.take(0.0)

    assert budget.is_spent()
    assert await refused(budget) == "budget"


async def test_money_is_taken_at_its_most_and_settled_at_its_cost(make_budget):
    budget = make_budget()

    taken = await budget.take(0.1)
    assert budget.is_spent()
    await budget.settle(taken, 0.01, 360)

    assert not budget.is_spent()
    assert budget.status() == {
        "calls": 1, "calls_limit": 3, "tokens": 360, "inr": 0.9, "inr_limit": 9.0,
    }  # fmt: skip


async def test_an_unknown_cost_leaves_what_was_taken(make_budget):
    budget = make_budget()

    await budget.settle(await budget.take(0.1), None, 360)

    assert budget.is_spent()
    assert budget.status()["tokens"] == 360


async def test_the_day_that_counts_is_indias(make_budget, clock):
    budget = make_budget(calls=1)
    await budget.take(0.0)

    clock.advance(59)
    assert budget.is_spent()
    clock.advance(1)
    assert not budget.is_spent()
    assert budget.status()["calls"] is None


async def test_what_was_taken_yesterday_is_settled_there(make_budget, bus, clock):
    budget = make_budget()
    yesterday = await budget.take(0.1)
    clock.advance(60)
    await budget.take(0.02)

    await budget.settle(yesterday, 0.05)

    assert budget.status()["inr"] == 1.8
    assert bus.store.purses == {
        ("llm", "20261118", "minimal"): Use(calls=1, usd=0.05),
        ("llm", "20261119", "minimal"): Use(calls=1, usd=0.02),
    }


@pytest.mark.parametrize("nothing", [{"calls": 0}, {"inr": 0.0}])
async def test_a_budget_of_nothing_gives_nothing(make_budget, nothing):
    budget = make_budget(**nothing)

    assert await refused(budget) == "budget"
    assert budget.is_spent()
    assert budget.used() == 0.0


async def test_what_is_used_is_the_greater_share_of_questions_and_money(make_budget):
    budget = make_budget(calls=4)

    await budget.take(0.0)
    by_questions = budget.used()
    await budget.take(0.08)
    by_money = budget.used()

    assert (by_questions, round(by_money, 6)) == (0.25, 0.8)


async def test_nothing_is_given_that_nobody_can_count(make_budget, bus):
    budget = make_budget()
    bus.is_away = True

    assert await refused(budget) == "budget_unknown"
    assert not bus.store.purses


async def test_what_cannot_be_settled_stays_taken(make_budget, bus):
    budget = make_budget()
    taken = await budget.take(0.1)
    bus.is_away = True

    await budget.settle(taken, 0.01)

    assert bus.store.purses["llm", "20261118", "minimal"] == Use(calls=1, usd=0.1)


async def test_before_anything_is_heard_the_use_is_unknown(make_budget):
    budget = make_budget()

    assert math.isnan(budget.used())
    assert (budget.status()["calls"], budget.status()["inr"]) == (None, None)


async def test_who_watches_hears_what_others_take_and_takes_nothing(
    make_budget, bus, clock, monkeypatch
):
    monkeypatch.setattr(coach_budget, "LOOK_EVERY_S", 0.01)
    budget, other = make_budget(calls=2), make_budget(calls=2)

    async with running(budget.watch()):
        await eventually(lambda: budget.used() == 0.0)
        assert not bus.store.purses
        await other.take(0.0)
        await other.take(0.0)
        await eventually(budget.is_spent)
        clock.advance(60)
        await eventually(lambda: budget.used() == 0.0)


async def test_who_watches_waits_for_a_log_that_is_away(make_budget, bus, monkeypatch):
    monkeypatch.setattr(coach_budget, "LOOK_EVERY_S", 0.01)
    bus.is_away = True
    budget = make_budget()

    async with running(budget.watch()):
        await eventually(lambda: bus.in_vain == 2)
        bus.is_away = False
        await eventually(lambda: budget.used() == 0.0)
