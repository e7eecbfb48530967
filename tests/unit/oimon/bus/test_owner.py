import asyncio
import contextlib
from dataclasses import replace

from prometheus_client import REGISTRY

from oimon import metrics
from oimon.bus.log import NEVER, stamp
from oimon.bus.memory import MemoryBus, MemoryLog, MemoryStore
from oimon.bus.owner import LEAVE_S, ORPHANED_S, View
from oimon.errors import BusDown
from oimon.messages import TICKS
from tests.eventually import eventually
from tests.simulation.time import ServerClock, VirtualLoop
from tests.summing import SUMS, at_least, gap, pulse, running


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name)


def holes() -> float:
    return counted("oi_bus_hole_entries_total")


def rollbacks() -> float:
    return counted("oi_bus_rollback_total")


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


def looked(life):
    """Run the looks of a replica that is one of two members, of whom the other takes nothing by itself."""
    loop = VirtualLoop()

    async def live():
        store = MemoryStore(ServerClock(loop))
        one, two = MemoryLog(store, "one"), MemoryLog(store, "two")
        await one.declare(["A", "B"])
        view = View(one, "one", "analytics")

        async def look():
            await two.members("analytics")
            await asyncio.sleep(0.25)
            return await view.wanted()

        return await life(look, one, two)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(live())


def test_what_another_took_in_the_meantime_is_left_to_it():
    async def life(look, _, two):
        mine = await look()
        while len(wanted := await look()) < 2:
            pass
        await two.acquire("analytics", *(wanted - mine), TICKS)
        later = [await look() for _ in range(6)]
        return mine, later[-1]

    mine, later = looked(life)

    assert later == mine


def test_an_outage_is_no_time_in_which_anybody_could_have_taken_it(monkeypatch):
    async def life(look, one, _):
        for _ in range(12):
            await look()
        with monkeypatch.context() as outage:
            outage.setattr(one, "members", away)
            with contextlib.suppress(BusDown):
                await look()
            await asyncio.sleep(ORPHANED_S)
        looks = [len(await look()) for _ in range(40)]
        return looks.index(2) * 0.25

    async def away(_role):
        raise BusDown("away")

    assert looked(life) >= ORPHANED_S


async def test_who_is_new_has_lost_nothing_of_what_was_trimmed_before():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(n) for n in range(10)], pulse(1))
    kept, before = bus.store.stream(TICKS, "NIFTY"), holes()
    del kept.entries[:9], kept.order[:9]

    async with running(bus.own(SUMS)):
        [answer] = await eventually(lambda: at_least(bus, 1))

    assert (answer.message.text, holes()) == ("1: 9", before)


async def test_an_input_that_was_lost_and_begun_anew_while_nobody_had_it_is_gone_on_with():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)):
        await bus.publish("NIFTY", [gap(n) for n in range(5)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
    del bus.store.streams[TICKS, "NIFTY"]
    bus.store.own("ingest", "NIFTY").out_n = 0
    read_ms, _ = stamp(bus.store.own("analytics", "NIFTY").cursor)
    await eventually(lambda: bus.store.now_ms() > read_ms)
    await bus.publish("NIFTY", [gap(7)], pulse(2))

    async with running(bus.own(SUMS)):
        (_, last) = await eventually(lambda: at_least(bus, 2))

    assert last.message.text == "2: 7"


async def test_numbers_that_begin_anew_under_an_owner_are_a_rollback_that_is_counted_once():
    bus, begun = MemoryBus(), []

    def start(partition):
        begun.append(partition)
        return 0

    await bus.declare(["NIFTY"])
    async with running(bus.own(replace(SUMS, start=start))):
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
        before = rollbacks()
        bus.store.own("ingest", "NIFTY").out_n = 0
        await bus.publish("NIFTY", [gap(2)], pulse(2))
        (_, last) = await eventually(lambda: at_least(bus, 2))

    assert last.message.text == "2: 3"
    assert (len(begun), rollbacks() - before) == (2, 1)


async def test_who_finds_that_another_has_its_partition_leaves_it(monkeypatch):
    monkeypatch.setattr("oimon.bus.seat.BLOCK_MS", 20)
    bus = MemoryBus()
    other = MemoryLog(bus.store, "other")
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)):
        await eventually(bus.held)
        before = counted("oi_bus_fenced_total")
        bus.store.own("analytics", "NIFTY").until_ms = 0
        await other.acquire("analytics", "NIFTY", TICKS)
        await eventually(lambda: not bus.held())

    assert counted("oi_bus_fenced_total") == before + 1
    assert bus.store.own("analytics", "NIFTY").owner == "other"


async def test_an_answer_that_is_there_is_refused_and_counted():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)):
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
    own, before = bus.store.own("analytics", "NIFTY"), counted("oi_bus_duplicate_refused_total")
    own.cursor, own.in_n = NEVER, 0

    async with running(bus.own(SUMS)):
        await eventually(lambda: own.in_n == 2)

    assert counted("oi_bus_duplicate_refused_total") == before + 1
    assert len(await at_least(bus, 1)) == 1


async def test_a_takeover_is_counted_with_how_and_how_long():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    before, took_s = (
        counted("oi_bus_takeover_seconds_count"),
        counted("oi_bus_takeover_seconds_sum"),
    )
    free = metrics.TAKEOVERS.labels("free")._value.get()
    async with running(bus.own(SUMS)):
        await eventually(lambda: any(held.restored for held in bus.held()))

    assert counted("oi_bus_takeover_seconds_count") == before + 1
    assert metrics.TAKEOVERS.labels("free")._value.get() == free + 1
    assert 0 <= counted("oi_bus_takeover_seconds_sum") - took_s < 5


async def test_who_compares_and_lost_its_place_to_a_rollback_begins_with_the_oldest():
    bus, seen = MemoryBus(), []

    def noting(state, entry):
        seen.append(entry.n)
        return state, ()

    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(1), gap(2)], pulse(1))
    own, stream = bus.store.own("analytics", "NIFTY"), bus.store.stream(TICKS, "NIFTY")
    own.cursor, own.in_n = f"{stream.last[0] + 60_000}-0", 9  # the log had more

    async with running(bus.own(replace(SUMS, handle=noting, compares=True))):
        await eventually(lambda: own.in_n == 3)

    assert seen == [1, 2, 3]


def test_who_waits_for_entries_waits_no_longer_when_it_is_to_stop():
    loop, took_s = VirtualLoop(), []

    async def live():
        bus = MemoryBus(MemoryStore(ServerClock(loop)))
        await bus.declare(["NIFTY"])
        async with running(bus.own(SUMS)) as owning:
            await asyncio.sleep(10.3)
            asked_s = loop.time()
            await bus.stop()
            await owning
            took_s.append(loop.time() - asked_s)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())

    assert took_s[0] < 0.01


def test_a_log_that_hangs_takes_little_of_the_time_to_stop_however_many_roles_there_are():
    loop, took_s = VirtualLoop(), []

    async def hang(*_, **__):
        await asyncio.sleep(5)
        raise BusDown("timed out")

    async def live():
        bus = MemoryBus(MemoryStore(ServerClock(loop)))
        roles = [replace(SUMS, name=name) for name in ("analytics", "notify-a", "notify-b")]
        await bus.declare(["NIFTY"])
        async with contextlib.AsyncExitStack() as stack:
            for role in roles:
                await stack.enter_async_context(running(bus.own(role)))
            await asyncio.sleep(1)
            bus._log.members = hang
            asked_s = loop.time()
            stopping = asyncio.ensure_future(bus.stop())
            await bus._patience.stopping.wait()
            took_s.append(loop.time() - asked_s)
            await stopping

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(live())

    assert took_s[0] <= LEAVE_S


async def test_who_leaves_while_it_looks_wants_nothing():
    log = MemoryLog(MemoryStore(), "one")
    await log.declare(["NIFTY"])
    view, partitions = View(log, "one", "analytics"), log.partitions
    assert await view.wanted() == {"NIFTY"}

    async def slowly():
        await view.leave()
        return await partitions()

    log.partitions = slowly
    view._looked_s = float("-inf")

    assert await view.wanted() == set()


async def test_what_is_granted_to_who_is_leaving_is_given_back():
    bus = MemoryBus()
    acquire, is_asked, may_go_on = bus._log.acquire, asyncio.Event(), asyncio.Event()

    async def slowly(*args):
        is_asked.set()
        await may_go_on.wait()
        return await acquire(*args)

    bus._log.acquire = slowly
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)) as owning:
        await is_asked.wait()
        await bus.stop()
        may_go_on.set()
        async with asyncio.timeout(5):
            await owning

    assert bus.store.own("analytics", "NIFTY").owner == ""


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
