"""Leases that run out while nothing comes, on every implementation of the bus."""

from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from oimon.messages import TICKS
from tests.eventually import eventually
from tests.integration.hand import shorten
from tests.summing import SUMS, at_least, everything, gap, pulse, running


@pytest.fixture
def hasty(monkeypatch):
    """Leases that have run out at each renewal."""
    shorten(monkeypatch, leases_ms=100)
    monkeypatch.setattr("oimon.bus.seat.BLOCK_MS", 250)


@pytest.fixture
async def idle(replicas, hasty):
    """Give an owner that has answered a beat and has nothing to do, and how often it has begun anew."""
    bus, feeder, begun = replicas(), replicas(), []

    def start(partition):
        begun.append(partition)
        return 0

    await feeder.declare(["NIFTY"])
    async with running(bus.own(replace(SUMS, start=start))):
        await feeder.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
        yield bus, begun
        await bus.stop()


def epoch_of(bus) -> int:
    return next((held.epoch for held in bus.held() if held.role == "analytics"), 0)


def told_epoch() -> float | None:
    labels = {"role": "analytics", "partition": "NIFTY"}
    return REGISTRY.get_sample_value("oi_bus_owner_epoch", labels)


def rollbacks() -> float:
    return REGISTRY.get_sample_value("oi_bus_rollback_total")


def refused() -> float:
    return REGISTRY.get_sample_value("oi_bus_fenced_total")


async def test_who_finds_its_lease_run_out_and_untaken_goes_on_with_what_it_knows(idle, replicas):
    bus, begun = idle
    first, feeder = epoch_of(bus), replicas()

    await eventually(lambda: epoch_of(bus) > first)
    told = told_epoch()
    await feeder.publish("NIFTY", [gap(2)], pulse(2))
    outputs = await eventually(lambda: at_least(bus, 2))

    assert [e.message.text for e in outputs] == ["1: 1", "2: 3"]
    assert begun == ["NIFTY"]
    assert told > first


async def test_who_finds_that_another_has_had_its_partition_begins_anew(idle, replicas):
    bus, begun = idle
    other = replicas()

    grant = await eventually(lambda: other._log.acquire("analytics", "NIFTY", TICKS))
    await other._log.release(grant.lease)
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: epoch_of(bus) > int(grant.lease.epoch))

    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_its_place_further_on_than_it_went_begins_anew(idle, hand):
    bus, begun = idle
    before = rollbacks()

    moved_to = hand.move_on()
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: any(held.cursor == moved_to for held in bus.held()))

    assert rollbacks() == before
    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_its_place_set_back_begins_anew_from_there_and_counts_it(idle, hand):
    bus, begun = idle
    first, last = await everything(bus, TICKS)
    before, fenced = rollbacks(), refused()

    hand.set_cursor(first.id, first.n)
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: any(held.cursor == last.id for held in bus.held()))

    assert (rollbacks(), refused()) == (before + 1, fenced)
    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_the_end_of_its_input_lost_begins_anew_and_counts_it(idle, hand):
    _, begun = idle
    before, fenced = rollbacks(), refused()

    hand.lose(TICKS)
    await eventually(lambda: len(begun) == 2)

    assert (rollbacks(), refused()) == (before + 1, fenced)
