"""Wires ingest: a feed's frames to ticks on the bus."""

import asyncio
import contextlib
import logging
import secrets
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

from ingest.config import FeedKind, IngestSettings
from ingest.exchange_clock import timed
from ingest.feed import Feed, flush_s
from ingest.master.library import Library
from ingest.player import ReplayFeed
from ingest.recording import Day, open_recording
from ingest.replay import SECOND_US, Replay, recorded
from ingest.simulator.day import Plan, SimulatedDay, markets
from ingest.simulator.faults import parse
from ingest.simulator.feed import Part, SimFeed
from ingest.simulator.truth import TruthFile
from ingest.smartapi.account import Account
from ingest.smartapi.credentials import credentials
from ingest.smartapi.feed import LiveFeed
from ingest.smartapi.line import Line
from oimon.bus import Place
from oimon.config import load
from oimon.errors import ConfigError, InputError
from oimon.service import Recorded, Running, Service
from oimon.terms import Segment

SIMULATED_NOTE = "the market is simulated: its numbers show how the program works, and say nothing of any real one"

logger = logging.getLogger(__name__)


async def run(running: Running[IngestSettings]) -> None:
    """Play the recorded day while no other replica does, then keep its last word, until told to stop."""
    if running.settings.feed is FeedKind.SIM:
        running.facts["notes"] = lambda: [*running.settings.notes, SIMULATED_NOTE]
    running.facts["feed"] = lambda: {"state": "standing by"}
    # One for as long as the process lives: who leads again keeps its session, and the pace and the end of its logins.
    account = cache(partial(_account, running))
    await running.bus.lead(lambda: _play(running, account))


async def _play(running: Running[IngestSettings], account: Callable[[], Account]) -> None:
    running.blockers.pop("feed", None)
    try:
        async with contextlib.AsyncExitStack() as stack:
            match running.settings.feed:
                case FeedKind.LIVE:
                    feed = _live_feed(running, account())
                case FeedKind.SIM:
                    feed = await _sim_feed(running, stack)
                case FeedKind.REPLAY:
                    feed = await _replay_feed(running)
            running.facts["feed"] = feed.facts
            await feed.run()
    except (InputError, ConfigError) as error:
        running.last_error = running.blockers["feed"] = str(error)
        logger.error("feed cannot be used", extra={"why": str(error)})  # noqa: TRY400 - its text says it all


def _account(running: Running[IngestSettings]) -> Account:
    return Account(credentials(running.settings), running.clock)


def _live_feed(running: Running[IngestSettings], account: Account) -> Feed:
    settings, clock = running.settings, running.clock
    library = Library.of(settings, clock)
    line = Line(url=settings.smartapi_stream_url)
    return LiveFeed(running.bus, clock, settings, account, library, line)


async def _replay_feed(running: Running[IngestSettings]) -> Feed:
    settings = running.settings
    recording = open_recording(settings.recording)
    underlying = recording.header.underlying
    found = [*segment_notes(settings, recording.header.segment), *recording.warnings]
    running.facts["notes"] = lambda: [*settings.notes, *found]
    for note in found:  # the service has told the others
        logger.warning("not quite what was asked for", extra={"note": note})
    speed = settings.times_real_time
    window_us = SECOND_US if speed is None else round(flush_s(settings.flush_ms, 1) * speed * 1e6)
    run_id, from_us = run_to_play(recording, await running.bus.place(underlying), settings.run)
    day = timed(recording, settings.feed_clock)
    replay = Replay(day, run_id, window_us=window_us, beat_us=settings.beat_ms * 1000)
    return ReplayFeed(running.bus, running.clock, recording, replay, speed, after_us=from_us)


async def _sim_feed(running: Running[IngestSettings], stack: contextlib.AsyncExitStack) -> Feed:
    settings = running.settings
    plan = Plan(
        seed=settings.sim_seed,
        universe=settings.sim_universe,
        day=settings.sim_date,
        publish_s=settings.sim_oi_publish_s,
        faults=parse(settings.sim_faults),
        mcx_oi=settings.mcx_oi,
    )
    tell = None
    if settings.sim_truth is not None:
        truth = TruthFile(settings.sim_truth)
        stack.callback(truth.close)
        tell = truth.tell
    parts = []
    for market in markets(plan):
        # A whole day of open interest at once: too long for the loop that keeps the leases.
        day = await asyncio.to_thread(SimulatedDay, plan, market, tell)
        run_id, from_us = run_to_play(day, await running.bus.place(market.name), settings.run)
        replay = Replay(day, run_id, beat_us=settings.beat_ms * 1000)
        parts.append(Part(day=day, replay=replay, after_us=from_us))
    return SimFeed(running.bus, running.clock, parts, settings.times_real_time)


def run_to_play(recording: Day, place: Place, suffix: str) -> tuple[str, int]:
    """Return the run to play and the beat after which it goes on: an unfinished one of this recording, else a new one.

    Args:
        recording: what is played.
        place: how far the log says that its underlying was published.
        suffix: ``RUN``: go on with the run of that name only; empty: with whichever is unfinished. Source: rulings, 11.
    """
    last = recording.last
    name = f"{recording.header.date}-{last.digest[:8]}-{suffix}"
    is_unfinished = place.beat_us <= last.last_us + SECOND_US  # the beat that says "ended" is later
    if place.run.startswith(name) and (suffix or is_unfinished):
        return place.run, place.beat_us
    return name if suffix else name + secrets.token_hex(3), 0


def segment_notes(settings: IngestSettings, found: Segment) -> list[str]:
    """Return what to tell a user who asked for another segment than the recording is of."""
    asked = settings.feed_segment
    if asked is found:
        return []
    what = f"{asked} ({', '.join(settings.commodities)})" if asked is Segment.MCX else str(asked)
    return [f"there is no recording of {what}: playing {settings.recording.name}, a day of {found}"]


def _recorded(path: Path) -> Recorded:
    """Open a recording for ``oi replay``, by the clock that the service would use."""
    return recorded(path, load(IngestSettings).feed_clock)


service = Service(name="ingest", settings=IngestSettings, run=run, replay=_recorded)
