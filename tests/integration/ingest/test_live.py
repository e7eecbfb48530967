"""The live feed against the local broker: the real SDK logs in, our own socket receives, analyses come out."""

import pytest

from ingest.blocks import Block
from ingest.exchange_clock import InExchangeTime
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.faults import arm
from ingest.instruments import Instrument
from ingest.replay import Replay
from ingest.smartapi.day import LiveDay, live_day
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.codec import encode
from oimon.messages import Beat, ChainAnalysis, Gap, Session
from oimon.terms import FeedState, Kind, Mode
from tests.eventually import eventually
from tests.fakes.smartapi import OPENS_US, ROWS, SECOND, a_source, frames
from tests.integration.ingest.following import analyses, following, note_before, published

SECONDS = 90


@pytest.fixture
async def broker(tmp_path):
    async with FakeBroker(a_source(SECONDS), by_hand=True, limits={}) as broker:
        note_before(broker, tmp_path)
        yield broker


async def messages(bus):
    return await published(bus, "NIFTY")


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


class TheSameDay(LiveDay):
    """What the broker broadcast, as a recording of it would hold it."""

    def blocks(self):
        times, packets = zip(*frames(SECONDS), strict=True)
        yield Block(frames=list(packets), received_us=list(times))


async def test_a_day_of_the_broker_gives_the_bytes_of_its_replay(broker, tmp_path):
    async with following(broker, tmp_path, feed_clock="exchange") as (feed, bus):
        await subscribed(broker)
        await broker.broadcast.play()
        await beat(bus, SECONDS - 1)
        live, facts = await messages(bus), feed.facts()

    session, *again = [each for each in live if isinstance(each, Session)]
    assert again == [session]
    told, replayed = analyses("NIFTY", live), analyses("NIFTY", await replay(session))
    assert len(told) == SECONDS - 1
    assert [encode(each) for each in told] == [encode(each) for each in replayed[: len(told)]]
    newest = told[-1]
    assert isinstance(newest, ChainAnalysis)
    assert newest.mode is Mode.LIVE
    assert newest.spot == pytest.approx(24_196.35 + 0.05 * (SECONDS - 2))
    assert newest.chain.ce.oi.tolist() == [65.0 * (1000 + place + 1) for place in (2, 4, 6)]
    assert facts["state"] is FeedState.OK
    assert facts["session"]["logins"] == 1


DAMAGE = (
    "truncated", "oversized", "random", "wrong-mode", "text", "duplicate", "out-of-order", "old-day", "absurd",
)  # fmt: skip
"""What comes beside packets and changes nothing: rows 24 to 26 of the fault matrix; a clock that is ahead moves this feed's own."""


async def test_what_comes_damaged_twice_or_late_changes_no_byte(broker, tmp_path):
    async with following(broker, tmp_path, feed_clock="exchange") as (feed, bus):
        await subscribed(broker)
        for each in DAMAGE:
            arm(broker.faults, f"{each}=0.05")
        await broker.broadcast.play()
        await beat(bus, SECONDS - 1)
        live, facts = await messages(bus), feed.facts()

    assert set(broker.faults.facts()["struck"]) == set(DAMAGE)
    session, *again = [each for each in live if isinstance(each, Session)]
    assert again == [session]
    told, replayed = analyses("NIFTY", live), analyses("NIFTY", await replay(session))
    assert len(told) == SECONDS - 1
    assert [encode(each) for each in told] == [encode(each) for each in replayed[: len(told)]]
    assert [each["connects"] for each in facts["connections"]] == [1]


async def test_a_connection_that_is_closed_leaves_a_gap_and_the_newest_values(broker, tmp_path):
    async with following(broker, tmp_path, feed_clock="exchange") as (feed, bus):
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
    newest = analyses("NIFTY", live)[-1]
    assert newest.is_gapped
    assert newest.spot == pytest.approx(24_196.35 + 0.05 * (SECONDS - 2))
    assert facts["session"]["logins"] == 1, "a closed connection asks for no login"


async def test_a_successor_goes_on_with_the_run_and_what_was_known(broker, tmp_path):
    store = MemoryStore()
    async with following(broker, tmp_path, store=store, feed_clock="exchange") as (_, bus):
        await subscribed(broker)
        await broker.broadcast.play(until_us=OPENS_US + 30 * SECOND)
        await beat(bus, 29)
    await eventually(lambda: not any(broker.facts()["stream"]["subscriptions"]), within_s=20)
    await broker.broadcast.play(until_us=OPENS_US + 40 * SECOND)
    async with following(broker, tmp_path, store=store, feed_clock="exchange") as (feed, bus):
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
    newest = analyses("NIFTY", live)[-1]
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
