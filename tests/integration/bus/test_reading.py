"""Sinks that share, subscribers, what is kept, on every implementation of the bus."""

import asyncio

from oimon.bus.log import Retention
from oimon.bus.sharing import MAX_TRIES
from oimon.errors import TransientError
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.summing import PULSE, SUMS, everything, gap, pulse, running


async def test_a_sink_is_given_every_entry_also_those_of_before_it_began(replicas):
    bus, feeder = replicas(), replicas()
    await bus.declare(["NIFTY", "SENSEX"])
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    rows = []

    async def sink(entries):
        rows.extend(entry.key for entry in entries)

    async with running(bus.share("db", [TICKS, ANALYSIS], sink)):
        await feeder.publish("SENSEX", [gap(2)], PULSE)
        await feeder.publish("NIFTY", [gap(3)], PULSE)
        await eventually(lambda: len(rows) >= 3)

    assert len(rows) == len(set(rows)) == 3


async def test_a_sink_that_is_away_gets_the_same_entries_again(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])
    calls = []

    async def sink(entries):
        calls.append([entry.id for entry in entries])
        if len(calls) < 3:
            raise TransientError("the database is away")

    async with running(bus.share("db", [TICKS], sink)):
        await bus.publish("NIFTY", [gap(1)], PULSE)
        await eventually(lambda: len(calls) >= 3)

    assert calls[0] == calls[1] == calls[2]


async def test_whoever_dies_waiting_for_what_is_away_does_not_count_against_the_entries(
    replicas, hand
):
    feeder = replicas()
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    entries = await everything(feeder, TICKS)
    asked = []

    async def away(entries):
        asked.append(len(entries))
        raise TransientError("the database is away")

    for _ in range(MAX_TRIES + 2):
        asked.clear()
        async with running(replicas().share("db", [TICKS], away)):
            await eventually(lambda: len(asked) > 1)
        hand.leave_idle("db", entries[0])
    written = []

    async def sink(entries):
        written.extend(entries)

    async with running(replicas().share("db", [TICKS], sink)):
        await eventually(lambda: written)

    assert written == entries
    assert await feeder._log.parked("db", "NIFTY") == []


async def test_what_was_handed_out_too_often_is_parked_but_not_while_the_sink_is_away(
    replicas, hand
):
    bus, feeder = replicas(), replicas()
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    [entry] = await feeder._log.group_read("db", [TICKS], "NIFTY", 10, 0)
    for _ in range(MAX_TRIES):
        hand.leave_idle("db", entry)
        await feeder._log.group_claim("db", [TICKS], "NIFTY", 10)
    hand.leave_idle("db", entry)
    parked = []

    async def sink(entries):
        assert not entries
        parked.append(len(await feeder._log.parked("db", "NIFTY")))
        if len(parked) < 3:
            raise TransientError("the database is away")

    async with running(bus.share("db", [TICKS], sink)):
        [found] = await eventually(lambda: feeder._log.parked("db", "NIFTY"))

    assert parked == [0, 0, 0]
    assert found.why == "whoever was given it died, 5 times"


async def test_a_stopping_sink_drains_what_is_left(replicas):
    bus, feeder = replicas(), replicas()
    await bus.declare(["NIFTY"])
    rows = []

    async def sink(entries):
        rows.extend(entries)

    sharing = asyncio.ensure_future(bus.share("db", [TICKS], sink))
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    await eventually(lambda: rows)
    for _ in range(200):
        await feeder.publish("NIFTY", [gap(1)], PULSE)
    await bus.stop()
    await sharing

    assert len(rows) == 201


async def test_a_subscriber_sees_the_newest_and_then_what_comes(replicas):
    bus, feeder = replicas(), replicas()
    await feeder.publish("NIFTY", [gap(1), gap(2)], PULSE)
    seen = []

    async def watch():
        async for entry in bus.subscribe([TICKS], "NIFTY"):
            seen.append(entry.message.from_us)  # noqa: PERF401 - looked at while it grows

    async with running(watch()):
        await eventually(lambda: seen)
        await feeder.publish("NIFTY", [gap(3)], PULSE)
        await eventually(lambda: len(seen) > 1)

    assert seen == [2, 3]


async def test_what_is_kept_is_bounded(replicas):
    bus = replicas(retention=Retention(analyses=100))
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)):
        for second in range(1, 1500):
            await bus.publish("NIFTY", [], pulse(second))
        await eventually(lambda: _newest_is(bus, "1499: 0"))

    assert len(await everything(bus)) < 1400


async def _newest_is(bus, words: str) -> bool:
    newest = await bus.latest(ANALYSIS, "NIFTY")
    return newest is not None and newest.message.text == words


async def test_statuses_of_all_replicas_are_read_from_the_bus(replicas):
    bus, other = replicas(), replicas()

    await bus.put_status("ingest", "one", {"service": "ingest"})
    await other.put_status("analytics", "two", {"service": "analytics"})

    assert sorted(s["service"] for s in await bus.statuses()) == ["analytics", "ingest"]
