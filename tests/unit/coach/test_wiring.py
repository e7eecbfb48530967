"""What a live coach's handler leaves in the metrics."""

import dataclasses

from prometheus_client import REGISTRY

from coach_minimal.config import Config
from coach_minimal.main import role
from oimon.clock import ManualClock
from oimon.coach.desk import NoModel
from oimon.coach.wiring import measured
from oimon.config import load
from oimon.terms import Coach, Mode
from tests.unit.coach.market import NOON_US, entry_of, make_analysis, make_rich


def sample(name, **labels):
    return REGISTRY.get_sample_value(name, labels) or 0.0


def make_duty(clock):
    desk = NoModel("no_key", clock)
    duty = role(load(Config), desk)
    return dataclasses.replace(duty, handle=measured(duty.handle, desk, clock, Coach.MINIMAL))


def test_each_advice_is_counted_and_the_age_of_its_analysis_kept():
    clock = ManualClock(NOON_US + 700_000)
    duty = make_duty(clock)
    before = sample("oi_advice_total", coach="minimal", by="rule")

    duty.handle(duty.start("NIFTY"), entry_of(make_analysis()))

    assert sample("oi_advice_total", coach="minimal", by="rule") == before + 1
    assert sample("oi_analysis_age_seconds", partition="NIFTY") == 0.7


def test_only_live_ticks_have_an_age():
    duty = make_duty(ManualClock(NOON_US))
    stage = {"stage": "coach-minimal"}
    before = sample("oi_tick_age_seconds_count", **stage)

    state, _ = duty.handle(duty.start("NIFTY"), entry_of(make_analysis()))
    assert sample("oi_tick_age_seconds_count", **stage) == before
    duty.handle(state, entry_of(make_analysis(mode=Mode.LIVE)))
    assert sample("oi_tick_age_seconds_count", **stage) == before + 1


def test_what_is_only_consulted_is_not_counted():
    duty = make_duty(ManualClock(NOON_US))
    before = sample("oi_advice_total", coach="minimal", by="rule")

    _, outputs = duty.handle(duty.start("NIFTY"), entry_of(make_rich(make_analysis(), "WAIT")))

    assert outputs == ()
    assert sample("oi_advice_total", coach="minimal", by="rule") == before
