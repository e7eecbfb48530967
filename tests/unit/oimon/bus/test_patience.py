"""Outages that last for hours, on a loop whose waits cost no time."""

import asyncio

from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.errors import BusDown, TransientError
from oimon.messages import TICKS
from tests.simulation.time import ServerClock, VirtualLoop
from tests.summing import SUMS, at_least, gap, pulse, running

OUTAGE_S = 3 * 3600.0
AFTER_S = 10.0


def lived(life) -> None:
    loop = VirtualLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(life(MemoryBus(MemoryStore(ServerClock(loop)))))


def test_a_log_that_is_away_for_hours_is_waited_for(monkeypatch):
    async def life(bus):
        await bus.declare(["NIFTY"])
        await bus.publish("NIFTY", [gap(1)], pulse(1))

        async def away(*_, **__):
            raise BusDown("away")

        async with running(bus.own(SUMS)) as owning:
            with monkeypatch.context() as outage:
                outage.setattr(bus._log, "members", away)
                await asyncio.wait([owning], timeout=OUTAGE_S)
            await asyncio.sleep(AFTER_S)

            assert await at_least(bus, 1)

    lived(life)


def test_a_sink_whose_way_out_is_away_for_hours_is_waited_for():
    async def life(bus):
        await bus.declare(["NIFTY"])
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        begun_s, rows = asyncio.get_running_loop().time(), []

        async def sink(entries):
            if asyncio.get_running_loop().time() < begun_s + OUTAGE_S:
                raise TransientError("away")
            rows.extend(entries)

        async with running(bus.share("db", [TICKS], sink)) as sharing:
            await asyncio.wait([sharing], timeout=OUTAGE_S + AFTER_S)

            assert len(rows) == 2

    lived(life)
