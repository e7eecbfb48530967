"""What is published, and its beats, on every implementation of the bus."""

import asyncio
from dataclasses import replace

import pytest

from oimon.bus.redis import RedisLog
from oimon.messages import TICKS
from tests.eventually import eventually
from tests.summing import PULSE, everything, gap, pulse, running


async def test_a_beat_follows_the_batch_once_the_second_is_new(replicas):
    bus = replicas()

    await bus.publish("NIFTY", [gap(1)], pulse(0))
    await bus.publish("NIFTY", [gap(2)], pulse(10))
    await bus.publish("NIFTY", [gap(3)], pulse(10))
    await bus.publish("NIFTY", [], pulse(11))

    entries = await everything(bus, TICKS)
    assert [entry.kind for entry in entries] == ["gap", "gap", "beat", "gap", "beat"]
    assert [e.message.ts_us for e in entries if e.kind == "beat"] == [10_000_000, 11_000_000]
    assert [entry.n for entry in entries] == [1, 2, 3, 4, 5]


async def test_a_new_run_begins_its_own_beats(replicas):
    bus = replicas()

    await bus.publish("NIFTY", [], pulse(10))
    await bus.publish("NIFTY", [], pulse(5, run="run-2"))

    assert [e.message.ts_us for e in await everything(bus, TICKS)] == [10_000_000, 5_000_000]


async def test_the_server_s_clock_makes_at_most_one_beat_a_step(replicas):
    bus = replicas()
    live = replace(PULSE, event_us=None)

    for _ in range(5):
        await bus.publish("NIFTY", [], live)

    beats = [e.message.ts_us for e in await everything(bus, TICKS)]
    assert 1 <= len(beats) <= 2
    assert all(ts_us % 1_000_000 == 0 for ts_us in beats)


async def test_every_batch_is_a_beat_when_the_step_is_nought(replicas):
    bus = replicas(beat_ms=0)
    live = replace(PULSE, event_us=None)

    for _ in range(3):
        await bus.publish("NIFTY", [gap(1)], live)

    assert [e.kind for e in await everything(bus, TICKS)] == ["gap", "beat"] * 3


async def test_a_repeat_with_the_same_number_adds_nothing_and_is_answered_as_before(replicas):
    bus = replicas()
    lease = (await bus._log.acquire("ingest", "NIFTY")).lease

    first = await bus._log.publish(lease, TICKS, 1, [], pulse(1))
    again = await bus._log.publish(lease, TICKS, 1, [], pulse(2))

    none = await bus._log.publish(lease, TICKS, 2, [], pulse(1))
    none_again = await bus._log.publish(lease, TICKS, 2, [], pulse(2))

    assert first == again > 0
    assert (none, none_again) == (0, 0)
    assert [entry.message.ts_us for entry in await everything(bus, TICKS)] == [first]


async def test_what_was_published_can_be_read_backwards(replicas):
    bus = replicas()
    for second in range(300):
        await bus.publish("NIFTY", [gap(second)], pulse(second))

    found = [entry async for entry in bus.backwards("NIFTY")]

    assert found == list(reversed(await everything(bus, TICKS)))
    assert len(found) > 300
    assert [entry async for entry in bus.backwards("SENSEX")] == []


async def test_who_publishes_leads_and_the_other_stands_by_until_it_leaves(replicas):
    first, second = replicas(), replicas()
    led = []

    async def work(name, bus):
        led.append((name, (await bus.place("NIFTY")).beat_us))
        while True:
            await bus.publish("NIFTY", [], pulse(len(led)))
            await asyncio.sleep(0.01)

    async with running(first.lead(lambda: work("first", first))) as leading:
        await eventually(lambda: led)
        async with running(second.lead(lambda: work("second", second))):
            await asyncio.sleep(0.3)
            assert [name for name, _ in led] == ["first"]
            await first.stop()
            await leading
            await eventually(lambda: len(led) == 2)

    assert led == [("first", 0), ("second", 1_000_000)]


@pytest.mark.parametrize("name", ["nifty", "NIF TY", "", "N" * 33])
async def test_a_partition_s_name_is_checked(redis_url, name):
    log = RedisLog(redis_url, "me")

    with pytest.raises(ValueError, match="partition"):
        await log.newest(TICKS, name)
    await log.close()
