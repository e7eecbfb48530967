"""Wires ingest: a feed's frames to ticks on the bus."""

import asyncio
import logging
import secrets

from ingest.config import IngestSettings
from ingest.feed import Feed, flush_s
from ingest.player import ReplayFeed
from ingest.recording import open_recording
from ingest.replay import SECOND_US, Replay, recorded
from oimon.errors import InputError
from oimon.service import Running, Service
from oimon.terms import Segment

logger = logging.getLogger(__name__)


async def run(running: Running[IngestSettings]) -> None:
    """Play the recorded day, then keep its last word, until told to stop."""
    async with asyncio.TaskGroup() as tasks:
        playing = tasks.create_task(_play(running), name="feed")
        await running.stop.wait()
        playing.cancel()


async def _play(running: Running[IngestSettings]) -> None:
    try:
        feed = _replay_feed(running)
        running.facts["feed"] = feed.facts
        await feed.run()
    except InputError as error:
        running.last_error = running.blockers["feed"] = str(error)
        logger.error("recording cannot be used", extra={"why": str(error)})  # noqa: TRY400 - its text says it all


def _replay_feed(running: Running[IngestSettings]) -> Feed:
    settings = running.settings
    recording = open_recording(settings.recording)
    played_instead = segment_notes(settings, recording.header.segment)
    running.facts["notes"] = lambda: [*settings.notes, *played_instead]
    for note in played_instead:  # the service has told the others
        logger.warning("not quite what was asked for", extra={"note": note})
    speed = settings.times_real_time
    window_us = SECOND_US if speed is None else round(flush_s(settings.flush_ms, 1) * speed * 1e6)
    run_id = f"{recording.header.date}-{secrets.token_hex(4)}"
    replay = Replay(recording, run_id, window_us=window_us, beat_us=settings.beat_ms * 1000)
    return ReplayFeed(running.bus, running.clock, recording, replay, speed)


def segment_notes(settings: IngestSettings, found: Segment) -> list[str]:
    """Return what to tell a user who asked for another segment than the recording is of."""
    asked = settings.feed_segment
    if asked is found:
        return []
    what = f"{asked} ({settings.commodity})" if asked is Segment.MCX else str(asked)
    return [f"there is no recording of {what}: playing {settings.recording.name}, a day of {found}"]


service = Service(name="ingest", settings=IngestSettings, run=run, replay=recorded)
