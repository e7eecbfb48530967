import asyncio
from itertools import count

import pytest
from prometheus_client import REGISTRY

from oimon.bus.memory import MemoryBus
from oimon.clock import ManualClock, SystemClock
from oimon.config import Settings
from oimon.errors import ConfigError
from oimon.process import _reporting, run_services
from oimon.service import Running
from tests.eventually import eventually


async def test_a_status_that_could_not_be_told_is_not_the_last(caplog):
    calls, bus = count(), MemoryBus()
    running = Running(
        name="ingest",
        replica="one",
        settings=Settings(),
        bus=bus,
        clock=SystemClock(),
        stop=asyncio.Event(),
        facts={"share": lambda: 1 / next(calls)},
    )

    async with _reporting(running):
        [told] = await eventually(bus.statuses)

    assert told["last_error"] == "division by zero"
    assert [record.message for record in caplog.records] == ["status not told"]


async def test_a_log_that_answers_late_is_not_a_loop_that_wakes_up_late():
    clock, bus, told = ManualClock(), MemoryBus(), []

    async def late(*_):
        told.append(REGISTRY.get_sample_value("oi_loop_lag_seconds"))
        clock.advance(5)

    bus.put_status = late
    running = Running(
        name="ingest",
        replica="one",
        settings=Settings(),
        bus=bus,
        clock=clock,
        stop=asyncio.Event(),
    )

    async with _reporting(running):
        await eventually(lambda: len(told) > 1)

    assert told[1] == 0


def test_a_wrong_setting_that_services_share_is_told_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOG_LEVEL", "loud")

    with pytest.raises(ConfigError) as told:
        run_services(["analytics", "notifier"])

    assert len(str(told.value).splitlines()) == 1
