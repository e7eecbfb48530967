import asyncio
import threading
from itertools import pairwise

import pytest

from ingest.feed import TICKS_CACHE
from ingest.pump import Pump
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.codec import MAX_TICKS
from oimon.messages import TICKS, Beat, TickBatch
from tests.builders import make_frame, make_session, make_tokens
from tests.eventually import eventually

SESSION = make_session()


@pytest.fixture
async def bus():
    return MemoryBus(beat_ms=100)


@pytest.fixture
async def pump(bus):
    """A pump that runs."""
    TICKS_CACHE.start(SESSION)
    pump = Pump(
        bus,
        SystemClock(),
        SESSION,
        make_tokens(["99926000", "40637"]),
        flush_ms=5,
        beat_ms=100,
    )
    running = asyncio.ensure_future(pump.run())
    yield pump
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def messages(bus):
    return [entry.message for entry in await bus.entries(TICKS, "NIFTY", NEVER)]


async def sequences(bus):
    return [
        seq
        for message in await messages(bus)
        if isinstance(message, TickBatch)
        for seq in message.records["seq"].tolist()
    ]


async def test_frames_of_a_thread_reach_the_bus_in_order_after_the_session(bus, pump):
    def feed():
        for n in range(1, 501):
            pump.buffer.put(make_frame(sequence=n), 1_000_000 + n)

    thread = threading.Thread(target=feed)
    thread.start()
    await asyncio.to_thread(thread.join)

    async def all_of_them():
        return len(await sequences(bus)) == 500

    await eventually(all_of_them)
    assert await sequences(bus) == list(range(1, 501))
    assert (await messages(bus))[0].run == SESSION.run
    assert list(TICKS_CACHE.values())[1].ltp == 123.85


async def test_many_frames_go_on_in_few_calls(bus, pump):
    for n in range(1, 5001):
        pump.buffer.put(make_frame(sequence=n), n)

    async def all_of_them():
        return len(await sequences(bus)) == 5000

    await eventually(all_of_them)
    batches = [m for m in await messages(bus) if isinstance(m, TickBatch)]
    assert [len(batch.records) for batch in batches] == [MAX_TICKS, 5000 - MAX_TICKS]


async def test_a_quiet_feed_has_its_beats_and_they_grow_old(bus, pump):
    pump.buffer.put(make_frame(), SystemClock().now_us())

    async def old():
        beats = [m for m in await messages(bus) if isinstance(m, Beat)]
        return beats if beats and (beats[-1].age_ms or 0) >= 200 else None

    beats = await eventually(old)
    times = [beat.ts_us for beat in beats]
    assert len(times) > 2
    assert all(before < after for before, after in pairwise(times))
    assert all(ts_us % 100_000 == 0 for ts_us in times)


async def test_a_beat_says_how_many_ticks_gave_way_to_newer_ones(bus, pump):
    for n in range(20_000):
        pump.buffer.put(make_frame(sequence=n), n)

    async def told():
        return sum(m.conflated for m in await messages(bus) if isinstance(m, Beat))

    conflated = await eventually(told)
    assert conflated + len(await sequences(bus)) == 20_000
    assert (await sequences(bus))[-1] == 19_999
