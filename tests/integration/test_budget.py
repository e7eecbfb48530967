"""One budget a coach, however many replicas ask, on every implementation of the bus."""

import asyncio
import contextlib
from datetime import date, time

import pytest

from coach_minimal.config import Config
from oimon import calendar
from oimon.bus.redis import RedisBus
from oimon.clock import ManualClock, SystemClock
from oimon.coach import budget as coach_budget
from oimon.coach.budget import Budget
from oimon.coach.wiring import desk_of
from oimon.config import load
from oimon.llm.limits import NoBudget
from oimon.terms import Coach
from tests.eventually import eventually
from tests.fakes.model import FakeModel, Mood
from tests.integration.servers import free_port
from tests.summing import running
from tests.unit.coach.market import make_analysis, make_question

LATE_US = calendar.instant_us(date(2026, 11, 18), time(23, 59))


@pytest.fixture
def make_budget(replicas):
    """Give a budget as one more replica of a coach has it."""

    def make(coach=Coach.MINIMAL, clock=None, **given):
        limits = {"calls": 10, "inr": 90.0, "usd_inr": 90.0, **given}
        return Budget(replicas(), coach, **limits, clock=clock or ManualClock(LATE_US))

    return make


async def spent(budget: Budget, usd: float = 0.0) -> int:
    """Take until nothing is left; return how often it was given."""
    for given in range(1000):
        try:
            await budget.take(usd)
        except NoBudget:
            return given
    raise AssertionError("it has no bottom")


async def test_two_replicas_share_a_coachs_budget_to_the_last_call(make_budget):
    one, other, another_coach = make_budget(), make_budget(), make_budget(Coach.RICH)

    given = await asyncio.gather(spent(one), spent(other))

    assert sum(given) == 10
    assert one.is_spent()
    assert other.is_spent()
    assert await spent(another_coach) == 10


async def test_a_restart_goes_on(make_budget, monkeypatch):
    monkeypatch.setattr(coach_budget, "LOOK_EVERY_S", 0.01)
    before = make_budget()
    await before.settle(await before.take(0.4), 0.25, 360)

    after = make_budget()
    async with running(after.watch()):
        await eventually(lambda: after.used() == 0.25)

    assert after.status() == before.status()
    assert await spent(after, usd=0.25) == 3


async def test_each_day_begins_anew(make_budget):
    clock = ManualClock(LATE_US)
    one, other = make_budget(clock=clock), make_budget(clock=clock)
    assert await spent(one) == 10
    assert await spent(other) == 0

    clock.advance(60)

    assert not one.is_spent()
    assert await spent(other) == 10


async def test_what_a_question_did_not_cost_is_there_for_the_other_replica(make_budget):
    one, other = make_budget(inr=9.0), make_budget(inr=9.0)
    taken = await one.take(0.1)
    assert await spent(other) == 0

    await one.settle(taken, 0.0)

    assert await spent(other, usd=0.05) == 2


@pytest.mark.parametrize("mood", [Mood.WELL, Mood.BROKEN])
async def test_replicas_of_a_coach_ask_as_often_as_one_would(replicas, mood, monkeypatch):
    monkeypatch.setattr("oimon.coach.desk.ASK_EVERY_S", 0.0)
    monkeypatch.setattr(coach_budget, "LOOK_EVERY_S", 0.01)
    question = make_question(make_analysis())
    async with FakeModel(mood) as server, contextlib.AsyncExitStack() as stack:
        limits = {"model_budget_calls": 5, "model_base_url": server.base_url}
        settings = load(Config, limits)

        async def desk():
            return await stack.enter_async_context(
                desk_of(
                    settings, replicas(), SystemClock(), Coach.MINIMAL,
                    model="a-local-one", timeout_s=5.0, max_tokens=9,
                )
            )  # fmt: skip

        one, other = await desk(), await desk()

        async def ask_on(each):
            while each.hear("NIFTY").off is None:
                each.ask(question)
                await eventually(lambda: not each.out)

        await asyncio.gather(ask_on(one), ask_on(other))

        assert len(server.requests) == 5
        assert (one.hear("NIFTY").off, other.hear("NIFTY").off) == ("budget", "budget")
        third = await desk()
        await eventually(lambda: third.hear("NIFTY").off == "budget")


async def test_nothing_is_asked_while_redis_is_away():
    bus = RedisBus(f"redis://127.0.0.1:{free_port()}/0", "one")
    settings = {"calls": 10, "inr": 90.0, "usd_inr": 90.0, "clock": SystemClock()}

    with pytest.raises(NoBudget, match="budget_unknown"):
        await Budget(bus, Coach.MINIMAL, **settings).take(0.0)

    await bus.close()
