"""The simulated feed: the days of all markets of a universe to the bus, by one clock of their own."""

import asyncio
import heapq
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from typing_extensions import override

from ingest.feed import TICKS_CACHE, Feed, note_ticks
from ingest.player import Pace, going_on, india
from ingest.replay import Replay
from ingest.simulator.day import SimulatedDay
from oimon import metrics
from oimon.bus import Bus
from oimon.clock import Clock
from oimon.service import Step
from oimon.terms import FeedState

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """One market's day and its run."""

    day: SimulatedDay
    replay: Replay
    after_us: int = 0
    """Go on after this beat; 0: from the beginning."""


class SimFeed(Feed):
    """Plays simulated days once, together, and then rests."""

    def __init__(self, bus: Bus, clock: Clock, parts: Sequence[Part], speed: float | None) -> None:
        """Prepare to play.

        Args:
            bus: where to.
            clock: paces the steps.
            parts: the days, one a partition.
            speed: times real time; ``None``: as fast as the bus takes it.
        """
        self._bus = bus
        self._parts = parts
        self._pace = Pace(clock, speed)
        self._opens_us = max(part.day.last.first_us for part in parts)
        """When the last of them opens. Who opened earlier is joined then, as by anybody who starts late: the others
        would stand still for as long as the first are alone."""
        self._due_us = self._opens_us
        self._ended: set[str] = set()
        counts = [len(part.day.header.master) for part in parts]
        self._first_rows = [sum(counts[:place]) for place in range(len(counts))]

    @override
    async def run(self) -> None:
        TICKS_CACHE.start(*(part.replay.session for part in self._parts))
        await self._bus.declare([part.day.header.underlying for part in self._parts])
        for due_us, steps in self._together():
            await self._pace.until_due(due_us)
            async with (
                asyncio.TaskGroup() as tasks
            ):  # the calls of different partitions go out in one go
                for place, step in steps.items():
                    tasks.create_task(self._publish(place, step))
        logger.info("simulated day has ended", extra=dict(self.facts()))

    def _together(self) -> Iterator[tuple[int, Mapping[int, Step]]]:
        """Give the steps of all parts in order of time, those of different parts together that are due in one second."""
        merged = heapq.merge(*map(self._steps, range(len(self._parts))), key=itemgetter(0, 1))
        due: dict[int, Step] = {}
        for second, place, step in merged:
            if due and (place in due or second != due[next(iter(due))].due_us // 1_000_000):
                yield next(iter(due.values())).due_us, due
                due = {}
            due[place] = step
        if due:
            yield next(iter(due.values())).due_us, due

    def _steps(self, place: int) -> Iterator[tuple[int, int, Step]]:
        part = self._parts[place]
        is_joined = part.day.last.first_us < self._opens_us
        after_us = part.after_us or (self._opens_us if is_joined else 0)
        for step in going_on(part.replay.steps(), after_us):
            yield step.due_us // 1_000_000, place, step

    async def _publish(self, place: int, step: Step) -> None:
        underlying = self._parts[place].day.header.underlying
        await self._bus.publish(underlying, step.messages, step.pulse)
        self._due_us = max(self._due_us, step.due_us)
        if step.pulse.feed is FeedState.ENDED:
            self._ended.add(underlying)
        note_ticks(underlying, step.messages, self._first_rows[place])
        if step.pulse.age_ms is not None:
            metrics.FEED_AGE.labels(underlying).set(step.pulse.age_ms / 1000)

    @override
    def facts(self) -> Mapping[str, Any]:
        first = self._parts[0]
        session = first.replay.session
        has_ended = len(self._ended) == len(self._parts)
        return {
            "state": FeedState.ENDED if has_ended else FeedState.OK,
            "mode": session.mode,
            "source": session.source,
            "run": session.run,
            "underlying": session.underlying,
            "underlyings": len(self._parts),
            "speed": self._pace.speed or "max",
            "position": india(self._due_us),
            "ends": india(max(part.day.last.last_us for part in self._parts)),
            "frames": sum(part.replay.frames for part in self._parts),
            "frames_in_all": sum(part.day.last.frames for part in self._parts),
            "dropped": {},
            "spot": TICKS_CACHE[session.instruments.symbol[0]].ltp,
        }
