import secrets
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from ingest.instruments import Instrument
from ingest.master.plan import Ask, Chain, Part
from ingest.packets import LTP, SNAP_QUOTE
from ingest.smartapi.again import Unfinished, since, unfinished
from ingest.smartapi.partition import Partition
from oimon.bus import Pulse
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.messages import Beat, Gap, Session
from oimon.terms import FeedState, Kind, MarketState, Segment

DAY = "2026-11-25"
RUN = f"{DAY}-live-abc123"
START_US = 1_795_578_301_000_000
SPOT = Instrument(
    exchange="NSE", token="99926000", symbol="Nifty 50", underlying="NIFTY", kind=Kind.INDEX, expiry=None, strike=None, lot=1, tick=0.0,
)  # fmt: skip
STRIKES = (24_200.0, 24_250.0, 24_300.0)
LEGS = {
    strike: [
        Instrument(
            exchange="NFO", token=f"{strike:.0f}{kind}", symbol=f"NIFTY01DEC26{strike:.0f}{kind}", underlying="NIFTY", kind=kind,
            expiry="2026-12-01", strike=strike, lot=65, tick=0.05,
        )
        for kind in (Kind.CE, Kind.PE)
    ]
    for strike in STRIKES
}  # fmt: skip
KEYS = {name: (leg.exchange, leg.token) for strike, legs in LEGS.items() for name, leg in zip((f"{strike:.0f}CE", f"{strike:.0f}PE"), legs, strict=True)}  # fmt: skip


def part_of(legs, underlying="NIFTY", segment=Segment.NFO):
    chain = Chain(
        underlying=underlying, expiry="2026-12-01", spot=SPOT, strikes=sorted(legs), legs=legs
    )
    return Part(
        underlying=underlying, segment=segment, always=[Ask(SPOT, LTP)], chains=[chain], off=[]
    )


PART = part_of(LEGS)


@pytest.fixture
def clock():
    return ManualClock(START_US)


@pytest.fixture
def store(clock):
    return MemoryStore(clock)


@asynccontextmanager
async def replica(store):
    """One of the replicas that publish, until it gives back what it holds."""
    bus = MemoryBus(store, secrets.token_hex(3), beat_ms=1000)
    yield bus
    await bus.stop()


def pulse(run=RUN):
    return Pulse(run=run, market=MarketState.OPEN, feed=FeedState.OK, age_ms=0)


def a_partition(strikes=(24_250.0, 24_200.0)):
    """Return what was subscribed in the order of these strikes, with what is known of it."""
    partition = Partition(part=PART)
    partition.add([Ask(SPOT, LTP), *(Ask(leg, SNAP_QUOTE) for each in strikes for leg in LEGS[each])])  # fmt: skip
    partition.prev_close = {KEYS["24250CE"]: 101.5}
    partition.oi_prev = {KEYS["24250PE"]: 6500}
    return partition


async def published(store, *calls, run=RUN):
    """Publish, each call with the beat of another second."""
    async with replica(store) as bus:
        for messages in calls:
            await bus.publish("NIFTY", messages, pulse(run))
            store.clock.advance(1.0)


async def session(store, partition, *, run=RUN):
    """Publish a session of the partition and two beats; return the session."""
    said = partition.day(DAY, mcx_oi=False, run=run).session(run)
    await published(store, [said], [], run=run)
    return said


async def look(store, *parts, day=DAY, suffix="", mcx_oi=False) -> Unfinished:
    async with replica(store) as bus:
        return await unfinished(bus, parts or [PART], day, suffix=suffix, mcx_oi=mcx_oi)


async def test_a_run_goes_on_with_its_instruments_in_their_order_and_what_was_known(store):
    said = await session(store, a_partition())

    found = await look(store)

    assert (found.run, found.why) == (RUN, "")
    assert found.since_us == START_US + 1_000_000
    partition = Partition(part=PART)
    partition.go_on(found.partitions["NIFTY"])
    assert partition.day(DAY, mcx_oi=False, run=RUN).session(RUN) == said
    asks = found.partitions["NIFTY"].asks(PART)
    assert [ask.mode for ask in asks] == [LTP] + [SNAP_QUOTE] * 4
    assert partition.add(asks) is False
    partition.add(Ask(leg, SNAP_QUOTE) for leg in LEGS[24_300.0])
    assert [each.symbol for each in partition.found[-2:]] == [leg.symbol for leg in LEGS[24_300.0]]


async def test_the_newest_session_counts_whatever_was_published_after_it(store):
    partition = a_partition()
    await session(store, partition)
    partition.add(Ask(leg, SNAP_QUOTE) for leg in LEGS[24_300.0])
    await session(store, partition)
    await published(store, *([Gap(from_us=n, to_us=n, why="made")] for n in range(700)))

    found = await look(store)

    assert len(found.partitions["NIFTY"].found) == 7


async def test_nothing_published_is_a_new_run_without_a_word(store):
    found = await look(store)

    assert found.run.startswith(f"{DAY}-live-")
    assert (found.partitions, found.why) == ({}, "")
    assert (await look(store)).run != found.run


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"day": "2026-11-26"}, "is of another day, feed or start"),
        ({"suffix": "xyz"}, "is of another day, feed or start"),
        ({"mcx_oi": True}, "its day, source, segment or MCX_OI is another"),
        ({"part": part_of(LEGS, segment=Segment.BFO)}, "its day, source, segment or MCX_OI"),
        ({"part": part_of({24_200.0: LEGS[24_200.0]})}, "NIFTY01DEC2624250CE is no longer among"),
        (
            {"part": part_of(LEGS | {24_250.0: [replace(leg, lot=75) for leg in LEGS[24_250.0]]})},
            "the broker's list says something else of NIFTY01DEC2624250CE now",
        ),
    ],
    ids=["another day", "another start", "MCX_OI", "segment", "fewer strikes", "another lot"],
)
async def test_what_does_not_fit_begins_a_new_run_and_says_why(store, asked, why):
    await session(store, a_partition())

    part = asked.pop("part", PART)
    found = await look(store, part, **asked)

    assert found.run != RUN
    assert found.partitions == {}
    assert RUN in found.why
    assert why in found.why


async def test_a_named_start_has_a_run_of_that_name_and_goes_on_with_it(store):
    first = await look(store, suffix="f00")
    assert first.run == f"{DAY}-live-f00"
    await session(store, a_partition(), run=first.run)

    assert (await look(store, suffix="f00")).partitions
    other = await look(store, part_of({}), suffix="f00")
    assert other.run.startswith(first.run)
    assert other.run != first.run


async def test_a_log_that_lost_its_sessions_is_no_run_to_go_on_with(store):
    await published(store, [])

    found = await look(store)

    assert found.partitions == {}
    assert "the log no longer says what its ticks are of" in found.why


async def test_an_underlying_that_was_not_part_of_the_run_joins_it(store):
    await session(store, a_partition())

    found = await look(store, part_of(LEGS, "BANKNIFTY"), PART)

    assert found.run == RUN
    assert list(found.partitions) == ["NIFTY"]


async def test_what_was_published_since_a_beat_is_given_in_order_and_no_other_run_s(store):
    partition = a_partition()
    await session(store, partition, run=f"{DAY}-live-older")
    await session(store, partition)
    gap = Gap(from_us=1, to_us=2, why="closed")
    await published(store, [gap])

    async with replica(store) as bus:
        after, is_all = await since(bus, "NIFTY", RUN, START_US + 3_000_000)
        everything, has_beat = await since(bus, "NIFTY", RUN, 0)

    assert is_all
    assert [type(each) for each in after] == [Gap, Beat]
    assert not has_beat
    assert [type(each) for each in everything][-5:] == [Session, Beat, Beat, Gap, Beat]
    assert not any(isinstance(each, Session) and each.run != RUN for each in everything)
