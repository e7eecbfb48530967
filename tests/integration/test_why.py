"""`oi why` reads the newest analysis from the bus, and says what to do when there is none."""

import asyncio

import pytest

from analytics.why import _newest, explained
from oimon.bus.redis import RedisBus
from oimon.config import Settings, load
from oimon.errors import ConfigError
from oimon.messages import ANALYSIS
from tests.eventually import eventually
from tests.integration.conftest import free_port
from tests.unit.notifier.samples import PULSE, make_analysis, make_gap, role


def settings(url):
    return load(Settings, {"redis_url": url})


@pytest.fixture
async def bus(redis_url):
    """A bus on which NIFTY and BANKNIFTY are declared, and NIFTY has an analysis."""
    bus = RedisBus(redis_url, "test")
    await bus.declare(["BANKNIFTY", "NIFTY"])
    owning = asyncio.create_task(bus.own(role(ANALYSIS, make_analysis)))
    await bus.publish("NIFTY", [make_gap()], PULSE)
    await eventually(lambda: bus.latest(ANALYSIS, "NIFTY"))
    owning.cancel()
    await bus.stop()
    await bus.close()
    return settings(redis_url)


async def test_the_newest_analysis_is_explained(bus):
    analysis = await _newest(bus, "NIFTY")

    told = explained(analysis, analysis, 24_600.0).sentences

    assert told[0].startswith("NIFTY 24600 of 2026-08-20: ")


async def test_what_is_not_there_is_told_with_what_to_do(bus):
    with pytest.raises(
        ConfigError, match=r"SENSEX is not watched; there are BANKNIFTY, NIFTY\. Start"
    ):
        await _newest(bus, "SENSEX")
    with pytest.raises(ConfigError, match="BANKNIFTY has no analysis yet; `oi status` says"):
        await _newest(bus, "BANKNIFTY")


async def test_without_a_bus_it_says_how_to_start_one_or_name_a_file():
    with pytest.raises(ConfigError, match=r"Start everything with `oi up`.*or name a file: --file"):
        await _newest(settings(f"redis://127.0.0.1:{free_port()}/0"), "NIFTY")
