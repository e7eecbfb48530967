import asyncio
import itertools
import secrets
import time

import pytest

from ingest.config import IngestSettings
from ingest.feed import TICKS_CACHE
from ingest.main import run
from ingest.oirec import BLOCK_START
from ingest.player import Pace, ReplayFeed, going_on
from ingest.replay import Replay
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock, SystemClock
from oimon.config import load
from oimon.errors import InputError
from oimon.messages import TICKS, Beat, Gap, Session
from oimon.service import Running
from oimon.terms import FeedState, Mode
from tests.builders import make_beat, make_frame, make_header, make_recording, make_row
from tests.eventually import eventually

SECOND = 1_000_000
START_US = 1_795_578_301_000_000
ARRIVALS = [
    (START_US + 250_000 * n, make_frame(sequence=n, ltp=12_385 + 5 * n)) for n in range(1, 9)
]


def make_feed(bus, recording, speed=None, **replay):
    return ReplayFeed(bus, SystemClock(), recording, Replay(recording, "run-1", **replay), speed)


async def log_of(bus):
    return [(entry.kind, entry.data) for entry in await bus.entries(TICKS, "NIFTY", NEVER)]


@pytest.fixture
def recording(tmp_path):
    return make_recording(tmp_path / "day.oirec", ARRIVALS)


async def test_a_day_played_to_its_end_is_on_the_bus(recording):
    bus = MemoryBus()

    await make_feed(bus, recording).run()

    entries = await bus.entries(TICKS, "NIFTY", NEVER)
    assert await bus.partitions() == ["NIFTY"]
    assert [entry.kind for entry in entries] == [
        *("session", "ticks", "beat"),
        *("ticks", "beat", "ticks", "beat", "beat"),
    ]
    assert isinstance(entries[0].message, Session)
    last = entries[-1].message
    assert isinstance(last, Beat)
    assert (last.feed, last.ts_us) == (FeedState.ENDED, START_US + 4 * SECOND)


async def test_beats_and_what_is_between_are_the_same_at_any_speed(recording):
    slow, fast = MemoryBus(), MemoryBus()

    await make_feed(slow, recording, 100.0).run()
    await make_feed(fast, recording).run()

    assert await log_of(slow) == await log_of(fast)


async def test_the_recorded_spacing_is_divided_by_the_speed(recording):
    started = time.monotonic()

    await make_feed(MemoryBus(), recording, 20.0).run()

    assert time.monotonic() - started >= 3.5 / 20


async def test_a_day_that_fell_behind_goes_on_at_its_pace_and_does_not_rush(monkeypatch):
    waits = []

    async def note(seconds):
        waits.append(round(seconds, 6))

    monkeypatch.setattr(asyncio, "sleep", note)
    clock = ManualClock(0)
    pace = Pace(clock, 2.0)
    await pace.until_due(0)

    await pace.until_due(1_000_000)  # half a second at twice the speed
    clock.advance(10.0)  # the bus was away
    for due_us in (2_000_000, 3_000_000):
        await pace.until_due(due_us)

    assert waits == [0.5, 0.5]


async def test_status_tells_how_far_the_day_is(recording):
    feed = make_feed(MemoryBus(), recording, 60.0)

    await feed.run()

    facts = feed.facts()
    assert (facts["state"], facts["mode"], facts["run"]) == (FeedState.ENDED, Mode.REPLAY, "run-1")
    assert (facts["frames"], facts["frames_in_all"], facts["dropped"]) == (8, 8, {})
    assert facts["position"] == "2026-11-25T09:15:05+05:30"
    assert facts["speed"] == 60.0


async def test_the_cache_follows_the_feed(recording):
    await make_feed(MemoryBus(), recording).run()

    assert [tick.ltp for tick in TICKS_CACHE.values()] == [None, 124.25]


async def test_a_damaged_block_ends_the_day_with_its_reason(recording):
    data = bytearray(recording.path.read_bytes())
    data[data.index(b"FRAM") + BLOCK_START.size + 30] ^= 1
    recording.path.write_bytes(data)
    feed = make_feed(MemoryBus(), recording)

    with pytest.raises(InputError, match="block 2"):
        await feed.run()

    assert feed.facts()["state"] is FeedState.DOWN


@pytest.fixture
def grown(tmp_path):
    """A live recording to which an option was added after a second, and a gap told after two."""
    rows = [make_row("99926000", kind="INDEX"), make_row(), make_row("40638", strike=24_250)]
    told = [
        (0, make_beat(START_US)),
        (4, make_beat(START_US + SECOND)),
        (4, make_header(master=rows, has_beats=True)),
        (6, make_beat(START_US + 2 * SECOND)),
        (6, Gap(from_us=1, to_us=2, why="closed")),
        (9, make_beat(START_US + 3 * SECOND)),
    ]
    came = [*ARRIVALS, (START_US + 2_500_000, make_frame("40638", sequence=9, ltp=9_995))]
    return make_recording(tmp_path / "live.oirec", came, told=told)


async def test_a_live_recording_that_grew_is_played_with_all_of_its_instruments(grown):
    bus = MemoryBus()

    await make_feed(bus, grown).run()

    assert list(TICKS_CACHE.values())[2].ltp == 99.95
    kinds = [entry.kind for entry in await bus.entries(TICKS, "NIFTY", NEVER)]
    assert kinds == [
        "session", "beat", "ticks", "beat", "session", "ticks", "beat", "gap", "ticks", "beat", "beat",
    ]  # fmt: skip


@pytest.mark.parametrize("after", range(4))
def test_whoever_goes_on_is_told_the_newest_session_before_and_all_that_came_since(grown, after):
    whole = list(Replay(grown, "run-1").steps())
    after_us = START_US + after * SECOND

    first, *rest = going_on(iter(whole), after_us)

    (session,) = first.messages
    assert isinstance(session, Session)
    assert len(session.instruments.token) == (3 if after else 2)
    assert first.pulse.event_us == 0
    assert [step.pulse.event_us for step in rest if not step.messages] == [
        START_US + (n + (n == 4)) * SECOND for n in range(after + 1, 5)
    ]
    said = [message for step in rest for message in step.messages]
    assert any(isinstance(each, Gap) for each in said) == (after <= 2)


# --- the service ---------------------------------------------------------------------------------------------------


@pytest.fixture
def running(recording, monkeypatch, tmp_path):
    """What a service is handed, with the small recording to play."""
    monkeypatch.chdir(tmp_path)
    settings = load(IngestSettings, {"recording": recording.path, "speed": "max"})
    return Running(
        name="ingest",
        replica="one",
        settings=settings,
        bus=MemoryBus(),
        clock=SystemClock(),
        stop=asyncio.Event(),
    )


def plays(running) -> bool:
    """Say whether the service has got beyond standing by."""
    return "run" in running.facts.get("feed", dict)()


async def stopped(running, working) -> None:
    """Tell the service to stop, as its shell does, and see it end."""
    running.stop.set()
    await running.bus.stop()
    await asyncio.wait_for(working, 5)


async def test_the_service_plays_rests_and_stops_when_told(running):
    working = asyncio.ensure_future(run(running))

    await eventually(
        lambda: "feed" in running.facts and running.facts["feed"]()["state"] is FeedState.ENDED
    )
    assert running.problems() == []
    assert not working.done()
    await stopped(running, working)


async def test_the_service_stops_in_the_middle_of_a_day(running):
    running.settings = running.settings.model_copy(update={"speed": 0.01})
    working = asyncio.ensure_future(run(running))
    await eventually(lambda: plays(running))

    await stopped(running, working)

    assert running.facts["feed"]()["state"] is FeedState.OK


async def test_a_recording_that_cannot_be_used_is_the_reason_why_it_is_not_ready(running):
    path = running.settings.recording
    data = bytearray(path.read_bytes())
    data[data.index(b"FRAM") + BLOCK_START.size + 20] ^= 1
    path.write_bytes(data)
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: running.blockers)

    (why,) = running.blockers.values()
    assert "block 2: it is not what was written" in why
    assert why in running.problems()
    assert running.last_error == why
    await stopped(running, working)


async def test_what_was_mended_when_it_leads_again_is_no_reason_any_more(running):
    path = running.settings.recording
    whole = path.read_bytes()
    path.write_bytes(whole[:20])
    working = asyncio.ensure_future(run(running))
    await eventually(lambda: running.blockers)
    await stopped(running, working)
    path.write_bytes(whole)
    running.bus, running.stop = MemoryBus(), asyncio.Event()
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: plays(running))

    assert running.problems() == []
    await stopped(running, working)


async def test_a_recording_without_an_end_is_played_with_one_plain_note(running):
    path = running.settings.recording
    path.write_bytes(path.read_bytes()[:-40])
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: plays(running))

    (note,) = [each for each in running.facts["notes"]() if str(path) in each]
    assert "has no end" in note
    assert running.problems() == []
    await stopped(running, working)


async def run_begun_on(running, store, **settings) -> str:
    """Start the service on a log, let it play for a moment, stop it; return the run that it played."""
    running.bus, running.stop = MemoryBus(store, me=secrets.token_hex(3)), asyncio.Event()
    running.settings = running.settings.model_copy(update=settings)
    working = asyncio.ensure_future(run(running))
    await eventually(lambda: plays(running))
    name = running.facts.pop("feed")()["run"]
    await eventually(lambda: store.own("ingest", "NIFTY").run)
    await stopped(running, working)
    return name


async def test_whoever_comes_back_goes_on_with_an_unfinished_run(running):
    store = MemoryStore()

    runs = [await run_begun_on(running, store, speed=1.0) for _ in range(2)]

    assert runs[0] == runs[1]
    assert runs[0].startswith("2026-11-25-")


async def test_a_finished_day_is_played_anew(running):
    store = MemoryStore()
    runs = []
    for _ in range(2):
        runs.append(await run_begun_on(running, store, speed=None))
        store.own("ingest", "NIFTY").beat_us = START_US + 10 * SECOND

    assert runs[0] != runs[1]


async def test_another_name_is_another_run_and_the_same_goes_on(running):
    store = MemoryStore()
    names = ("a1", "b2", "b2")

    first, second, third = [
        await run_begun_on(running, store, speed=1.0, run=name) for name in names
    ]

    assert first.endswith("-a1")
    assert second == third
    assert second.endswith("-b2")


async def test_a_run_that_goes_on_says_each_beat_once_and_loses_no_tick(recording):
    store = MemoryStore()
    whole = MemoryBus()
    await make_feed(whole, recording).run()
    first = MemoryBus(store, "first")
    replay = Replay(recording, "run-1")
    for step in itertools.islice(replay.steps(), 4):
        await first.publish("NIFTY", step.messages, step.pulse)
    await first.stop()
    second = MemoryBus(store, "second")
    place = await second.place("NIFTY")
    feed = ReplayFeed(
        second, SystemClock(), recording, Replay(recording, "run-1"), None, after_us=place.beat_us
    )

    await feed.run()

    beats = [data for kind, data in await log_of(second) if kind == "beat"]
    ticks = {data for kind, data in await log_of(second) if kind == "ticks"}
    assert beats == [data for kind, data in await log_of(whole) if kind == "beat"]
    assert ticks == {data for kind, data in await log_of(whole) if kind == "ticks"}


async def test_what_fell_back_is_in_the_notes_with_the_other_segment(running):
    running.settings = load(
        IngestSettings, {"recording": running.settings.recording, "feed_segment": "MCX"}
    )
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: "notes" in running.facts)

    assert running.status()["notes"] == [
        "there is no recording of MCX (SILVERMIC): playing day.oirec, a day of NFO"
    ]
    await stopped(running, working)
