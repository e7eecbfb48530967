"""Plays the broker's feed to the market's state and to the stream: at a speed, as fast as it is taken, or by a test's hand."""

import asyncio

from ingest.fakebroker.market import Market
from ingest.fakebroker.source import Frames, Source
from ingest.fakebroker.stream import Stream
from ingest.player import Pace
from oimon.clock import Clock

_TOGETHER_S = 0.005
"""Frames that fall into so much real time are sent together."""
_MOST = 512
_OPENING_US = 1_000_000
_FULL_BYTES = 1_000_000
_WAIT_S = 0.001


class Broadcast:
    """One run through a source.

    The first second of the feed is known from the start, so that REST can tell it and whoever subscribes is sent it. The rest
    begins once subscriptions have come, and none for a while: so a client that asks in batches misses nothing.
    """

    def __init__(
        self, source: Source, market: Market, stream: Stream, clock: Clock, speed: float | None
    ) -> None:
        """Prepare to play.

        Args:
            source: what is played.
            market: follows it.
            stream: sends it.
            clock: paces it.
            speed: times real time; ``None``: as fast as the slowest client takes it.
        """
        self._source, self._market, self._stream = source, market, stream
        self._pace = Pace(clock, speed)
        self._waits = speed is None
        self._together_us = round(_TOGETHER_S * 1e6 * (speed or 1 / _TOGETHER_S))
        self._frames: Frames = iter(())
        self._next: tuple[int, bytes] | None = None
        self._asked = asyncio.Event()
        self.played = 0

    def open(self) -> None:
        """Begin: take over the feed's first second."""
        self._frames = self._source.play()
        self._next = next(self._frames, None)
        self._send(self._source.frames, self._source.opens_us + _OPENING_US)

    def asked(self) -> None:
        """Note that a client has changed what it wants."""
        self._asked.set()

    async def run(self, settle_s: float) -> None:
        """Wait for subscriptions that have settled, then play to the end.

        Args:
            settle_s: how long none must have come.
        """
        await self._asked.wait()
        while self._asked.is_set():
            self._asked.clear()
            await asyncio.sleep(settle_s)
        await self.play()

    async def play(self, frames: int | None = None, until_us: int | None = None) -> int:
        """Play on; return how many frames that were.

        Args:
            frames: at most so many; ``None``: all.
            until_us: only those before this time of the feed; ``None``: to its end.
        """
        before = self.played
        while self._next is not None:
            left = _MOST if frames is None else min(_MOST, frames - (self.played - before))
            due_us = self._next[0]
            if left <= 0 or (until_us is not None and due_us >= until_us):
                break
            await self._pace.until_due(due_us)
            end_us = due_us + self._together_us
            self._send(left, end_us if until_us is None else min(end_us, until_us))
            await self._room()
        return self.played - before

    @property
    def has_ended(self) -> bool:
        """Whether everything was played."""
        return self._next is None

    def _send(self, most: int, end_us: int) -> None:
        """Take over the frames up to a time, give each to its subscribers, and send all together."""
        apply, deliver, frames, coming = self._market.apply, self._stream.deliver, self._frames, self._next  # fmt: skip
        count = 0
        while coming is not None and count < most and coming[0] < end_us:
            at_us, frame = coming
            apply(at_us, frame)
            deliver(frame)
            count += 1
            coming = next(frames, None)
        self._next = coming
        self.played += count
        self._stream.flush()

    async def _room(self) -> None:
        """Let clients read; a market does not wait for them, but one without a pace has no other."""
        await asyncio.sleep(0)
        self._stream.cut_slow()
        while self._waits and self._stream.unsent_bytes > _FULL_BYTES:  # noqa: ASYNC110 - nothing tells it
            await asyncio.sleep(_WAIT_S)
