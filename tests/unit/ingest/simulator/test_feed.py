"""The simulated feed on the in-memory bus: every market a partition, one clock."""

import asyncio
from dataclasses import replace

from ingest.feed import TICKS_CACHE
from ingest.replay import Replay
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.feed import Part, SimFeed
from ingest.simulator.universe import Universe
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.messages import TICKS, Beat, Session, TickBatch
from oimon.terms import FeedState, Mode, Segment

PLAN = Plan(seed=7, universe=Universe.DEFAULT, seconds=4)
CHOSEN = ("NIFTY", "SENSEX", "CRUDEOIL", "M&M")
EARLIER_S = 900
"""So long before the others commodities open."""


def parts(after=0):
    chosen = [market for market in markets(PLAN) if market.name in CHOSEN]
    plans = {Segment.MCX: replace(PLAN, seconds=EARLIER_S + 4)}
    days = [SimulatedDay(plans.get(market.segment, PLAN), market) for market in chosen]
    return [Part(day=day, replay=Replay(day, "run"), after_us=after) for day in days]


async def play(made):
    clock = ManualClock(1_795_000_000_000_000)
    bus = MemoryBus(MemoryStore(clock))
    feed = SimFeed(bus, clock, made, None)
    await feed.run()
    told = {name: await bus.entries(TICKS, name, NEVER) for name in CHOSEN}
    return feed, {name: [entry.message for entry in entries] for name, entries in told.items()}


def test_each_market_is_a_partition_with_the_same_beats_and_its_own_session():
    feed, told = asyncio.run(play(parts()))

    beats = {
        name: [m.ts_us for m in messages if isinstance(m, Beat)] for name, messages in told.items()
    }
    first_us = 1_794_973_500_000_000
    joined = beats.pop("CRUDEOIL")  # and already ticking, so the second of joining is a beat too
    assert set(map(tuple, beats.values())) == {tuple(first_us + s * 1_000_000 for s in range(1, 6))}
    assert joined == [first_us, *beats["NIFTY"]]
    for name, messages in told.items():
        (session,) = [m for m in messages if isinstance(m, Session)]
        assert (session.underlying, session.mode) == (name, Mode.SIMULATED)
        assert [m.feed for m in messages if isinstance(m, Beat)][-1] is FeedState.ENDED
    facts = feed.facts()
    assert (facts["state"], facts["underlyings"], facts["source"]) == (
        FeedState.ENDED,
        4,
        "simulator, seed 7",
    )
    assert facts["frames"] == facts["frames_in_all"]


def test_commodities_alone_are_played_from_their_own_opening_on():
    plan = replace(PLAN, universe=Universe.MCX)
    days = [SimulatedDay(plan, market) for market in markets(plan)]
    told = [Part(day=day, replay=Replay(day, "run")) for day in days]

    feed = SimFeed(MemoryBus(MemoryStore(ManualClock(0))), ManualClock(0), told, None)
    steps = [due_us for due_us, _ in feed._together()]

    assert min(steps) == 1_794_972_600_000_000  # 09:00
    assert max(steps) == min(steps) + 5_000_000  # four seconds, and the word that it has ended


def test_who_opens_with_the_last_loses_no_tick_of_its_first_second():
    _, told = asyncio.run(play(parts()))

    first_us = 1_794_973_500_000_000
    for name, messages in told.items():
        first = next(m for m in messages if isinstance(m, TickBatch))
        beat = next(m.ts_us for m in messages if isinstance(m, Beat))
        assert first.received_us // 1_000_000 * 1_000_000 == first_us
        assert beat == (first_us if name == "CRUDEOIL" else first_us + 1_000_000)


def test_steps_of_one_second_go_out_together_and_none_waits_for_another_second():
    bus, clock = MemoryBus(MemoryStore(ManualClock(0))), ManualClock(0)

    groups = list(SimFeed(bus, clock, parts(), None)._together())

    for due_us, steps in groups:
        seconds = {step.due_us // 1_000_000 for step in steps.values()}
        assert seconds == {due_us // 1_000_000}
    assert max(len(steps) for _, steps in groups) == len(CHOSEN)
    dues = [due_us // 1_000_000 for due_us, _ in groups]
    assert dues == sorted(dues)


def test_the_cache_knows_the_newest_tick_of_every_market():
    made = parts()

    asyncio.run(play(made))

    for part in made:
        for symbol in part.replay.session.instruments.symbol:
            assert TICKS_CACHE[symbol].ltp is not None
    opened_at = next(p.day for p in made if p.day.header.underlying == "M&M").tape.path.forward[0]
    assert abs(TICKS_CACHE["M&M-EQ"].ltp - opened_at) < 20


def test_a_successor_goes_on_after_the_last_beat():
    after_us = 1_794_973_500_000_000 + 2_000_000

    _, told = asyncio.run(play(parts(after_us)))

    for messages in told.values():
        assert isinstance(messages[0], Session)
        assert min(m.ts_us for m in messages if isinstance(m, Beat)) == after_us
