"""What a group's members lose is counted; what they share is not."""

import asyncio

import pytest
from prometheus_client import REGISTRY

from oimon.bus import sharing
from oimon.bus.log import stamp
from oimon.bus.memory import MemoryBus
from oimon.errors import TransientError
from oimon.messages import TICKS
from tests.eventually import eventually
from tests.summing import PULSE, gap, running


def holes() -> float:
    return REGISTRY.get_sample_value("oi_bus_hole_entries_total")


def parked_as(why: str) -> float:
    return REGISTRY.get_sample_value("oi_bus_parked_total", {"why": why}) or 0.0


class Sink:
    """Takes entries, once it may."""

    def __init__(self):
        self.taken = []
        self.may_go_on = asyncio.Event()

    async def __call__(self, entries):
        await self.may_go_on.wait()
        self.taken += [entry.n for entry in entries]


async def published(bus, *numbers: int) -> None:
    for number in numbers:
        await bus.publish("NIFTY", [gap(number)], PULSE)


@pytest.fixture
async def bus(monkeypatch):
    monkeypatch.setattr(sharing, "BATCH", 2)
    made = MemoryBus()
    await made.declare(["NIFTY"])
    return made


async def test_what_was_trimmed_before_a_group_was_given_it_is_counted_to_the_entry(bus):
    sink, before = Sink(), holes()
    kept = bus.store.stream(TICKS, "NIFTY")
    await published(bus, *range(10))

    async with running(bus.share("db", [TICKS], sink)):
        await eventually(lambda: bus.store.groups)
        del kept.entries[:7], kept.order[:7]  # two that the sink has in hand, five that nobody has
        sink.may_go_on.set()
        await eventually(lambda: len(sink.taken) == 5)

    assert sink.taken == [1, 2, 8, 9, 10]
    assert holes() - before == 5


async def test_what_another_member_was_given_is_no_hole(bus):
    sink, before = Sink(), holes()
    await published(bus, *range(10))

    async with running(bus.share("db", [TICKS], sink)):
        await eventually(lambda: bus.store.groups)
        group = bus.store.groups["db", TICKS, "NIFTY"]
        await eventually(lambda: group.pending)
        group.last = stamp(bus.store.stream(TICKS, "NIFTY").entries[6].id)  # another was quicker
        sink.may_go_on.set()
        await eventually(lambda: len(sink.taken) == 5)

    assert sink.taken == [1, 2, 8, 9, 10]
    assert holes() == before


async def test_a_new_group_misses_nothing_of_before_it_was(bus):
    sink, before = Sink(), holes()
    sink.may_go_on.set()
    kept = bus.store.stream(TICKS, "NIFTY")
    await published(bus, *range(10))
    del kept.entries[:7], kept.order[:7]

    async with running(bus.share("db", [TICKS], sink)):
        await eventually(lambda: len(sink.taken) == 3)

    assert holes() == before


async def test_a_partition_that_is_declared_later_is_shared_too(bus, monkeypatch):
    monkeypatch.setattr(sharing, "WATCH_S", 0.02)
    sink = Sink()
    sink.may_go_on.set()

    async with running(bus.share("db", [TICKS], sink)):
        await published(bus, 1)
        await eventually(lambda: sink.taken)
        await bus.declare(["NIFTY", "SENSEX"])
        await bus.publish("SENSEX", [gap(2)], PULSE)

        await eventually(lambda: len(sink.taken) == 2)


async def test_a_stop_is_over_in_time_though_entries_keep_coming(bus, monkeypatch):
    monkeypatch.setattr(sharing, "DRAIN_S", 0.1)
    taken = []

    async def sink(entries):
        taken.extend(entries)
        await published(bus, len(taken))
        await asyncio.sleep(0.01)

    await published(bus, 1)
    async with running(bus.share("db", [TICKS], sink)) as sharing_on:
        await eventually(lambda: taken)
        await bus.stop()
        async with asyncio.timeout(2):
            await sharing_on

    assert len(taken) > 1


async def test_a_sink_that_had_nothing_to_do_is_given_what_comes_then(bus, monkeypatch):
    monkeypatch.setattr(sharing, "BLOCK_MS", 10)
    sink, read, reads = Sink(), bus._log.group_read, []

    async def counting(*args):
        reads.append(await read(*args))
        return reads[-1]

    bus._log.group_read = counting
    sink.may_go_on.set()
    async with running(bus.share("db", [TICKS], sink)):
        await eventually(lambda: len(reads) > 2)
        await published(bus, 1)

        await eventually(lambda: sink.taken)


async def test_a_stop_while_the_way_out_is_away_leaves_the_entries_with_the_group(bus):
    asked = []

    async def away(entries):
        asked.append([entry.n for entry in entries])
        raise TransientError("the database is away")

    await published(bus, 1)
    async with running(bus.share("db", [TICKS], away)) as sharing_on:
        await eventually(lambda: asked)
        await bus.stop()
        async with asyncio.timeout(2):
            await sharing_on

    pending = bus.store.groups["db", TICKS, "NIFTY"].pending.values()
    assert [tries for _, _, tries in pending] == [0]


async def test_of_a_batch_that_fails_the_guilty_entry_alone_is_set_aside_and_counted(bus):
    taken, before = [], parked_as("failed")

    async def sink(entries):
        if any(entry.n == 2 for entry in entries):
            raise ZeroDivisionError("a bug")
        taken.extend(entry.n for entry in entries)

    await published(bus, *range(5))
    async with running(bus.share("db", [TICKS], sink)):
        await eventually(lambda: len(taken) == 4)

    [parked] = await bus._log.parked("db", "NIFTY")
    assert taken == [1, 3, 4, 5]
    assert (parked.entry.n, parked.why, parked.tries) == (2, "ZeroDivisionError: a bug", 1)
    assert parked_as("failed") == before + 1
    assert not bus.store.groups["db", TICKS, "NIFTY"].pending
