"""The replay feed: a recording's steps to the bus, each when it is due."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from typing_extensions import override

from ingest.feed import TICKS_CACHE, Feed, note_ticks
from ingest.frames import Drop
from ingest.recording import Recording
from ingest.replay import Replay
from oimon import metrics
from oimon.bus import Bus
from oimon.calendar import IST
from oimon.clock import Clock
from oimon.errors import InputError
from oimon.messages import Session
from oimon.service import Step
from oimon.terms import FeedState

LATE_S = 1.0
"""Further behind than this the bus was away: the day waits for it, it does not rush to catch up."""

logger = logging.getLogger(__name__)


class Pace:
    """Waits until a step is due: the spacing of the feed's own clock, divided by the speed."""

    def __init__(self, clock: Clock, speed: float | None) -> None:
        self.speed = speed
        """Times real time; ``None``: as fast as the bus takes it."""
        self._clock = clock
        self._anchor: tuple[float, int] | None = None

    async def until_due(self, due_us: int) -> None:
        """Return when it is time."""
        if self.speed is None:
            return
        now_s = self._clock.monotonic_s()
        start_s, start_us = self._anchor or (now_s, due_us)
        wait_s = start_s + (due_us - start_us) / 1e6 / self.speed - now_s
        self._anchor = (start_s, start_us) if wait_s > -LATE_S else (now_s, due_us)
        if wait_s > 0:
            await asyncio.sleep(wait_s)


class ReplayFeed(Feed):
    """Plays a recording once and then rests."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        recording: Recording,
        replay: Replay,
        speed: float | None,
        *,
        after_us: int = 0,
    ) -> None:
        """Prepare to play.

        Args:
            bus: where to.
            clock: paces the steps.
            recording: what is played.
            replay: this run of it.
            speed: times real time; ``None``: as fast as the bus takes it.
            after_us: go on after this beat; 0: from the beginning.
        """
        self._bus = bus
        self._recording = recording
        self._replay = replay
        self._pace = Pace(clock, speed)
        self._after_us = after_us
        self._due_us = recording.last.first_us
        self._state = FeedState.OK
        self._counted: Counter[Drop] = Counter()

    @override
    async def run(self) -> None:
        underlying = self._recording.header.underlying
        TICKS_CACHE.start(self._replay.session)
        await self._bus.declare([underlying])
        try:
            for step in going_on(self._replay.steps(), self._after_us):
                await self._pace.until_due(step.due_us)
                await self._bus.publish(underlying, step.messages, step.pulse)
                self._note(underlying, step)
        except InputError:
            self._state = FeedState.DOWN
            raise
        logger.info("recorded day has ended", extra=dict(self.facts()))

    @override
    def facts(self) -> Mapping[str, Any]:
        session, last = self._replay.session, self._recording.last
        return {
            "state": self._state,
            "mode": session.mode,
            "source": session.source,
            "run": session.run,
            "underlying": session.underlying,
            "speed": self._pace.speed or "max",
            "position": india(self._due_us),
            "ends": india(last.last_us),
            "frames": self._replay.frames,
            "frames_in_all": last.frames,
            "dropped": dict(self._replay.dropped),
            "spot": TICKS_CACHE[session.instruments.symbol[0]].ltp,
        }

    def _note(self, underlying: str, step: Step) -> None:
        """Take down what has been published, for ``/status`` and metrics."""
        self._due_us, self._state = step.due_us, step.pulse.feed
        for message in step.messages:
            if isinstance(message, Session):  # a live day's grew
                TICKS_CACHE.renew(message)
        note_ticks(underlying, step.messages)
        for why, count in self._replay.dropped.items():
            metrics.FRAMES_DROPPED.labels(why).inc(count - self._counted[why])
        self._counted = self._replay.dropped.copy()
        if step.pulse.age_ms is not None:
            metrics.FEED_AGE.labels(underlying).set(step.pulse.age_ms / 1000)


def going_on(steps: Iterator[Step], after_us: int) -> Iterator[Step]:
    """Give what comes after a beat, the newest session before it; ticks that came since that beat are given too, twice if need be.

    Who reads them drops what is not newer than what it has.
    """
    if not after_us:
        yield from steps
        return
    session: Step | None = None
    for step in steps:
        event_us = step.pulse.event_us or 0
        has_news = any(not isinstance(message, Session) for message in step.messages)
        if event_us > after_us or (event_us == after_us and has_news):
            if session is not None:
                pulse = replace(session.pulse, event_us=0)  # it adds no beat
                yield replace(session, due_us=after_us, pulse=pulse)
                session = None
            yield step
        elif any(isinstance(message, Session) for message in step.messages):
            session = step  # the newest: within a run it only grows


def india(ts_us: int) -> str:
    """Return an instant as people in India write it."""
    return datetime.fromtimestamp(ts_us / 1e6, UTC).astimezone(IST).isoformat(timespec="seconds")
