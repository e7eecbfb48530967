import asyncio
import time

import pytest

from ingest.config import IngestSettings
from ingest.feed import TICKS_CACHE
from ingest.main import run
from ingest.player import ReplayFeed
from ingest.recording import BLOCK_START
from ingest.replay import Replay
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus
from oimon.clock import SystemClock
from oimon.config import load
from oimon.errors import InputError
from oimon.messages import TICKS, Beat, Session
from oimon.service import Running
from oimon.terms import FeedState, Mode
from tests.builders import make_frame, make_recording
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


async def test_the_service_plays_rests_and_stops_when_told(running):
    working = asyncio.ensure_future(run(running))

    await eventually(
        lambda: "feed" in running.facts and running.facts["feed"]()["state"] is FeedState.ENDED
    )
    assert running.problems() == []
    assert not working.done()
    running.stop.set()
    await working


async def test_the_service_stops_in_the_middle_of_a_day(running):
    running.settings = running.settings.model_copy(update={"speed": 0.01})
    working = asyncio.ensure_future(run(running))
    await eventually(lambda: "feed" in running.facts)

    running.stop.set()
    await asyncio.wait_for(working, 5)

    assert running.facts["feed"]()["state"] is FeedState.OK


async def test_a_recording_that_cannot_be_used_is_the_reason_why_it_is_not_ready(running):
    path = running.settings.recording
    path.write_bytes(path.read_bytes()[:-40])
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: running.blockers)

    (why,) = running.blockers.values()
    assert "cut short" in why
    assert why in running.problems()
    assert running.last_error == why
    running.stop.set()
    await working


async def test_every_start_is_a_new_run(running):
    runs = []
    for _ in range(2):
        running.stop.clear()
        working = asyncio.ensure_future(run(running))
        await eventually(lambda: "feed" in running.facts)
        runs.append(running.facts.pop("feed")()["run"])
        running.stop.set()
        await working

    assert runs[0] != runs[1]
    assert all(name.startswith("2026-11-25-") for name in runs)


async def test_what_fell_back_is_in_the_notes_with_the_other_segment(running):
    running.settings = load(
        IngestSettings, {"recording": running.settings.recording, "feed_segment": "MCX"}
    )
    working = asyncio.ensure_future(run(running))

    await eventually(lambda: "notes" in running.facts)

    assert running.status()["notes"] == [
        "there is no recording of MCX (SILVERMIC): playing day.oirec, a day of NFO"
    ]
    running.stop.set()
    await working
