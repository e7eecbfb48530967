"""The live feed by its own clock against the local broker: a connection that is lost, quotes in its place, and the hole that is filled."""

from contextlib import asynccontextmanager

from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.faults import arm
from ingest.smartapi import backing, quoting
from oimon.clock import SystemClock
from oimon.messages import Gap, Session, TickBatch, TickFlag
from tests.eventually import eventually
from tests.fakes.smartapi import OPENS_US, ROWS, SECOND, a_source
from tests.integration.ingest.following import following, published

SECONDS = 600


class MarketClock(SystemClock):
    """This machine's, set to the broker's day: five minutes after its market has opened."""

    def __init__(self):
        self._ahead_us = OPENS_US + 300 * SECOND - SystemClock().now_us()

    def now_us(self):
        return super().now_us() + self._ahead_us


@asynccontextmanager
async def live(folder):
    clock = MarketClock()
    async with (
        FakeBroker(a_source(SECONDS), by_hand=True, limits={}, clock=clock) as broker,
        following(broker, folder, clock=clock, wait_s=1.0) as (
            feed,
            bus,
        ),  # long enough for quotes in its place
    ):
        yield broker, feed, bus


async def log(bus, kind):
    return [message for message in await published(bus, "NIFTY") if isinstance(message, kind)]


async def test_a_lost_connection_is_bridged_by_quotes_and_its_hole_filled(tmp_path, monkeypatch):
    monkeypatch.setattr(quoting, "CHECK_S", 1.0)
    monkeypatch.setattr(quoting, "LOOK_S", 0.1)
    monkeypatch.setattr(backing, "CONNECTED_S", 0.2)
    async with live(tmp_path) as (broker, feed, bus):
        await broker.broadcast.play(until_us=OPENS_US + 300 * SECOND)

        async def knows_yesterday():
            sessions = await log(bus, Session)
            return sessions and sessions[-1].instruments.oi_prev.count(65 * 900) == len(ROWS) - 1

        await eventually(knows_yesterday, within_s=20)
        arm(broker.faults, "close")
        await broker.broadcast.play(until_us=OPENS_US + 302 * SECOND)

        async def has_quotes():
            return any(
                (b.records["flags"] & TickFlag.REST).any() for b in await log(bus, TickBatch)
            )

        await eventually(has_quotes, within_s=20)
        await eventually(lambda: feed.facts()["connections"][0]["connects"] == 2, within_s=20)

        async def is_filled():
            gaps = await log(bus, Gap)
            return gaps if len(gaps) == 2 else None

        gap, filled = await eventually(is_filled, within_s=20)
        await eventually(lambda: feed.facts()["checks"])
        facts = feed.facts()

    assert (gap.filled, gap.rows, gap.why) == (False, None, "the broker closed the connection")
    assert (filled.from_us, filled.to_us, filled.filled) == (gap.from_us, gap.to_us, True)
    assert sorted(filled.rows) == list(range(len(ROWS))), "the index too: quotes came in between"
    assert facts["gaps"] == {"filled": len(ROWS), "not_filled": 0, "to_come": 0}
    assert facts["oi_prev"] == {"note": 0, "broker": len(ROWS) - 1, "unknown": 0}
    assert facts["checks"]["oi"]["differs"] == 0
    (note,) = (tmp_path / "oi").glob("*/2026-11-25.json")
    assert note.stat().st_size > 0
