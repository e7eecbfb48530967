import asyncio

from prometheus_client import REGISTRY

from oimon.bus.memory import MemoryBus, MemoryLog, MemoryStore
from oimon.bus.owner import ORPHANED_S
from oimon.messages import TICKS
from tests.eventually import eventually
from tests.simulation.time import ServerClock, VirtualLoop
from tests.summing import SUMS, at_least, gap, pulse, running


def holes() -> float:
    return REGISTRY.get_sample_value("oi_bus_hole_entries_total")


async def test_what_was_trimmed_unread_is_counted_to_the_entry_and_told():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)):
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
    await bus.publish("NIFTY", [gap(n) for n in range(10)], pulse(2))
    kept, before = bus.store.stream(TICKS, "NIFTY"), holes()
    del kept.entries[:9], kept.order[:9]  # two that were read, seven that were not

    async with running(bus.own(SUMS)):
        await eventually(lambda: at_least(bus, 2))
        [error] = [held.last_error for held in bus.held() if held.role == "analytics"]

    assert holes() - before == 7
    assert error == f"7 entries of {TICKS}:NIFTY were trimmed before they were read"


def test_what_nobody_has_is_taken_by_anyone_after_a_while():
    loop, had = VirtualLoop(), []

    async def live():
        store = MemoryStore(ServerClock(loop))
        bus, idle = MemoryBus(store, "one"), MemoryLog(store, "two")
        await bus.declare(["A", "B"])
        async with running(bus.own(SUMS)):
            for _ in range(40):
                await idle.members("analytics")  # it lives, and takes nothing
                await asyncio.sleep(0.25)
                had.append(len(bus.held()))

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())

    first_s = had.index(2) * 0.25
    assert had[3] == 1
    assert ORPHANED_S <= first_s <= ORPHANED_S + 2


async def test_who_stops_is_no_member_before_it_has_given_anything_back():
    bus, members = MemoryBus(me="one"), []
    release = bus._log.release

    async def noting(*args):
        members.extend(bus.store.members["analytics"])
        await release(*args)

    bus._log.release = noting
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)) as owning:
        await eventually(bus.held)
        assert list(bus.store.members["analytics"]) == ["one"]
        await bus.stop()
        await owning

    assert bus.store.own("analytics", "NIFTY").owner == ""
    assert members == []
