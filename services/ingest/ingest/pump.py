"""From a feed's thread to the bus, live: everything of an underlying that has arrived goes on in one call. Source: rulings, 25 (pace).

An underlying does not wait for another's call; while its own is under way, what comes next waits for it, and nothing more is taken. What was published is handed to the recorder in the same order: what was told, the frames of the ticks, the beat after them.
"""

import asyncio
import contextlib
import math
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.arrivals import Arrivals, Share
from ingest.day import with_day
from ingest.feed import MAX_WAITING, TICKS_CACHE, AskingAgain, FrameBuffer, flush_s
from ingest.live_recorder import LiveRecorder, Track
from ingest.recording import Day
from oimon import metrics
from oimon.bus import Bus, Pulse
from oimon.calendar import market_state
from oimon.clock import Clock
from oimon.codec import MAX_TICKS
from oimon.messages import Beat, Gap, Message, Session, TickBatch, TickFlag
from oimon.terms import FeedState, Segment

SESSION_EVERY_S = 60.0
"""After so long the session is said again, so that whatever is kept of the log holds one."""
HOLD_S = 0.5
"""So long the last call may take when the feed ends."""
_BEATS_A_CALL = 0.25  # with nothing new, the bus is called four times a beat, so that none is late by more than that
_QUOTED = (Segment.MCX, Segment.NSE)


@dataclass(eq=False)
class _Partition:
    """One day of one underlying on its way, and what its next beat has to tell."""

    day: Day
    session: Session
    track: Track | None = None
    called_s: float = -math.inf
    said_s: float = math.inf  # when the session was said
    has_beat: bool = True
    conflated: int = 0
    data_us: int | None = None
    to_tell: list[Session | Gap] = field(default_factory=list)
    """What goes before the next ticks."""
    share: Share | None = None
    """What came and waits for the next call."""
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    """A call is wanted."""
    calling: asyncio.Lock = field(default_factory=asyncio.Lock)
    asking_again: AskingAgain = field(default_factory=AskingAgain)

    def __post_init__(self) -> None:
        self.to_tell.append(self.session)
        self.wanted.set()

    @property
    def is_quoted(self) -> bool:
        return self.session.segment in _QUOTED

    def call(self, now_s: float) -> "_Call":
        """Return the next call: what is to be told now, and what came."""
        share, self.share = self.share or Share(), None
        if len(share.ticks):
            self.data_us = share.newest_us
        return _Call(day=self.day, session=self.session, told=self._told(now_s), share=share)

    def _told(self, now_s: float) -> list[Session | Gap]:
        told, self.to_tell = self.to_tell, []
        if now_s - self.said_s >= SESSION_EVERY_S and self.session not in told:
            told.insert(0, self.session)
        if self.session in told:
            self.said_s = now_s
        return told


@dataclass(frozen=True, kw_only=True, slots=True)
class _Call:
    """What one call of the bus brings."""

    day: Day
    session: Session
    told: Sequence[Session | Gap]
    share: Share = field(default_factory=Share)

    def messages(self) -> Sequence[Message]:
        """Return what is published."""
        return [*self.told, *_batches(self.session, self.share, self.day)]


class Pump:
    """Publishes what a feed's thread puts into ``buffer``; make it inside the loop that runs it."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        days: Sequence[Day],
        run: str,
        *,
        flush_ms: float,
        beat_ms: int,
        state: Callable[[], FeedState] = lambda: FeedState.OK,
        recorder: LiveRecorder | None = None,
    ) -> None:
        """Prepare to publish.

        Args:
            bus: where to.
            clock: paces flushes and says how old data is.
            days: what the frames mean, one a partition; each is told before its ticks.
            run: name of the run.
            flush_ms: least time between two calls.
            beat_ms: from beat to beat of the bus; 0: every batch is one.
            state: what is known of the feed, for the beats.
            recorder: keeps what was published; ``None``: nobody does.
        """
        loop = asyncio.get_running_loop()
        own_thread, self._arrived = threading.get_ident(), asyncio.Event()

        def wake() -> None:
            if threading.get_ident() == own_thread:
                self._arrived.set()
            else:
                loop.call_soon_threadsafe(self._arrived.set)

        self._run_id = run
        self._partitions = [_Partition(day, day.session(run)) for day in days]
        if recorder is not None:
            for partition in self._partitions:
                partition.track = recorder.track(partition.day.header)
        self._state = state
        instruments = sum(len(day.header.master) for day in days)
        self.buffer = FrameBuffer(wake, max(MAX_WAITING, instruments))
        """Where the feed's thread puts its frames."""
        self.beside = FrameBuffer(wake)
        """Where frames go that were asked for in the feed's place; their ticks say so."""
        self._arrivals = Arrivals(self.buffer, self.beside, days)
        self._bus = bus
        self._clock = clock
        self._flush_s = flush_s(flush_ms, len(days))
        self._is_beat_by_batch = beat_ms == 0
        self._beat_s = beat_ms / 1000 or 1.0
        self._taken = asyncio.Event()

    async def run(self) -> None:
        """Publish until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for partition in self._partitions:
                tasks.create_task(self._serve(partition))
            await asyncio.sleep(0)  # sessions go first, each by itself
            tasks.create_task(self._look_again())
            while True:
                started_s = self._clock.monotonic_s()
                self._share_out(started_s)
                await self._arrived.wait()
                self._arrived.clear()
                rest_s = started_s + self._flush_s - self._clock.monotonic_s()
                if rest_s > 0:
                    await asyncio.sleep(rest_s)
                await self._have_room()

    async def _look_again(self) -> None:
        """Have beats called that are due while nothing comes."""
        while True:
            await asyncio.sleep(self._beat_s * _BEATS_A_CALL)
            self._arrived.set()

    async def hold(self) -> None:
        """Let the calls that are under way end, so that what they publish is recorded; make none after them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(HOLD_S):
                for partition in self._partitions:
                    await partition.calling.acquire()

    def tell(self, underlying: str, message: Gap) -> None:
        """Have a partition told something before its next ticks."""
        for partition in self._partitions:
            if partition.session.underlying == underlying:
                partition.to_tell.append(message)
                partition.wanted.set()

    def renew(self, days: Sequence[Day]) -> None:
        """Go on with days that have instruments added at the end, or of which more is known; the others are not told again.

        Args:
            days: of the same underlyings in the same order.
        """
        for partition, day in zip(self._partitions, days, strict=True):
            session = day.session(self._run_id)
            if session != partition.session:
                partition.day, partition.session = day, session
                partition.to_tell.append(session)
                partition.wanted.set()
        self._arrivals.renew(days)
        TICKS_CACHE.renew(*(partition.session for partition in self._partitions))

    def _share_out(self, now_s: float) -> None:
        """Give each partition what has come for it, and have it called if that, or its next beat, asks for it."""
        needs_frames = any(each.track is not None or each.is_quoted for each in self._partitions)
        arrived = self._arrivals.take(with_frames=needs_frames)
        metrics.TICKS_CONFLATED.inc(arrived.conflated)
        TICKS_CACHE.apply(arrived.ticks)
        due_s = now_s - self._beat_s * _BEATS_A_CALL
        for partition, share in zip(self._partitions, arrived.shares, strict=True):
            partition.conflated += arrived.conflated  # nobody knows any more whose they were
            if len(share.ticks):
                partition.share = share
                metrics.TICKS.labels(partition.session.underlying).inc(len(share.ticks))
            if partition.share is not None or partition.called_s <= due_s:
                partition.wanted.set()

    async def _have_room(self) -> None:
        """Wait until what came last is on its way, so that no more waits than the buffer is bounded to."""
        while any(partition.share is not None for partition in self._partitions):
            self._taken.clear()
            await self._taken.wait()

    async def _serve(self, partition: _Partition) -> None:
        """Call the bus for one partition, again and again."""
        while True:
            await partition.wanted.wait()
            partition.wanted.clear()
            async with partition.calling:
                now_s = self._clock.monotonic_s()
                call = partition.call(now_s)
                self._taken.set()
                await self._call(partition, call, self._clock.now_us())
                partition.called_s = now_s
            if len(call.share.ticks):
                age_us = self._clock.now_us() - call.share.newest_us
                metrics.TICK_AGE.labels("ingest").observe(age_us / 1e6)
            if self._is_beat_by_batch:
                again_s = partition.asking_again.after(has_beat=partition.has_beat)
                if again_s:
                    await asyncio.sleep(again_s)
                    partition.wanted.set()

    async def _call(self, partition: _Partition, call: _Call, now_us: int) -> None:
        session, data_us = call.session, partition.data_us
        pulse = Pulse(
            run=session.run,
            market=market_state(session.segment, now_us),
            feed=self._state(),
            age_ms=None if data_us is None else max(0, now_us - data_us) // 1000,
            conflated=partition.conflated,
        )
        beat_us = await self._bus.publish(session.underlying, call.messages(), pulse)
        partition.has_beat = beat_us > 0
        if partition.has_beat:
            partition.conflated = 0
        if pulse.age_ms is not None:
            metrics.FEED_AGE.labels(session.underlying).set(pulse.age_ms / 1000)
        if partition.track is not None:
            partition.track.take(
                [each if isinstance(each, Gap) else call.day.header for each in call.told],
                call.share.frames,
                call.share.times,
                _beat(pulse, beat_us),
            )


def _beat(pulse: Pulse, beat_us: int) -> Beat | None:
    """Return the beat as the bus has written it, if it has."""
    if not beat_us:
        return None
    return Beat(
        ts_us=beat_us,
        market=pulse.market,
        feed=pulse.feed,
        age_ms=pulse.age_ms,
        conflated=pulse.conflated,
    )


def _batches(session: Session, share: Share, day_of: Day) -> Iterator[TickBatch]:
    """Give the ticks as messages; where prices are all there is, with the day records of their packets."""
    ticks, day, most = share.ticks, None, MAX_TICKS
    if session.segment in _QUOTED and len(ticks):
        ticks, day = with_day(ticks, share.frames, day_of.tokens)
        most //= 2  # the records take room too
    has_day = np.cumsum([0, *((ticks["flags"] & TickFlag.DAY) > 0)]) if day is not None else None
    for start in range(0, len(ticks), most):
        part = ticks[start : start + most]
        of_part = None
        if day is not None and has_day is not None:
            of_part = day[has_day[start] : has_day[start + len(part)]]
        yield TickBatch(
            received_us=share.came_us,
            table=session.table,
            records=part,
            day=of_part if of_part is not None and len(of_part) else None,
        )
