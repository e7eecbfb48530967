"""A live feed by the real clock that is killed and comes back: its run goes on, and its recording says what the log says."""

import asyncio
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from analytics.desk import Desk, handle
from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import name_of_row
from ingest.fakebroker.source import Listed, Source
from ingest.parts import is_empty, look_through
from ingest.recording import open_recording
from oimon import offline
from oimon.bus.redis import RedisBus
from oimon.calendar import IST
from oimon.codec import encode
from oimon.messages import ANALYSIS, Beat, Gap, Session, TickBatch
from oimon.terms import Mode
from tests.e2e.conftest import clean_environment
from tests.eventually import eventually
from tests.fakes.smartapi import OPENS_US, ROWS, SECOND, frames
from tests.integration.conftest import a_server

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="kills a process")

SECONDS = 180
INGEST = """
import sys
from ingest import live_recorder
live_recorder.WRITE_EVERY_S = 0.6
from oimon.cli import main
sys.argv = ["oi", "run", "ingest"]
main()
"""
"""The service as it is, but for the time between two blocks: a test need not wait so long."""


def todays_source():
    """Return the feed of the other tests, dated as if it were today's."""
    today = datetime.now(UTC).astimezone(IST).date()
    expiry = f"{today + timedelta(days=6):%d%b%Y}".upper()
    rows = [replace(row, expiry=expiry) if row.expiry else row for row in ROWS]
    return Source(
        title="made for tests",
        date=today.isoformat(),
        listed={name_of_row(row): Listed(row=row, prev_close=243.0, oi_prev=65 * 900) for row in rows},
        opens_us=OPENS_US,
        last_us=OPENS_US + SECONDS * SECOND,
        frames=SECONDS * len(ROWS),
        play=lambda: frames(SECONDS),
    )  # fmt: skip


@contextmanager
def ingest(environment):
    """A process of the service; it is killed when the context is left, unless it has ended."""
    with subprocess.Popen(
        [sys.executable, "-c", INGEST], env=environment, stdout=subprocess.DEVNULL
    ) as child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


async def published(bus):
    """Return all that was published, the oldest first."""
    return [entry async for entry in bus.backwards("NIFTY")][::-1]


def analyses(entries):
    desk, answers = Desk(partition="NIFTY"), []
    for entry in entries:
        desk, outputs = handle(desk, entry)
        answers += [output.message for output in outputs]
    return answers


def replayed(folder):
    found = []
    offline.run(
        offline.open_recording(folder),
        speed=None,
        take=[lambda entry: found.append(entry.message) if entry.stream == ANALYSIS else None],
        services=["analytics"],
    )
    return found


async def beats_since(bus, kind):
    """Return the times of the beats after the newest entry of a kind."""
    log = [entry.message for entry in await published(bus)]
    place = max((n for n, each in enumerate(log) if isinstance(each, kind)), default=len(log))
    return [each.ts_us for each in log[place:] if isinstance(each, Beat)]


async def is_ahead(bus, root):
    """Return whether the log is well ahead of the file, in ticks too, and the next block not due yet."""
    parts = list(root.glob("recordings/*/NIFTY-001.oirec"))
    if not parts or is_empty(parts[0]):
        return False
    beats = await beats_since(bus, TickBatch)
    return beats and beats[0] >= look_through(parts[0]).beat_us + 200_000


async def is_back(bus):
    """Return whether a gap was told, and a few beats after it."""
    return len(await beats_since(bus, Gap)) >= 8


async def test_a_feed_that_is_killed_goes_on_with_its_run_and_its_recording_is_the_log(tmp_path):
    async with FakeBroker(todays_source(), speed=10.0, settle_s=0.05) as broker:
        with a_server(tmp_path / "valkey") as url:
            environment = clean_environment(tmp_path) | dict(broker.settings()) | {
                "FEED": "live", "REDIS_URL": url, "HTTP_PORT": "0", "BEAT_MS": "100",
            }  # fmt: skip
            bus = RedisBus(url, "test")
            with ingest(environment) as child:
                await eventually(lambda: is_ahead(bus, tmp_path), within_s=20)
                child.kill()
            (part,) = tmp_path.glob("recordings/*/NIFTY-001.oirec")
            known = look_through(part)
            with part.open("ab") as file:
                file.write(b"LIVE and what a crash left of a block")
            with ingest(environment) as child:
                await eventually(lambda: is_back(bus), within_s=20)
                child.send_signal(signal.SIGTERM)
                await asyncio.to_thread(child.wait, 10)
            entries = await published(bus)
            await bus.stop()
            await bus.close()

    log = [entry.message for entry in entries]
    gap, *_ = [each for each in log if isinstance(each, Gap)]  # it may be filled by now
    before = [each for each in log[: log.index(gap)] if isinstance(each, Beat)]
    assert gap.why == "ingest was not running"
    assert before[-1].ts_us >= gap.from_us > before[0].ts_us
    assert len({each.run for each in log if isinstance(each, Session)}) == 1
    told = analyses(entries)
    assert told[-1].history_s >= (gap.to_us - before[0].ts_us) // SECOND
    assert told[-1].is_gapped
    assert len(told[-1].chain.strike) == 3
    assert not known.is_finished
    assert list(part.parent.iterdir()) == [part], "it went on in the same file"
    assert look_through(part).is_finished
    told_again = [type(what) for block in open_recording(part).blocks() for _, what in block.told]
    assert TickBatch in told_again, "what was not yet a block is taken from the log"
    *same, ended = await asyncio.to_thread(replayed, part.parent)
    assert {each.mode for each in same} == {Mode.REPLAY}
    as_live = [encode(replace(each, mode=Mode.LIVE)) for each in same]
    assert as_live == [encode(each) for each in told]
    assert ended.feed == "ended"
    assert [each.name for each in part.parent.parent.iterdir()] == [told[0].run]
