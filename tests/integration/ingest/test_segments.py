"""Each segment live, against the local broker with a simulated market: what comes out is what a replay of the same frames gives."""

import asyncio
import random
from contextlib import asynccontextmanager
from datetime import date

import pytest

from analytics.desk import Desk, handle
from ingest.blocks import Block
from ingest.config import IngestSettings
from ingest.exchange_clock import InExchangeTime
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import as_mode, name_of_row
from ingest.fakebroker.source import source_of
from ingest.feed import Interest
from ingest.master.library import Library
from ingest.packets import LTP, SNAP_QUOTE
from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.universe import Universe
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import credentials
from ingest.smartapi.day import LiveDay
from ingest.smartapi.feed import LiveFeed
from ingest.smartapi.limits import Endpoint, Limit, Limits
from ingest.smartapi.note import Notes
from ingest.smartapi.stream import Line
from ingest.smartapi.watchdog import Patience
from oimon import calendar
from oimon.bus import Entry
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.codec import encode, kind_of
from oimon.messages import TICKS, Beat, ChainAnalysis, QuoteBoard, Session
from oimon.terms import Mode, Segment
from tests.eventually import eventually

DAY = date(2026, 11, 18)
YESTERDAY = date(2026, 11, 17)
SECONDS = 40
QUICK = Patience(first_wait_s=0.05, longest_wait_s=0.2)
NO_LIMITS = dict.fromkeys(Endpoint, Limit(second=1000))


@asynccontextmanager
async def live(universe, folder, **settings):
    """A broker with a simulated market, a live feed that has subscribed to what is wanted of it, and its bus."""
    plan = Plan(seed=7, universe=universe, day=DAY, seconds=SECONDS)
    days = [SimulatedDay(plan, market) for market in markets(plan)]
    async with FakeBroker(source_of(days, is_simulated=True), by_hand=True, limits={}) as broker:
        told = {name.lower(): value for name, value in broker.settings().items()}
        asked = IngestSettings(
            feed="live", feed_clock="exchange", data_dir=folder, **told, **settings
        )
        note_all(folder, asked.smartapi_url, days)
        bus, clock = MemoryBus(), SystemClock()
        feed = LiveFeed(
            bus,
            clock,
            asked,
            Account(credentials(asked), clock, limits=Limits(clock, NO_LIMITS)),
            Library.of(asked, clock),
            Line(url=asked.smartapi_stream_url, patience=QUICK, dice=random.Random(1)),
        )
        running = asyncio.ensure_future(feed.run())
        try:
            yield broker, feed, bus
        finally:
            running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running


def note_all(folder, url, days):
    """Leave a note of the session before, so that all is known from the first session entry on."""
    noted = {}
    for day in days:
        header = day.header
        for row, oi in zip(header.master, header.oi_prev, strict=True):
            if row.expiry:
                close_us = calendar.close_us(Segment(row.exch_seg), YESTERDAY)
                noted[row.exch_seg, row.token] = Interest(oi, close_us)
    Notes(folder, url).write(YESTERDAY, noted)


async def played(broker, feed, bus):
    """Play the day; return what is in each partition's log."""

    async def is_subscribed():
        held = sum(broker.facts()["stream"]["subscriptions"])
        return 0 < held == feed.facts().get("instruments")

    await eventually(is_subscribed, within_s=20)
    await broker.broadcast.play()
    found = {}
    for underlying in await bus.partitions():

        async def is_there(name=underlying):
            beats = [each for each in await log(bus, name) if isinstance(each, Beat)]
            return len(beats) >= SECONDS - 1

        await eventually(is_there, within_s=20)
        found[underlying] = await log(bus, underlying)
    return found


async def log(bus, underlying):
    return [entry.message for entry in await bus.entries(TICKS, underlying, NEVER)]


def answers(underlying, messages):
    """Return what analytics says to each beat."""
    desk, found = Desk(partition=underlying), []
    for n, message in enumerate(messages, start=1):
        entry = Entry(
            stream=TICKS, partition=underlying, id=f"{n}-0", kind=kind_of(message), version=1,
            data=encode(message), n=n, at_ms=0,
        )  # fmt: skip
        desk, outputs = handle(desk, entry)
        found += [output.message for output in outputs]
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


async def replay(feed, place, broker, session):
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
    return await log(bus, session.underlying)


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
    async with live(universe, tmp_path, **settings) as (broker, feed, bus):
        logs = await played(broker, feed, bus)
        facts = feed.facts()

        assert sorted(logs) == partitions
        for place, underlying in enumerate(each.part.underlying for each in feed._day.partitions):
            messages = logs[underlying]
            session, *_ = [each for each in messages if isinstance(each, Session)]
            told = answers(underlying, messages)
            again = answers(underlying, await replay(feed, place, broker, session))
            assert [encode(each) for each in told] == [encode(each) for each in again[: len(told)]]
            assert len(told) == SECONDS - 1
            assert isinstance(told[-1], kind)
            assert told[-1].mode is Mode.LIVE
            assert None not in [oi for oi, expiry in zip(session.instruments.oi_prev, session.instruments.expiry, strict=True) if expiry]  # fmt: skip
    assert facts["oi_prev"]["unknown"] == 0
    assert facts["master"]["warnings"] == []
