"""The live feed against the local broker: the real SDK logs in, our own socket receives, analyses come out."""

import asyncio
import random
import secrets
from contextlib import asynccontextmanager

import pytest

from analytics.desk import Desk, handle
from ingest.blocks import Block
from ingest.config import IngestSettings
from ingest.exchange_clock import InExchangeTime
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.faults import arm
from ingest.instruments import Instrument
from ingest.master.library import Library
from ingest.replay import Replay
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import credentials
from ingest.smartapi.day import LiveDay, live_day
from ingest.smartapi.feed import LiveFeed
from ingest.smartapi.limits import Endpoint, Limit, Limits
from ingest.smartapi.stream import Line
from ingest.smartapi.watchdog import Patience
from oimon.bus import Entry
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import SystemClock
from oimon.codec import encode, kind_of
from oimon.messages import TICKS, Beat, ChainAnalysis, Gap, Session
from oimon.terms import FeedState, Kind, Mode
from tests.eventually import eventually
from tests.fakes.smartapi import OPENS_US, ROWS, SECOND, a_source, frames

SECONDS = 90
NO_LIMITS = dict.fromkeys(Endpoint, Limit(second=1000))
QUICK = Patience(first_wait_s=0.05, longest_wait_s=0.2)


@pytest.fixture
async def broker():
    async with FakeBroker(a_source(SECONDS), by_hand=True, limits={}) as broker:
        yield broker


@asynccontextmanager
async def following(broker, folder, store=None):
    """A live feed of the broker's day that runs, and its bus; it gives back what it holds when the context is left."""
    told = {name.lower(): value for name, value in broker.settings().items()}
    settings = IngestSettings(feed="live", feed_clock="exchange", data_dir=folder, **told)
    bus, clock = MemoryBus(store, secrets.token_hex(3)), SystemClock()
    feed = LiveFeed(
        bus,
        clock,
        settings,
        Account(credentials(settings), clock, limits=Limits(clock, NO_LIMITS)),
        Library.of(settings, clock),
        Line(url=settings.smartapi_stream_url, patience=QUICK, dice=random.Random(1)),
    )
    running = asyncio.ensure_future(feed.run())
    try:
        yield feed, bus
    finally:
        running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await bus.stop()


async def messages(bus):
    return [entry.message for entry in await bus.entries(TICKS, "NIFTY", NEVER)]


async def subscribed(broker):
    await eventually(lambda: len(broker.facts()["stream"]["subscriptions"]) == 1, within_s=30)
    await eventually(
        lambda: sum(broker.facts()["stream"]["subscriptions"]) == len(ROWS), within_s=30
    )


async def beat(bus, second):
    """Wait for the beat of a second of the broadcast."""

    async def is_there():
        seen = [each.ts_us for each in await messages(bus) if isinstance(each, Beat)]
        return seen and seen[-1] >= OPENS_US + second * SECOND

    await eventually(is_there, within_s=20)


def analyses(messages):
    desk, answers = Desk(partition="NIFTY"), []
    for n, message in enumerate(messages, start=1):
        entry = Entry(
            stream=TICKS, partition="NIFTY", id=f"{n}-0", kind=kind_of(message), version=1,
            data=encode(message), n=n, at_ms=0,
        )  # fmt: skip
        desk, outputs = handle(desk, entry)
        answers += [output.message for output in outputs]
    return answers


class TheSameDay(LiveDay):
    """What the broker broadcast, as a recording of it would hold it."""

    def blocks(self):
        times, packets = zip(*frames(SECONDS), strict=True)
        yield Block(frames=list(packets), received_us=list(times))


async def test_a_day_of_the_broker_gives_the_bytes_of_its_replay(broker, tmp_path):
    async with following(broker, tmp_path) as (feed, bus):
        await subscribed(broker)
        await broker.broadcast.play()
        await beat(bus, SECONDS - 1)
        live, facts = await messages(bus), feed.facts()

    session, *again = [each for each in live if isinstance(each, Session)]
    assert again == [session]
    told, replayed = analyses(live), analyses(await replay(session))
    assert len(told) == SECONDS - 1
    assert [encode(each) for each in told] == [encode(each) for each in replayed[: len(told)]]
    newest = told[-1]
    assert isinstance(newest, ChainAnalysis)
    assert newest.mode is Mode.LIVE
    assert newest.spot == pytest.approx(24_196.35 + 0.05 * (SECONDS - 2))
    assert newest.chain.ce.oi.tolist() == [65.0 * (1000 + place + 1) for place in (2, 4, 6)]
    assert facts["state"] is FeedState.OK
    assert facts["session"]["logins"] == 1


async def test_a_connection_that_is_closed_leaves_a_gap_and_the_newest_values(broker, tmp_path):
    async with following(broker, tmp_path) as (feed, bus):
        await subscribed(broker)
        await broker.broadcast.play(until_us=OPENS_US + 30 * SECOND)
        await beat(bus, 29)
        arm(broker.faults, "close")
        await broker.broadcast.play(until_us=OPENS_US + 40 * SECOND)
        await eventually(lambda: feed.facts()["connections"][0]["connects"] == 2, within_s=20)
        await subscribed(broker)
        await broker.broadcast.play()
        await beat(bus, SECONDS - 1)
        live, facts = await messages(bus), feed.facts()

    (gap,) = [each for each in live if isinstance(each, Gap)]
    assert gap.why == "the broker closed the connection"
    assert gap.rows is None
    assert OPENS_US + 28 * SECOND < gap.from_us < gap.to_us <= OPENS_US + 41 * SECOND
    newest = analyses(live)[-1]
    assert newest.is_gapped
    assert newest.spot == pytest.approx(24_196.35 + 0.05 * (SECONDS - 2))
    assert facts["session"]["logins"] == 1, "a closed connection asks for no login"


async def test_a_successor_goes_on_with_the_run_and_what_was_known(broker, tmp_path):
    store = MemoryStore()
    async with following(broker, tmp_path, store) as (_, bus):
        await subscribed(broker)
        await broker.broadcast.play(until_us=OPENS_US + 30 * SECOND)
        await beat(bus, 29)
    await eventually(lambda: not any(broker.facts()["stream"]["subscriptions"]), within_s=20)
    await broker.broadcast.play(until_us=OPENS_US + 40 * SECOND)
    async with following(broker, tmp_path, store) as (feed, bus):
        await subscribed(broker)
        await broker.broadcast.play()
        await beat(bus, SECONDS - 1)
        live, facts = await messages(bus), feed.facts()

    sessions = [each for each in live if isinstance(each, Session)]
    assert {each.run for each in sessions} == {facts["run"]}
    assert {tuple(each.instruments.token) for each in sessions} == {tuple(sessions[0].instruments.token)}  # fmt: skip
    (gap,) = [each for each in live if isinstance(each, Gap)]
    assert gap.why == "ingest was not running"
    assert gap.rows is None
    assert (gap.from_us - OPENS_US) // SECOND == 29
    assert (gap.to_us - OPENS_US) // SECOND in (39, 40)
    beats = [each.ts_us for each in live if isinstance(each, Beat)]
    assert beats == sorted(set(beats))
    newest = analyses(live)[-1]
    assert newest.history_s >= SECONDS - 5
    assert newest.is_gapped
    assert newest.spot == pytest.approx(24_196.35 + 0.05 * (SECONDS - 2))
    assert facts["recording"] is None, "a day by the exchange's clock is a recording already"


async def replay(session):
    """Return what a replay of the broadcast publishes in the session."""
    columns = session.instruments
    found = [
        Instrument(
            exchange="NSE" if kind is Kind.INDEX else "NFO", token=token, symbol=symbol, underlying="NIFTY",
            kind=kind, expiry=expiry, strike=strike, lot=lot, tick=tick,
        )
        for token, symbol, kind, expiry, strike, lot, tick in zip(
            columns.token, columns.symbol, columns.kind, columns.expiry, columns.strike, columns.lot, columns.tick,
            strict=True,
        )
    ]  # fmt: skip
    day = live_day(
        "NIFTY", session.segment, session.date, found, prev_close={}, oi_prev={}, mcx_oi=False
    )
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    same = TheSameDay(day.header, day.last)
    same.session = lambda _: session
    for step in Replay(InExchangeTime(same), session.run).steps():
        await bus.publish("NIFTY", step.messages, step.pulse)
    return await messages(bus)
