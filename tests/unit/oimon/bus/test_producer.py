import asyncio
import math
import time
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from oimon.bus.memory import MemoryBus, MemoryLog, MemoryStore
from oimon.errors import BusDown
from oimon.messages import TICKS
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.simulation.time import ServerClock, VirtualLoop
from tests.summing import everything, gap, pulse, running


def fail(monkeypatch, log, name, times):
    """Have the first calls of a write not reach the log."""
    write, failed = getattr(log, name), []

    async def failing(*args):
        if len(failed) < times:
            failed.append(args)
            raise BusDown("cut")
        return await write(*args)

    monkeypatch.setattr(log, name, failing)


async def gaps(bus):
    entries = await everything(bus, TICKS)
    return [entry.message.from_us for entry in entries if entry.kind == "gap"]


async def test_who_leads_again_before_its_lease_is_over_is_not_taken_for_one_who_repeats_itself(
    monkeypatch,
):
    bus, begun, fenced = MemoryBus(), [], REGISTRY.get_sample_value("oi_bus_fenced_total")
    fail(monkeypatch, bus._log, "release", 2)

    async def work():
        begun.append(10 * len(begun))
        for number in range(3):
            await bus.publish("NIFTY", [gap(begun[-1] + number)], pulse(begun[-1] + number))
        bus.store.own("ingest", "SENSEX").epoch += 1  # the log has lost its end
        await bus.publish("SENSEX", [], pulse(1))

    async with running(bus.lead(work)):
        await bus.place("SENSEX")
        await eventually(lambda: bus.store.stream(TICKS, "SENSEX").entries)

    assert begun == [0, 10]
    assert REGISTRY.get_sample_value("oi_bus_fenced_total") == fenced + 1
    assert await gaps(bus) == [0, 1, 2, 10, 11, 12]


async def test_of_two_calls_at_once_none_is_lost_though_one_is_repeated(monkeypatch):
    bus = MemoryBus()
    fail(monkeypatch, bus._log, "publish", 1)

    await asyncio.gather(*(bus.publish("NIFTY", [gap(n)], pulse(n)) for n in (1, 2)))

    assert await gaps(bus) == [1, 2]


async def test_a_lead_that_is_granted_to_who_is_stopping_is_given_back():
    bus, is_asked, may_go_on = MemoryBus(), asyncio.Event(), asyncio.Event()
    acquire = bus._log.acquire

    async def slowly(*args):
        is_asked.set()
        await may_go_on.wait()
        return await acquire(*args)

    bus._log.acquire = slowly
    async with running(bus.lead(asyncio.Event().wait)) as leading:
        await is_asked.wait()
        await bus.stop()
        may_go_on.set()
        async with asyncio.timeout(5):
            await leading

    assert bus.store.own("ingest", "all").owner == ""


async def test_who_stops_is_no_member_any_more():
    bus = MemoryBus()
    async with running(bus.lead(asyncio.Event().wait)):
        await eventually(lambda: bus.store.own("ingest", "all").owner)
        await bus.stop()

    assert bus.store.members["ingest"] == {}


async def test_who_published_without_leading_gives_back_at_its_stop():
    bus = MemoryBus()
    await bus.publish("NIFTY", [gap(1)], pulse(1))
    await bus.stop()

    assert bus.store.own("ingest", "NIFTY").owner == ""


@pytest.mark.parametrize(("is_away", "most"), [(False, 110), (True, 40)])
def test_who_stands_by_asks_ten_times_a_second_and_of_a_log_that_is_away_seldom(is_away, most):
    loop, asked = VirtualLoop(), []

    async def live():
        bus = MemoryBus(MemoryStore(ServerClock(loop)), "two")
        members = bus._log.members

        async def counted(*args, **kwargs):
            asked.append(loop.time())
            if is_away:
                raise BusDown("cut")
            return await members(*args, **kwargs)

        bus._log.members = counted
        await MemoryLog(bus.store, "one").acquire("ingest", "all")
        bus.store.own("ingest", "all").until_ms += 9_000  # another leads
        async with running(bus.lead(asyncio.Event().wait)):
            await asyncio.sleep(10)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())

    assert 5 < len(asked) <= most


def test_who_leads_goes_on_to_and_stays_a_member_also_after_an_outage():
    loop, begun, asked = VirtualLoop(), [], []

    async def live():
        store = MemoryStore(ServerClock(loop))
        one, two = MemoryBus(store, "one"), MemoryBus(store, "two")
        members = one._log.members

        async def work(name):
            begun.append(name)
            await asyncio.Event().wait()

        async def away(*_, **__):
            asked.append(loop.time())
            raise BusDown("cut")

        async with running(one.lead(lambda: work("one"))):
            await asyncio.sleep(0.5)
            async with running(two.lead(lambda: work("two"))):
                await asyncio.sleep(9.5)
                assert set(store.members["ingest"]) == {"one", "two"}
            one._log.members = away
            await asyncio.sleep(10)
            assert one.problems() == ["cut"]
            one._log.members = members
            await asyncio.sleep(5)
            assert one.problems() == []

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())

    assert begun == ["one"]
    assert len(asked) < 40


async def test_what_was_being_asked_for_when_the_stop_came_is_given_back_too():
    bus, granted = MemoryBus(), asyncio.Event()
    acquire = bus._log.acquire

    async def slowly(role, partition, *args):
        grant = await acquire(role, partition, *args)
        if partition == "NIFTY" and not granted.is_set():
            granted.set()
            await asyncio.Event().wait()
        return grant

    bus._log.acquire = slowly
    async with running(bus.lead(lambda: bus.publish("NIFTY", [gap(1)], pulse(1)))) as leading:
        await granted.wait()
        await bus.stop()
        async with asyncio.timeout(5):
            await leading

    assert {own.owner for own in bus.store.owns.values()} == {""}


async def test_work_that_finds_the_log_away_is_begun_anew():
    bus, begun = MemoryBus(), []

    async def work():
        begun.append(1)
        if len(begun) == 1:
            raise BusDown("it was only looked at")

    async with running(bus.lead(work)):
        await eventually(lambda: len(begun) == 2)


async def test_a_beat_that_does_not_come_is_late_however_often_the_log_is_called():
    bus, due = MemoryBus(), []
    for second in (1, 1, 2, 2):  # of the feed: a beat is added with the first and the third
        await bus.publish("LATE", [], pulse(second))
        due.append(REGISTRY.get_sample_value("oi_beat_due_seconds", {"partition": "LATE"}))

    assert due[0] == due[1] < due[2] == due[3]


@pytest.mark.parametrize(
    ("market", "feed", "within_s"),
    [
        (MarketState.OPEN, FeedState.OK, 1),
        (MarketState.CLOSED, FeedState.OK, 60),
        (MarketState.OPEN, FeedState.ENDED, math.inf),
    ],
)
async def test_the_next_beat_is_due_when_the_market_says(market, feed, within_s):
    bus, of = MemoryBus(), {"partition": "DUE"}
    before = REGISTRY.get_sample_value("oi_beats_total", of) or 0
    await bus.publish("DUE", [], replace(pulse(1), market=market, feed=feed))

    due_s = REGISTRY.get_sample_value("oi_beat_due_seconds", of) - time.time()
    assert due_s == pytest.approx(within_s, abs=0.5)
    assert REGISTRY.get_sample_value("oi_beats_total", of) == before + 1
