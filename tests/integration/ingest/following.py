"""A live feed of a local broker within the test's own loop, and what analytics makes of what it publishes."""

import asyncio
import random
import secrets
from contextlib import asynccontextmanager
from datetime import date

import pytest

from analytics.desk import Desk, handle
from ingest.config import IngestSettings
from ingest.feed import Interest
from ingest.master.library import Library
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import credentials
from ingest.smartapi.day import Key
from ingest.smartapi.feed import LiveFeed
from ingest.smartapi.limits import Endpoint, Limit, Limits
from ingest.smartapi.line import Line
from ingest.smartapi.note import Notes
from ingest.smartapi.watchdog import Patience
from oimon import calendar
from oimon.bus import Entry
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.codec import encode, kind_of
from oimon.messages import TICKS
from oimon.terms import Segment

NO_LIMITS = dict.fromkeys(Endpoint, Limit(second=1000))


@asynccontextmanager
async def following(broker, folder, *, store=None, clock=None, wait_s=0.1, **settings):
    """A live feed of the broker's day that runs, and its bus; it gives back what it holds when the context is left.

    Args:
        broker: one without limits.
        folder: of the feed's data.
        store: what the bus holds; a new one where none is given.
        clock: of the feed; this machine's where none is given.
        wait_s: between two attempts to connect, about.
        settings: beside those that the broker gives.
    """
    told = {name.lower(): value for name, value in broker.settings().items()}
    asked = IngestSettings(feed="live", data_dir=folder, **told, **settings)
    bus, clock = MemoryBus(store, secrets.token_hex(3)), clock or SystemClock()
    patience = Patience(first_wait_s=wait_s, longest_wait_s=wait_s)
    feed = LiveFeed(
        bus,
        clock,
        asked,
        Account(credentials(asked), clock, limits=Limits(clock, NO_LIMITS)),
        Library.of(asked, clock),
        Line(url=asked.smartapi_stream_url, patience=patience, dice=random.Random(1)),
    )
    running = asyncio.ensure_future(feed.run())
    try:
        yield feed, bus
    finally:
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await bus.stop()


def note_before(broker, folder):
    """Leave a note of the session before, so that all is known from the first session entry on."""
    notes: dict[date, dict[Key, Interest]] = {}
    for each in broker.source.listed.values():
        if each.row.expiry:
            segment = Segment(each.row.exch_seg)
            day = calendar.previous_trading_day(segment, date.fromisoformat(broker.source.date))
            at_close = Interest(each.oi_prev, calendar.close_us(segment, day))
            notes.setdefault(day, {})[each.row.exch_seg, each.row.token] = at_close
    for day, found in notes.items():
        Notes(folder, broker.url).write(day, found)


async def published(bus, underlying):
    """Return the messages of an underlying's log."""
    return [entry.message for entry in await bus.entries(TICKS, underlying, NEVER)]


def analyses(underlying, messages):
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
