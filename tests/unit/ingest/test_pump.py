import asyncio
import threading
from contextlib import asynccontextmanager
from itertools import pairwise

import numpy as np
import pytest

from ingest.feed import MAX_WAITING, TICKS_CACHE
from ingest.header import Last
from ingest.pump import Pump
from ingest.smartapi.day import LiveDay
from oimon import metrics
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.codec import MAX_TICKS
from oimon.messages import TICKS, Beat, Gap, Session, TickBatch, TickFlag
from oimon.terms import FeedState, MarketState
from tests.builders import make_frame, make_header, make_row
from tests.eventually import eventually

RUN = "2026-11-25-test"


def make_day(underlying="NIFTY", index="99926000", legs=("40637",), **header):
    """Return a live day of the index, or of none, and some options."""
    master = [make_row(index, kind="INDEX", name=underlying)] if index else []
    master += [
        make_row(token, strike=24_200 + 50 * number, name=underlying)
        for number, token in enumerate(legs)
    ]
    made = make_header(underlying=underlying, master=master, has_beats=True, run=RUN, **header)
    return LiveDay(made, Last(frames=0, first_us=0, last_us=0, digest=""))


DAY = make_day()
SESSION = DAY.session(RUN)


@pytest.fixture(autouse=True)
def market_is_open(monkeypatch):
    """Whatever the hour is at which the tests run: while it is closed and nothing comes, there is a beat a minute."""
    monkeypatch.setattr("ingest.pump.market_state", lambda *_: MarketState.OPEN)


@pytest.fixture
async def bus():
    return MemoryBus(beat_ms=100)


@pytest.fixture
async def pump(bus):
    """A pump that runs."""
    async with running(make_pump(bus)) as pump:
        yield pump


def make_pump(bus, *, beat_ms=100, recorder=None):
    TICKS_CACHE.start(SESSION)
    return Pump(bus, SystemClock(), [DAY], RUN, flush_ms=5, beat_ms=beat_ms, recorder=recorder)


def pump_of_two(bus):
    """Return a pump of two underlyings with two instruments each."""
    days = [make_day(index="", legs="12"), make_day("BANKNIFTY", index="", legs="34")]
    TICKS_CACHE.start(*(day.session(RUN) for day in days))
    return Pump(bus, SystemClock(), days, RUN, flush_ms=5, beat_ms=100)


@asynccontextmanager
async def running(pump):
    task = asyncio.ensure_future(pump.run())
    yield pump
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class HoldingBack:
    """A bus that has a beat for the session, then none for so many calls; says what it was called with."""

    def __init__(self, calls_without):
        self.without = range(2, 2 + calls_without)
        self.calls = []

    async def publish(self, underlying, messages, pulse):
        self.calls.append(([type(each) for each in messages], pulse.conflated))
        return len(self.calls) not in self.without


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
    metrics.FEED_AGE.labels("NIFTY").set(0)
    pump.buffer.put(make_frame(), SystemClock().now_us())

    async def old():
        beats = [m for m in await messages(bus) if isinstance(m, Beat)]
        return beats if beats and (beats[-1].age_ms or 0) >= 200 else None

    beats = await eventually(old)
    times = [beat.ts_us for beat in beats]
    assert len(times) > 2
    assert all(before < after for before, after in pairwise(times))
    assert all(ts_us % 100_000 == 0 for ts_us in times)
    age_s = metrics.FEED_AGE.labels("NIFTY")._value.get()
    assert age_s >= 0.2, "the dashboard's panel shows it"


async def test_a_beat_says_how_many_ticks_gave_way_to_newer_ones(bus, pump):
    for n in range(20_000):
        pump.buffer.put(make_frame(sequence=n), n)

    async def told():
        return sum(m.conflated for m in await messages(bus) if isinstance(m, Beat))

    conflated = await eventually(told)
    assert conflated + len(await sequences(bus)) == 20_000
    assert (await sequences(bus))[-1] == 19_999


async def test_a_beat_that_was_held_back_is_asked_for_until_it_is_there():
    held_back = (
        20  # calls: a second at the slowest pace of asking again, 5 s at that of a quiet feed
    )
    bus = HoldingBack(held_back)
    pump = make_pump(bus, beat_ms=0)
    for n in range(MAX_WAITING + 1):  # one more than may wait: the older ones of a token give way
        pump.buffer.put(make_frame(sequence=n), n)

    async with running(pump):
        await eventually(lambda: len(bus.calls) >= held_back + 2, within_s=4.0)

    assert bus.calls[0] == ([Session], 0)
    assert bus.calls[1] == ([TickBatch], MAX_WAITING)
    assert set(map(repr, bus.calls[2 : held_back + 2])) == {repr(([], MAX_WAITING))}
    assert all(call == ([], 0) for call in bus.calls[held_back + 2 :])


async def test_ticks_of_several_underlyings_go_to_their_own_partitions_with_rows_of_their_own(bus):
    pump = pump_of_two(bus)
    for n, token in enumerate(["4", "2", "3", "4"] * 10, start=1):
        pump.buffer.put(make_frame(token, sequence=n), n)
    assert not await bus.entries(TICKS, "NIFTY", NEVER)

    async with running(pump):

        async def all_of_them():
            return await told(bus, "BANKNIFTY")

        found = await eventually(all_of_them)

    first = await bus.entries(TICKS, "BANKNIFTY", NEVER)
    assert first[0].message.underlying == "BANKNIFTY"
    rows, seqs = found
    assert rows == [1, 0, 1] * 10
    assert seqs == [n for n in range(1, 41) if n % 4 != 2]
    assert (await told(bus, "NIFTY")) == ([1] * 10, list(range(2, 41, 4)))


async def test_tokens_are_looked_up_in_one_table_and_no_underlying_has_one_of_its_own(bus):
    """At the size of an exchange the others would be a fifth of what ingest holds."""
    days = [make_day(index="", legs="12"), make_day("BANKNIFTY", index="", legs="34")]
    pump = Pump(bus, SystemClock(), days, RUN, flush_ms=5, beat_ms=100)
    pump.buffer.put(make_frame("2"), 1)

    async with running(pump):

        async def found():
            return await told(bus, "NIFTY")

        await eventually(found)

    assert not any("tokens" in vars(day) for day in days)


async def test_an_underlying_without_ticks_has_its_beats_while_another_has_many(bus):
    pump = pump_of_two(bus)

    async with running(pump):
        feeding = asyncio.ensure_future(feed_on(pump, "2"))

        async def has_beats():
            found = await bus.entries(TICKS, "BANKNIFTY", NEVER)
            return len([entry for entry in found if entry.kind == "beat"]) > 5

        await eventually(has_beats)
        feeding.cancel()

    quiet = await bus.entries(TICKS, "BANKNIFTY", NEVER)
    busy = await bus.entries(TICKS, "NIFTY", NEVER)
    assert {entry.kind for entry in quiet} == {"session", "beat"}
    assert {entry.kind for entry in busy} == {"session", "beat", "ticks"}
    assert all(entry.message.age_ms is None for entry in quiet if entry.kind == "beat")


async def told(bus, partition):
    """Return rows and numbers of all ticks of a partition, none as long as there are none."""
    batches = [
        e.message.records for e in await bus.entries(TICKS, partition, NEVER) if e.kind == "ticks"
    ]
    rows, seqs = ([int(x) for b in batches for x in b[name]] for name in ("row", "seq"))
    return (rows, seqs) if rows else None


async def feed_on(pump, token):
    n = 0
    while True:
        n += 1
        pump.buffer.put(make_frame(token, sequence=n), n)
        await asyncio.sleep(0.001)


async def test_a_beat_says_what_is_known_of_the_feed(bus):
    state = [FeedState.OK]
    pump = Pump(bus, SystemClock(), [DAY], RUN, flush_ms=5, beat_ms=100, state=lambda: state[0])

    async def newest():
        beats = [each for each in await messages(bus) if isinstance(each, Beat)]
        return beats and beats[-1].feed

    async with running(pump):
        await eventually(newest)
        state[0] = FeedState.DOWN

        async def is_down():
            return await newest() is FeedState.DOWN

        await eventually(is_down)


async def test_a_call_that_is_under_way_at_the_end_is_waited_for_and_none_comes_after_it(bus):
    class Slow:
        def __init__(self):
            self.called, self.may_end, self.ended = asyncio.Event(), asyncio.Event(), 0

        async def publish(self, *_):
            self.called.set()
            await self.may_end.wait()
            self.ended += 1
            return 0

    slow = Slow()
    async with running(make_pump(slow)) as pump:
        await slow.called.wait()
        holding = asyncio.ensure_future(pump.hold())
        await asyncio.sleep(0)
        assert not holding.done()
        slow.may_end.set()
        await holding
        pump.buffer.put(make_frame(), 1)
        await asyncio.sleep(0.05)
        assert slow.ended == 1


async def test_an_underlying_does_not_wait_for_another_s_call():
    class OneIsSlow:
        def __init__(self):
            self.may_end, self.calls = asyncio.Event(), []

        async def publish(self, underlying, messages, _):
            self.calls.append((underlying, [type(each) for each in messages]))
            if underlying == "NIFTY" and TickBatch in self.calls[-1][1]:
                await self.may_end.wait()
            return 1

    bus = OneIsSlow()
    pump = pump_of_two(bus)
    async with running(pump):
        pump.buffer.put(make_frame("1"), 1)
        await eventually(lambda: ("NIFTY", [TickBatch]) in bus.calls)
        pump.buffer.put(make_frame("3"), 2)
        await eventually(lambda: ("BANKNIFTY", [TickBatch]) in bus.calls)

        pump.buffer.put(make_frame("2"), 3)  # waits for the call that is under way
        await asyncio.sleep(0.02)
        pump.buffer.put(make_frame("4"), 4)  # and nothing more is taken meanwhile
        await asyncio.sleep(0.02)
        assert sum(TickBatch in kinds for _, kinds in bus.calls) == 2

        bus.may_end.set()
        await eventually(lambda: sum(TickBatch in kinds for _, kinds in bus.calls) == 4)


async def test_a_gap_is_told_before_the_ticks_after_it(bus, pump):
    pump.buffer.put(make_frame(sequence=1), 1_000_000)
    await eventually(lambda: sequences(bus))

    pump.tell("NIFTY", Gap(from_us=1, to_us=2, why="closed"))
    pump.buffer.put(make_frame(sequence=2), 2_000_000)

    async def is_there():
        return await sequences(bus) == [1, 2]

    await eventually(is_there)
    kinds = [type(each) for each in await messages(bus) if not isinstance(each, Beat)]
    assert kinds == [Session, TickBatch, Gap, TickBatch]


async def test_a_session_with_instruments_added_is_told_before_their_ticks(bus, pump):
    more = make_day(legs=("40637", "40638"))

    pump.renew([more])
    pump.buffer.put(make_frame(token="40638", sequence=3), 1_000_000)

    async def is_there():
        return await sequences(bus) == [3]

    await eventually(is_there)
    told = [each for each in await messages(bus) if not isinstance(each, Beat)]
    assert [type(each) for each in told] == [Session, Session, TickBatch]
    assert told[2].table == told[1].table == more.session(RUN).table
    assert told[2].records["row"].tolist() == [2]


async def test_the_session_is_said_again_from_time_to_time(bus, pump, monkeypatch):
    monkeypatch.setattr("ingest.pump.SESSION_EVERY_S", 0.2)

    async def sessions():
        return [each for each in await messages(bus) if isinstance(each, Session)]

    async def is_said_thrice():
        return len(await sessions()) >= 3

    await eventually(is_said_thrice)
    assert await sessions() == [SESSION] * len(await sessions())
    beats = [each for each in await messages(bus) if isinstance(each, Beat)]
    assert len(await sessions()) <= len(beats)


async def test_what_is_newest_of_a_symbol_is_kept_when_instruments_are_added(bus, pump):
    pump.buffer.put(make_frame(), 1_000_000)
    symbol = SESSION.instruments.symbol[1]
    await eventually(lambda: TICKS_CACHE[symbol].ltp == 123.85)

    pump.renew([make_day(prev_close=[24_000.0, None])])

    assert TICKS_CACHE[symbol].ltp == 123.85
    assert TICKS_CACHE[SESSION.instruments.symbol[0]].ltp is None


async def test_ticks_that_were_asked_for_in_the_feed_s_place_say_so(bus, pump):
    pump.buffer.put(make_frame(sequence=1), 2_000_000)
    pump.beside.put(make_frame(sequence=2), 1_000_000)

    async def are_there():
        return await sequences(bus) == [2, 1]  # in the order in which they came

    await eventually(are_there)
    batches = [each for each in await messages(bus) if isinstance(each, TickBatch)]
    flags = np.concatenate([each.records["flags"] for each in batches])
    came = [
        each.received_us + after
        for each in batches
        for after in each.records["received_after_us"].tolist()
    ]
    assert (flags & TickFlag.REST > 0).tolist() == [True, False]
    assert came == [1_000_000, 2_000_000]
