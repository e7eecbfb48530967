"""From a feed's thread to the bus, live: everything that has arrived goes on in one call. Source: rulings, 25 (pace)."""

import asyncio
import contextlib
from collections.abc import Sequence

from ingest.feed import TICKS_CACHE, FrameBuffer, flush_s, held_back_s
from ingest.frames import Ticks, decode
from ingest.tokens import TokenTable
from oimon import metrics
from oimon.bus import Bus, Pulse
from oimon.calendar import market_state
from oimon.clock import Clock
from oimon.codec import MAX_TICKS
from oimon.messages import Session, TickBatch
from oimon.terms import FeedState

_BEATS_A_CALL = 0.25  # with nothing new, the bus is called four times a beat, so that none is late by more than that


class Pump:
    """Publishes what a feed's thread puts into ``buffer``; make it inside the loop that runs it."""

    def __init__(
        self,
        bus: Bus,
        clock: Clock,
        session: Session,
        tokens: TokenTable,
        *,
        flush_ms: float,
        beat_ms: int,
    ) -> None:
        """Prepare to publish one session.

        Args:
            bus: where to.
            clock: paces flushes and says how old data is.
            session: what the ticks mean; published first.
            tokens: its look-up.
            flush_ms: least time between two calls.
            beat_ms: from beat to beat of the bus; 0: every batch is one.
        """
        loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(self._arrived.set)

        self.buffer = FrameBuffer(wake)
        """Where the feed's thread puts its frames."""
        self._bus = bus
        self._clock = clock
        self._session = session
        self._tokens = tokens
        self._flush_s = flush_s(flush_ms, partitions=1)
        self._held_back_s = held_back_s(partitions=1)
        self._is_beat_by_batch = beat_ms == 0
        self._beat_us = beat_ms * 1000 or 1_000_000
        self._conflated = 0
        self._data_us: int | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        await self._publish([self._session])
        while True:
            started_s = self._clock.monotonic_s()
            if not await self.flush() and self._is_beat_by_batch:
                await asyncio.sleep(self._held_back_s)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._beat_us / 1e6 * _BEATS_A_CALL):
                    await self._arrived.wait()
            self._arrived.clear()
            rest_s = started_s + self._flush_s - self._clock.monotonic_s()
            if rest_s > 0:
                await asyncio.sleep(rest_s)

    async def flush(self) -> bool:
        """Publish all that has arrived, or nothing but what the next beat says; return whether there was a beat."""
        frames, times, conflated = self.buffer.take()
        ticks, drops = decode(frames, times, self._tokens)
        for why, count in drops.items():
            metrics.FRAMES_DROPPED.labels(why).inc(count)
        metrics.TICKS_CONFLATED.inc(conflated)
        self._conflated += conflated
        batches = self._batches(ticks, times)
        for batch in batches:
            TICKS_CACHE.apply(batch)
        has_beat = await self._publish(batches)
        if batches and self._data_us is not None:
            metrics.TICKS.labels(self._session.underlying).inc(len(ticks))
            metrics.TICK_AGE.labels("ingest").observe((self._clock.now_us() - self._data_us) / 1e6)
        return has_beat

    def _batches(self, ticks: Ticks, times: Sequence[int]) -> list[TickBatch]:
        if not len(ticks):
            return []
        self._data_us = times[0] + int(ticks["received_after_us"][-1])
        return [
            TickBatch(
                received_us=times[0],
                table=self._session.table,
                records=ticks[start : start + MAX_TICKS],
            )
            for start in range(0, len(ticks), MAX_TICKS)
        ]

    async def _publish(self, messages: Sequence[Session | TickBatch]) -> bool:
        now_us = self._clock.now_us()
        age_ms = None if self._data_us is None else max(0, now_us - self._data_us) // 1000
        pulse = Pulse(
            run=self._session.run,
            market=market_state(self._session.segment, now_us),
            feed=FeedState.OK,
            age_ms=age_ms,
            conflated=self._conflated,
        )
        has_beat = await self._bus.publish(self._session.underlying, messages, pulse)
        if has_beat:
            self._conflated = 0
        return has_beat
