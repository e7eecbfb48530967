"""Both coaches behind the bus protocol, on lists: one advice an analysis, and a take-over that loses nothing."""

import asyncio
import contextlib

import pytest

from coach_minimal.main import offline_role as minimal_role
from coach_rich.main import offline_role as rich_role
from oimon.bus import Output, Pulse, Role
from oimon.bus.log import LEASE_TTL_MS
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, TICKS, Beat
from oimon.terms import Action, FeedState, MarketState
from tests.eventually import eventually
from tests.unit.coach.market import NOON_US, make_analysis

BIDS = [150.0, 150.0, 185.0, 175.0, 162.0, 162.0, 160.0]  # bought, trailed, stopped


def make_analyst():
    """A stand-in for analytics: each beat's analysis, its calls' prices from a script."""

    def handle(state, entry):
        beat = entry.message
        if not isinstance(beat, Beat):
            return state, ()
        bid = BIDS[min(state, len(BIDS) - 1)]
        return state + 1, (Output(ANALYSIS, make_analysis(beat.ts_us, bid=bid, ask=bid + 0.2)),)

    return Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: 0, handle=handle)


def make_store():
    return MemoryStore(ManualClock(NOON_US))


@contextlib.asynccontextmanager
async def working(store, name, *roles):
    """A replica that dies at the end without a word; its leases run out."""
    bus = MemoryBus(store, name)
    tasks = [asyncio.ensure_future(bus.own(role)) for role in roles]
    yield bus
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    store.clock.advance(LEASE_TTL_MS / 1000 + 1)


async def beats(bus, first, count):
    for second in range(first, first + count):
        pulse = Pulse(
            run="run-1",
            market=MarketState.OPEN,
            feed=FeedState.OK,
            age_ms=300,
            event_us=NOON_US + second * 1_000_000,
        )
        await bus.publish("NIFTY", [], pulse)


async def advised(store, count):
    entries = store.stream(ADVICE_MINIMAL, "NIFTY").entries
    await eventually(lambda: len(entries) == count)
    return [entry.message for entry in entries]


async def played(store, *, break_after=None):
    feed = MemoryBus(store, "feed")
    await feed.declare(["NIFTY"])
    count = len(BIDS)
    parts = [count] if break_after is None else [break_after, count - break_after]
    done = 0
    for number, part in enumerate(parts):
        roles = (make_analyst(), minimal_role(), rich_role())
        async with working(store, f"replica-{number}", *roles):
            await beats(feed, done, part)
            done += part
            advice = await advised(store, done)
    return advice


async def test_each_analysis_gets_one_advice_of_its_own_id():
    store = make_store()

    advice = await played(store)

    ids = [entry.id for entry in store.stream(ANALYSIS, "NIFTY").entries]
    assert [entry.id for entry in store.stream(ADVICE_MINIMAL, "NIFTY").entries] == ids
    assert [entry.id for entry in store.stream(ADVICE_RICH, "NIFTY").entries] == ids[:1]
    assert [found.action for found in advice] == [
        Action.ENTER,
        Action.HOLD,
        Action.HOLD,
        Action.HOLD,
        Action.EXIT,
        Action.WAIT,
        Action.WAIT,
    ]
    assert advice[4].order.reason == "trailing_stop"
    assert advice[5].fill.price == "161.90"


@pytest.mark.parametrize("break_after", range(1, len(BIDS)))
async def test_a_take_over_between_any_two_beats_changes_nothing(break_after):
    undisturbed = await played(make_store())

    assert await played(make_store(), break_after=break_after) == undisturbed
