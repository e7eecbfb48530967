"""A feed timed by the exchange instead of by arrival: so a live feed of a recorded day gives the bytes of its replay.

Source: rulings, 5.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt
from typing_extensions import override

from ingest.blocks import Block
from ingest.packets import LTP, PACKETS, QUOTE, SNAP_QUOTE
from ingest.recording import Day
from oimon.messages import Session
from oimon.terms import FeedState

_AT = slice(35, 43)
_LENGTHS = {mode: PACKETS[mode].itemsize for mode in (LTP, QUOTE, SNAP_QUOTE)}


class FeedClock(StrEnum):
    """What says when a frame came."""

    ARRIVAL = "arrival"
    EXCHANGE = "exchange"


class ExchangeClock:
    """The newest exchange time of all frames so far."""

    def __init__(self) -> None:
        self.newest_us = 0
        """0: there was none."""

    def times(self, frames: Sequence[bytes]) -> npt.NDArray[np.int64]:
        """Return when each frame came by this clock, in microseconds, shape (frames,): what holds no time comes with the one before."""
        ms = (
            int.from_bytes(frame[_AT], "little", signed=True) if _tells_time(frame) else 0
            for frame in frames
        )
        times = np.fromiter(ms, np.int64, len(frames)) * 1000
        times = np.maximum.accumulate(np.concatenate(([self.newest_us], times)))[1:]
        if len(times):
            self.newest_us = int(times[-1])
        return times


class InExchangeTime(Day):
    """A day whose frames come when the exchange sent them."""

    def __init__(self, day: Day) -> None:
        super().__init__(day.header, day.last)
        self._day = day

    @override
    def session(self, run: str) -> Session:
        return self._day.session(run)

    @override
    def state(self, ts_us: int) -> FeedState:
        return self._day.state(ts_us)

    @override
    def blocks(self) -> Iterator[Block]:
        clock = ExchangeClock()
        for block in self._day.blocks():
            yield replace(block, received_us=clock.times(block.frames))


def timed(day: Day, clock: FeedClock) -> Day:
    """Return the day by this clock."""
    return InExchangeTime(day) if clock is FeedClock.EXCHANGE else day


def _tells_time(frame: bytes) -> bool:
    return len(frame) >= _LENGTHS.get(frame[0] if frame else 0, len(frame) + 1)
