"""From the stream to the bus by the exchange's clock: as a replay would publish the same frames.

For the local broker, whose day is another than today; a live market goes by the server's clock (``pump``). Source: rulings, 5.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from ingest.blocks import Block
from ingest.exchange_clock import ExchangeClock
from ingest.feed import TICKS_CACHE, FrameBuffer, note_ticks
from ingest.recording import Day
from ingest.replay import Replay
from ingest.tokens import NAME_BYTES
from oimon import metrics
from oimon.bus import Bus
from oimon.messages import Gap, TickBatch, TickFlag

_NAME = slice(1, NAME_BYTES)


class ExchangePump:
    """Publishes what the stream puts into ``buffer``; make it inside the loop that runs it."""

    def __init__(self, bus: Bus, days: Sequence[Day], run: str, *, beat_ms: int) -> None:
        """Prepare to publish.

        Args:
            bus: where to.
            days: what the frames mean, one a partition.
            run: name of the run.
            beat_ms: from beat to beat of the exchange's time; 0: every batch is one.
        """
        self._arrived = asyncio.Event()
        loop = asyncio.get_running_loop()

        def wake() -> None:
            loop.call_soon_threadsafe(self._arrived.set)

        self.buffer, self.beside = FrameBuffer(wake), FrameBuffer(wake)
        """Where frames go; those asked for in the stream's place come by the same clock."""
        self._bus, self._run = bus, run
        self._replays = [Replay(day, run, beat_us=beat_ms * 1000) for day in days]
        self._clocks = [ExchangeClock() for _ in days]
        self._to_tell: list[tuple[str, Gap]] = []
        self._first_rows: list[int] = []
        self._places: dict[bytes, int] = {}
        self.renew(days)

    def renew(self, days: Sequence[Day]) -> None:
        """Go on with days that have instruments added at the end, or of which more is known."""
        self._places = {name: place for place, day in enumerate(days) for name in day.tokens.heads}
        counts = [len(day.header.master) for day in days]
        self._first_rows = [sum(counts[:place]) for place in range(len(counts))]
        for replay, day in zip(self._replays, days, strict=True):
            replay.go_on_with(day)
        TICKS_CACHE.renew(*(replay.session for replay in self._replays))

    def tell(self, underlying: str, message: Gap) -> None:
        """Have a partition told of a hole before its next ticks: by the exchange's clock it lies between them and those before."""
        self._to_tell.append((underlying, message))

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            for buffer, flag in ((self.buffer, 0), (self.beside, TickFlag.REST)):
                shares: list[list[bytes]] = [[] for _ in self._replays]
                for frame in buffer.take()[0]:
                    place = self._places.get(frame[_NAME])
                    if place is not None:
                        shares[place].append(frame)
                for place, share in enumerate(shares):
                    if share:
                        await self._publish(place, share, flag)

    async def _publish(self, place: int, frames: list[bytes], flag: int) -> None:
        replay, clock = self._replays[place], self._clocks[place]
        underlying, since_us = replay.session.underlying, clock.newest_us
        times = clock.times(frames)
        told = [
            replace(gap, from_us=min(gap.from_us, since_us or int(times[0])), to_us=int(times[0]))
            for name, gap in self._to_tell
            if name == underlying
        ]
        self._to_tell = [(name, gap) for name, gap in self._to_tell if name != underlying]
        for step in replay.block_steps(Block(frames=frames, received_us=times)):
            for each in step.messages:
                if flag and isinstance(each, TickBatch):
                    each.records["flags"] |= flag
            await self._bus.publish(underlying, [*told, *step.messages], step.pulse)
            told = []
            note_ticks(underlying, step.messages, self._first_rows[place])
            if step.pulse.age_ms is not None:
                metrics.FEED_AGE.labels(underlying).set(step.pulse.age_ms / 1000)
