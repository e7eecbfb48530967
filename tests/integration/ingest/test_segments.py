"""Each segment live, against the local broker with a simulated market: what comes out is what a replay of the same frames gives."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from itertools import takewhile

import pytest

from ingest.blocks import Block
from ingest.exchange_clock import InExchangeTime
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import as_mode, name_of_row
from ingest.fakebroker.source import source_of
from ingest.packets import LTP, SNAP_QUOTE
from ingest.recording import open_recording
from ingest.recordings import BUNDLED
from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.universe import Universe
from ingest.smartapi.day import LiveDay
from oimon.bus.memory import MemoryBus
from oimon.codec import encode
from oimon.messages import Beat, ChainAnalysis, QuoteBoard, Session
from oimon.terms import Mode
from tests.eventually import eventually
from tests.integration.ingest.following import analyses, following, note_before, published

DAY = date(2026, 11, 18)
SECONDS = 40


def simulated(universe):
    plan = Plan(seed=7, universe=universe, day=DAY, seconds=SECONDS)
    days = [SimulatedDay(plan, market) for market in markets(plan)]
    return source_of(days, is_simulated=True)


def recorded(seconds):
    """The recorded day up to an instant."""
    source = source_of([open_recording(BUNDLED)], is_simulated=False)
    last_us = source.opens_us + seconds * 1_000_000
    frames = list(takewhile(lambda each: each[0] < last_us, source.play()))
    return replace(source, play=lambda: iter(frames), frames=len(frames), last_us=frames[-1][0])


@asynccontextmanager
async def live(source, folder, **settings):
    """A broker of a feed, a live feed that follows it, and its bus."""
    async with FakeBroker(source, by_hand=True, limits={}) as broker:
        note_before(broker, folder)
        async with following(broker, folder, feed_clock="exchange", **settings) as (feed, bus):
            yield broker, feed, bus


async def played(broker, feed, bus, seconds=SECONDS):
    """Play the day; return what is in each partition's log."""

    async def is_subscribed():
        held = sum(broker.facts()["stream"]["subscriptions"])
        return 0 < held == feed.facts().get("instruments")

    await eventually(is_subscribed, within_s=20)
    await broker.broadcast.play()
    found = {}
    for underlying in await bus.partitions():

        async def is_there(name=underlying):
            beats = [each for each in await published(bus, name) if isinstance(each, Beat)]
            return len(beats) >= seconds - 1

        await eventually(is_there, within_s=20)
        found[underlying] = await published(bus, underlying)
    return found


class Broadcast(LiveDay):
    """What the broker broadcast, as a recording of it would hold it: each packet in the mode that was subscribed."""

    def __init__(self, day, source, indices):
        super().__init__(day.header, day.last)
        self._source, self._indices = source, indices

    def blocks(self):
        times, packets = zip(*self._source.play(), strict=True)
        modes = [LTP if each[1:27] in self._indices else SNAP_QUOTE for each in packets]
        frames = [as_mode(each, mode) for each, mode in zip(packets, modes, strict=True)]
        yield Block(frames=frames, received_us=list(times))


async def replayed(feed, place, broker, session):
    """Return what a replay of the broadcast publishes in the session."""
    partition = feed._day.partitions[place]
    indices = {name for name, each in broker.source.listed.items() if each.row.instrumenttype == "AMXIDX"}  # fmt: skip
    day = Broadcast(partition.day(session.date, mcx_oi=session.mcx_oi), broker.source, indices)
    day.session = lambda _: session
    assert {name_of_row(row) for row in day.header.master} <= set(broker.source.listed)
    bus = MemoryBus()
    await bus.declare([session.underlying])
    for step in Replay(InExchangeTime(day), session.run).steps():
        await bus.publish(session.underlying, step.messages, step.pulse)
    return await published(bus, session.underlying)


INDEX_NAMES = ["BANKNIFTY", "NIFTY", "SENSEX"]


@pytest.mark.parametrize(
    ("universe", "settings", "partitions", "kind"),
    [
        (Universe.INDEX, {"feed_segment": "BFO"}, ["SENSEX"], ChainAnalysis),
        (Universe.INDEX, {"underlyings": ",".join(INDEX_NAMES)}, INDEX_NAMES, ChainAnalysis),
        (Universe.MCX, {"feed_segment": "MCX"}, ["SILVERMIC"], QuoteBoard),
        (
            Universe.MCX,
            {"feed_segment": "MCX", "mcx_name": "GOLDMIC,CRUDEOIL"},
            ["CRUDEOIL", "GOLDM"],
            QuoteBoard,
        ),
        (
            Universe.MCX,
            {"feed_segment": "MCX", "mcx_name": "CRUDEOIL", "mcx_oi": True},
            ["CRUDEOIL"],
            ChainAnalysis,
        ),
        (
            Universe.NSE,
            {"feed_segment": "NSE", "nse_symbols": "RELIANCE,M&M"},
            ["M&M", "RELIANCE"],
            QuoteBoard,
        ),
    ],
    ids=["BFO", "three indices", "MCX", "two commodities", "MCX_OI", "NSE"],
)
async def test_a_segment_live_gives_the_bytes_of_its_replay(
    tmp_path, universe, settings, partitions, kind
):
    async with live(simulated(universe), tmp_path, **settings) as (broker, feed, bus):
        logs = await played(broker, feed, bus)
        facts = feed.facts()

        assert sorted(logs) == partitions
        for place, underlying in enumerate(each.part.underlying for each in feed._day.partitions):
            messages = logs[underlying]
            session, *_ = [each for each in messages if isinstance(each, Session)]
            told = analyses(underlying, messages)
            again = analyses(underlying, await replayed(feed, place, broker, session))
            assert [encode(each) for each in told] == [encode(each) for each in again[: len(told)]]
            assert len(told) == SECONDS - 1
            assert isinstance(told[-1], kind)
            assert told[-1].mode is Mode.LIVE
            assert None not in [oi for oi, expiry in zip(session.instruments.oi_prev, session.instruments.expiry, strict=True) if expiry]  # fmt: skip
    assert facts["oi_prev"]["unknown"] == 0
    assert facts["master"]["warnings"] == []


MINUTES = 12


async def test_the_recorded_day_live_gives_the_bytes_of_its_replay(tmp_path):
    seconds = 60 * MINUTES
    async with live(recorded(seconds), tmp_path) as (broker, feed, bus):
        logs = await played(broker, feed, bus, seconds=seconds - 60)
        (messages,) = logs.values()
        session = next(each for each in messages if isinstance(each, Session))
        told = analyses("NIFTY", messages)
        again = analyses("NIFTY", await replayed(feed, 0, broker, session))

    assert len(told) >= seconds - 61
    assert [encode(each) for each in told] == [encode(each) for each in again[: len(told)]]
    assert len(told[-1].chain.strike) > 20
