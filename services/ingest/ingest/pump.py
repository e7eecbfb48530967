"""From a feed's thread to the bus, live: everything that has arrived goes on in one call. Source: rulings, 25 (pace)."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingest.feed import MAX_WAITING, TICKS_CACHE, FrameBuffer, flush_s, held_back_s
from ingest.frames import Ticks, decode
from ingest.tokens import TokenTable
from oimon import metrics
from oimon.bus import Bus, Pulse
from oimon.calendar import market_state
from oimon.clock import Clock
from oimon.codec import MAX_TICKS
from oimon.messages import Gap, Session, TickBatch, TickFlag
from oimon.terms import FeedState

SESSION_EVERY_S = 60.0
"""After so long the session is said again, so that whatever is kept of the log holds one."""
_BEATS_A_CALL = 0.25  # with nothing new, the bus is called four times a beat, so that none is late by more than that


@dataclass(eq=False)
class _Partition:
    """One session on its way, and what its next beat has to tell."""

    session: Session
    called_s: float = -math.inf
    said_s: float = math.inf  # when the session was said
    has_beat: bool = True
    conflated: int = 0
    data_us: int | None = None
    to_tell: list[Session | Gap] = field(default_factory=list)
    """What goes before the next ticks."""

    def __post_init__(self) -> None:
        self.to_tell.append(self.session)

    def __len__(self) -> int:
        return len(self.session.instruments.token)

    def told(self, now_s: float) -> list[Session | Gap]:
        """Return what is to be told now; then it is."""
        told, self.to_tell = self.to_tell, []
        if now_s - self.said_s >= SESSION_EVERY_S and self.session not in told:
            told.insert(0, self.session)
        if self.session in told:
            self.said_s = now_s
        return told


class Pump:
    """Publishes what a feed's thread puts into ``buffer``; make it inside the loop that runs it."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        sessions: Sequence[Session],
        tokens: TokenTable,
        *,
        flush_ms: float,
        beat_ms: int,
        state: Callable[[], FeedState] = lambda: FeedState.OK,
    ) -> None:
        """Prepare to publish.

        Args:
            bus: where to.
            clock: paces flushes and says how old data is.
            sessions: what the ticks mean, one a partition; each is told before its ticks.
            tokens: look-up of all of them; its rows are those of the first session, then of the next, and so on.
            flush_ms: least time between two calls.
            beat_ms: from beat to beat of the bus; 0: every batch is one.
            state: what is known of the feed, for the beats.
        """
        loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(self._arrived.set)

        self._partitions = [_Partition(session) for session in sessions]
        self._state = state
        self.buffer = FrameBuffer(wake, max(MAX_WAITING, sum(map(len, self._partitions))))
        """Where the feed's thread puts its frames."""
        self.beside = FrameBuffer(wake)
        """Where frames go that were asked for in the feed's place; their ticks say so."""
        self._bus = bus
        self._clock = clock
        self._tokens = tokens
        self._flush_s = flush_s(flush_ms, len(sessions))
        self._held_back_s = held_back_s(len(sessions))
        self._is_beat_by_batch = beat_ms == 0
        self._beat_s = beat_ms / 1000 or 1.0

    async def run(self) -> None:
        """Publish until cancelled."""
        now_s = self._clock.monotonic_s()
        await self._publish({each: each.told(now_s) for each in self._partitions}, now_s)
        while True:
            started_s = self._clock.monotonic_s()
            if not await self.flush() and self._is_beat_by_batch:
                await asyncio.sleep(self._held_back_s)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_s * _BEATS_A_CALL):
                    await self._arrived.wait()
            self._arrived.clear()
            rest_s = started_s + self._flush_s - self._clock.monotonic_s()
            if rest_s > 0:
                await asyncio.sleep(rest_s)

    def tell(self, underlying: str, message: Gap) -> None:
        """Have a partition told something before its next ticks."""
        for partition in self._partitions:
            if partition.session.underlying == underlying:
                partition.to_tell.append(message)
                self._arrived.set()

    def renew(self, sessions: Sequence[Session], tokens: TokenTable) -> None:
        """Go on with sessions that have instruments added at the end, or of which more is known; the others are not told again.

        Args:
            sessions: of the same underlyings in the same order.
            tokens: look-up of all of them.
        """
        for partition, session in zip(self._partitions, sessions, strict=True):
            if session != partition.session:
                partition.session = session
                partition.to_tell.append(session)
        self._tokens = tokens
        TICKS_CACHE.renew(*sessions)
        self._arrived.set()

    async def flush(self) -> bool:
        """Publish all that has arrived, or nothing but what the next beats say; return whether every call had a beat."""
        now_s = self._clock.monotonic_s()
        ticks, came_us, conflated = self._taken(self.buffer)
        asked, asked_us, _ = self._taken(self.beside)
        if len(asked):
            asked = asked.copy()
            asked["flags"] |= TickFlag.REST
            ticks, came_us = _after(ticks, came_us, asked, asked_us)
        metrics.TICKS_CONFLATED.inc(conflated)
        TICKS_CACHE.apply(ticks)
        due_s = now_s - self._beat_s * _BEATS_A_CALL
        calls: dict[_Partition, Sequence[Session | Gap | TickBatch]] = {}
        for partition, own in zip(self._partitions, self._shared_out(ticks), strict=True):
            partition.conflated += conflated  # nobody knows any more whose they were
            told = partition.told(now_s)
            if len(own):
                partition.data_us = came_us + int(own["received_after_us"][-1])
                metrics.TICKS.labels(partition.session.underlying).inc(len(own))
            is_due = partition.called_s <= due_s or not partition.has_beat
            if told or len(own) or is_due:
                batches = _batches(partition.session, own, came_us if len(own) else 0)
                calls[partition] = [*told, *batches]
        await self._publish(calls, now_s)
        if len(ticks):
            newest_us = came_us + int(ticks["received_after_us"][-1])
            metrics.TICK_AGE.labels("ingest").observe((self._clock.now_us() - newest_us) / 1e6)
        return all(partition.has_beat for partition in calls)

    def _taken(self, buffer: FrameBuffer) -> tuple[Ticks, int, int]:
        """Return the ticks of a buffer, when the first came, and how many frames gave way to newer ones."""
        frames, times, conflated = buffer.take()
        ticks, drops = decode(frames, times, self._tokens)
        for why, count in drops.items():
            metrics.FRAMES_DROPPED.labels(why).inc(count)
        return ticks, times[0] if len(times) else 0, conflated

    def _shared_out(self, ticks: Ticks) -> Sequence[Ticks]:
        """Return each partition's ticks in their order, with rows of its own session."""
        if len(self._partitions) == 1 or not len(ticks):
            return [ticks, *([ticks[:0]] * (len(self._partitions) - 1))]
        first_rows = np.cumsum([0, *map(len, self._partitions)])
        place = np.searchsorted(first_rows, ticks["row"], side="right") - 1
        order = place.argsort(kind="stable")
        own, place = ticks[order], place[order]
        own["row"] -= first_rows[place].astype(np.uint32)
        return np.split(own, np.searchsorted(place, np.arange(1, len(self._partitions))))

    async def _publish(
        self, calls: Mapping[_Partition, Sequence[Session | Gap | TickBatch]], now_s: float
    ) -> None:
        """Make the calls of one flush together: they go out in one go."""
        now_us = self._clock.now_us()
        if len(calls) == 1:
            ((partition, messages),) = calls.items()
            await self._call(partition, messages, now_us)
        else:
            async with asyncio.TaskGroup() as tasks:
                for partition, messages in calls.items():
                    tasks.create_task(self._call(partition, messages, now_us))
        for partition in calls:
            partition.called_s = now_s

    async def _call(
        self, partition: _Partition, messages: Sequence[Session | Gap | TickBatch], now_us: int
    ) -> None:
        session, data_us = partition.session, partition.data_us
        pulse = Pulse(
            run=session.run,
            market=market_state(session.segment, now_us),
            feed=self._state(),
            age_ms=None if data_us is None else max(0, now_us - data_us) // 1000,
            conflated=partition.conflated,
        )
        partition.has_beat = await self._bus.publish(session.underlying, messages, pulse) > 0
        if partition.has_beat:
            partition.conflated = 0


def _after(ticks: Ticks, came_us: int, later: Ticks, later_us: int) -> tuple[Ticks, int]:
    """Return ticks of two sources as one, and when the first came."""
    if not len(ticks):
        return later, later_us
    first_us, both = min(came_us, later_us), np.concatenate([ticks, later])
    both["received_after_us"][: len(ticks)] += came_us - first_us
    both["received_after_us"][len(ticks) :] += later_us - first_us
    return both, first_us


def _batches(session: Session, ticks: Ticks, received_us: int) -> Iterator[TickBatch]:
    for start in range(0, len(ticks), MAX_TICKS):
        part = ticks[start : start + MAX_TICKS]
        yield TickBatch(received_us=received_us, table=session.table, records=part)
