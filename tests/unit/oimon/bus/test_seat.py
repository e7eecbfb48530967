import asyncio
import json
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from oimon import metrics
from oimon.bus import Keeping, Output, Role
from oimon.bus.log import LEASE_TTL_MS, NEVER, Draft, stamp
from oimon.bus.memory import MemoryBus, MemoryLog, MemoryStore
from oimon.bus.standing import Standing
from oimon.errors import BusDown
from oimon.messages import OUTBOX, TICKS
from oimon.terms import MarketState
from tests.eventually import eventually
from tests.simulation.time import ServerClock, VirtualLoop
from tests.summing import (
    PULSE,
    SUMS,
    at_least,
    failing_half_way,
    gap,
    pulse,
    running,
    summing,
    text,
)


async def sums(bus: MemoryBus, count: int) -> list[str]:
    """Return what was answered, once there are so many answers."""
    found = await eventually(lambda: at_least(bus, count))
    return [entry.message.text for entry in found]


async def with_one_gap_after_an_answer(store: MemoryStore, bus: MemoryBus) -> str:
    """Have a beat answered and an entry taken in that nobody answers; return that entry's id."""
    await bus.publish("NIFTY", [gap(1)], pulse(1))
    await sums(bus, 1)
    await bus.publish("NIFTY", [gap(2)], pulse(1))
    last = store.stream(TICKS, "NIFTY").entries[-1].id
    await eventually(lambda: bus.held()[0].cursor == last)
    return last


async def test_an_entry_that_nobody_answers_is_taken_in_without_a_write():
    store = MemoryStore()
    bus = MemoryBus(store)
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)):
        last = await with_one_gap_after_an_answer(store, bus)

        assert stamp(store.own("analytics", "NIFTY").cursor) < stamp(last)
        await eventually(lambda: store.own("analytics", "NIFTY").cursor == last)  # within a second
        await bus.publish("NIFTY", [gap(3)], pulse(2))
        assert await sums(bus, 2) == ["1: 1", "2: 6"]


async def test_who_stops_brings_the_cursor_to_where_its_state_stands():
    store = MemoryStore()
    bus = MemoryBus(store)
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)) as owner:
        last = await with_one_gap_after_an_answer(store, bus)
        await bus.stop()
        await owner

    assert store.own("analytics", "NIFTY").cursor == last


async def test_a_successor_takes_in_again_what_the_cursor_was_not_moved_over():
    store = MemoryStore()
    dead, successor = MemoryBus(store, "dead"), MemoryBus(store, "successor")
    await dead.declare(["NIFTY"])
    async with running(dead.own(SUMS)):
        await with_one_gap_after_an_answer(store, dead)
    store.own("analytics", "NIFTY").until_ms -= LEASE_TTL_MS

    async with running(successor.own(SUMS)):
        await dead.publish("NIFTY", [gap(3)], pulse(2))

        assert await sums(successor, 2) == ["1: 1", "2: 6"]


async def test_nothing_to_read_is_no_lag_for_the_metric_either():
    bus = MemoryBus()
    await bus.publish("NIFTY", [gap(n) for n in range(1, 4)], pulse(1))
    grant = await bus._log.acquire("analytics", "NIFTY", TICKS)
    standing, of = Standing(bus._log, grant.lease), {"role": "analytics", "partition": "NIFTY"}
    first = bus.store.stream(TICKS, "NIFTY").entries[0]

    await standing.measure_lag(first, full=True)
    behind = REGISTRY.get_sample_value("oi_bus_lag_entries", of)
    standing.no_lag()  # the others were parked

    assert behind == 3
    assert REGISTRY.get_sample_value("oi_bus_lag_entries", of) == 0


async def test_who_works_entry_by_entry_tells_how_many_wait():
    bus, lags = MemoryBus(), []
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(n) for n in range(1, 10)], pulse(1))
    grant = await bus._log.acquire("analytics", "NIFTY", TICKS)
    await bus._log.attempt(grant.lease, bus.store.stream(TICKS, "NIFTY").entries[0].id)

    def noting(total, entry):
        lags.extend(held.lag for held in bus.held() if held.role == "analytics")
        return summing(total, entry)

    async with running(bus.own(replace(SUMS, handle=noting))):
        await sums(bus, 1)

    assert lags == [0, 9, 8, 7, 6, 5, 4, 3, 2, 1]


async def test_what_is_set_aside_after_entries_that_nobody_answered_is_passed_for_good():
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)) as owner:
        await with_one_gap_after_an_answer(bus.store, bus)
        producer = bus.store.own("ingest", "NIFTY")
        bus.store.append(TICKS, "NIFTY", producer, Draft("", "gap", b"no JSON"))
        bus.store.wake(TICKS)
        await eventually(lambda: bus.held()[0].parked)
        held, _ = bus.held()
        await bus.stop()
        await owner

    [parked] = await bus._log.parked("analytics", "NIFTY")
    own = bus.store.own("analytics", "NIFTY")
    assert (held.cursor, held.parked) == (parked.entry.id, 1)
    assert (own.cursor, own.owner) == (parked.entry.id, "")


async def test_who_works_entry_by_entry_leaves_each_behind_before_the_next():
    bus, cursors = MemoryBus(), []
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(n) for n in range(1, 10)], pulse(1))
    ids = [entry.id for entry in bus.store.stream(TICKS, "NIFTY").entries]
    grant = await bus._log.acquire("analytics", "NIFTY", TICKS)
    await bus._log.attempt(grant.lease, ids[0])

    def noting(total, entry):
        cursors.append(bus.store.own("analytics", "NIFTY").cursor)
        return summing(total, entry)

    async with running(bus.own(replace(SUMS, handle=noting))):
        await sums(bus, 1)

    assert cursors == [NEVER, *ids[:-1]]


LISTING = replace(
    SUMS,
    start=lambda _: [],
    handle=failing_half_way(on=13),
    keeping=Keeping(
        schema=1,
        freeze=lambda state: json.dumps(state).encode(),
        thaw=lambda _, data: json.loads(data),
    ),
)


async def test_a_state_that_an_entry_has_left_half_changed_is_not_kept(monkeypatch):
    monkeypatch.setattr("oimon.bus.restore.SNAPSHOT_BEATS", 1)
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(1)], pulse(1))
    await bus.publish("NIFTY", [gap(13)], pulse(2))  # read together with what was answered

    async with running(bus.own(LISTING)):
        assert await sums(bus, 2) == ["1", "1"]


def test_a_lease_does_not_run_out_however_long_the_entries_in_hand_take():
    loop, left_ms = VirtualLoop(), []
    store = MemoryStore(ServerClock(loop))
    bus = MemoryBus(store)

    def slowly(total, entry):
        left_ms.append(store.own("analytics", "NIFTY").until_ms - store.now_ms())
        loop.jump(0.2)  # as where 200 underlyings take their turns
        return summing(total, entry)

    async def work_a_batch():
        await bus.declare(["NIFTY"])
        for second in range(1, 61):
            await bus.publish("NIFTY", [], pulse(second))
        async with running(bus.own(replace(SUMS, handle=slowly))):
            await asyncio.sleep(20)  # of the loop's own time

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(work_a_batch())

    assert len(left_ms) == 60
    assert min(left_ms) > LEASE_TTL_MS / 2


def test_where_a_beat_comes_once_a_minute_the_state_is_kept_with_each():
    loop, kept = VirtualLoop(), []
    store = MemoryStore(ServerClock(loop))
    bus = MemoryBus(store)
    summed = replace(
        SUMS, keeping=Keeping(schema=1, freeze=lambda total: b"%d" % total, thaw=lambda _, data: int(data))
    )  # fmt: skip
    closed = replace(pulse(1), market=MarketState.CLOSED, age_ms=None, event_us=None)

    async def work_a_night():
        await bus.declare(["NIFTY"])
        async with running(bus.own(summed)):
            for _ in range(4 * 300):  # a call every quarter of a second for five minutes
                await bus.publish("NIFTY", [], closed)
                await asyncio.sleep(0.25)
                found = store.snapshots.get(("analytics", "NIFTY"))
                if found is not None and found not in kept:
                    kept.append(found)
            return await at_least(bus, 1)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        answers = runner.run(work_a_night())

    assert len(answers) == 5
    assert len(kept) == 4, "all but the first, after which nothing was old yet"


async def test_what_follows_the_first_entry_is_told_also_when_telling_it_fails_at_first(
    monkeypatch,
):
    bus, enqueue, left = MemoryBus(), MemoryLog.enqueue, [1]
    await bus.declare(["NIFTY"])

    async def failing_once(self, *given):
        if left:
            left.pop()
            raise BusDown("the request was lost")
        return await enqueue(self, *given)

    monkeypatch.setattr(MemoryLog, "enqueue", failing_once)

    def told(number, entry):
        words = [] if number is None else [Output(OUTBOX, text("told"), id=entry.id)]
        return entry.message.from_us, words

    role = Role(
        name="notify", reads=TICKS, writes=OUTBOX, to="telegram", compares=True,
        start=lambda _: None, handle=told,
    )  # fmt: skip
    async with running(bus.own(role)):
        await bus.settle(1)  # it has looked, and there was nothing
        await bus.publish("NIFTY", [gap(1), gap(2), gap(3)], PULSE)
        outbox = bus.store.stream(OUTBOX, "telegram")
        await eventually(lambda: len(outbox.entries) == 2)


@pytest.mark.parametrize(("to", "counted"), [(None, 2), ("telegram", 0)])
async def test_advice_that_is_skipped_is_counted_of_who_gives_advice(to, counted):
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    skipped = metrics.ADVICE_SKIPPED.labels("skipping")
    before = skipped._value.get()
    await bus.publish("NIFTY", [gap(1), gap(2), gap(3)], PULSE)
    role = Role(
        name="skipping", reads=TICKS, writes=OUTBOX, to=to, newest_only=True,
        start=lambda _: None, handle=lambda state, _: (state, ()),
    )  # fmt: skip

    async with running(bus.own(role)):
        last = bus.store.stream(TICKS, "NIFTY").entries[-1].id
        await eventually(lambda: bus.store.own("skipping", "NIFTY").cursor == last)

    assert skipped._value.get() - before == counted
