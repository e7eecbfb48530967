"""What a live feed has brought since the last look: ticks, shared out among the partitions, with their frames where those are wanted."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.feed import FrameBuffer
from ingest.frames import MOST_AFTER_US, Ticks, decode
from ingest.instruments import token_table
from ingest.recording import Day
from ingest.tokens import NAME_BYTES
from oimon import metrics
from oimon.messages import TICK, TickFlag

_NAME = slice(1, NAME_BYTES)
NO_TICKS: Ticks = np.zeros(0, TICK)


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What came for one partition."""

    ticks: Ticks = field(default_factory=lambda: NO_TICKS)
    """Dtype TICK, shape (ticks,), with rows of its own session."""
    came_us: int = 0
    """From when the ticks' ``received_after_us`` counts."""
    frames: Sequence[bytes] = ()
    """All of them, also those that were no ticks; empty where nobody wants them."""
    times: Sequence[int] = ()
    """When each frame came, never falling."""

    @property
    def newest_us(self) -> int:
        """When the newest tick came; there is one."""
        return self.came_us + int(self.ticks["received_after_us"][-1])


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """What came for all partitions."""

    ticks: Ticks
    conflated: int
    """Frames that gave way to newer ones of their instrument."""
    shares: Sequence[Share]


class Arrivals:
    """Empties the two buffers of a feed: of what its stream brought, and of what was asked for in its place."""

    def __init__(self, buffer: FrameBuffer, beside: FrameBuffer, days: Sequence[Day]) -> None:
        self._buffer, self._beside = buffer, beside
        self._floor_us = 0  # no frame is said to have come before one that was handed on
        self.renew(days)

    def renew(self, days: Sequence[Day]) -> None:
        """Go on with days that have instruments added at the end."""
        self._tokens = token_table([each for day in days for each in day.instruments])
        self._first_rows = np.cumsum([0, *(len(day.header.master) for day in days)])
        self._firsts: list[int] = self._first_rows.tolist()
        self._places: dict[bytes, int] | None = None

    def take(self, *, with_frames: bool) -> Arrived:
        """Return all that has come, in the order in which it came.

        Args:
            with_frames: whether the shares hold their frames.
        """
        frames, times, conflated = self._buffer.take()
        asked, asked_times, _ = self._beside.take()
        if times and times[0] < self._floor_us:
            times = np.maximum(times, self._floor_us).tolist()
        ticks, came_us = self._decoded(frames, times), times[0] if times else 0
        if asked:
            asked_times = np.maximum(asked_times, self._floor_us).tolist()
            beside = self._decoded(asked, asked_times).copy()
            beside["flags"] |= TickFlag.REST
            ticks, came_us = _merged(ticks, came_us, beside, asked_times[0])
            frames, times = _in_order([*frames, *asked], [*times, *asked_times])
        if times:
            self._floor_us = times[-1]
        shares = self._shared_out(frames, times) if with_frames else [((), ())] * self._count
        return Arrived(
            ticks=ticks,
            conflated=conflated,
            shares=[
                Share(ticks=own, came_us=came_us, frames=some, times=at)
                for own, (some, at) in zip(self._ticks_of(ticks), shares, strict=True)
            ],
        )

    @property
    def _count(self) -> int:
        return len(self._first_rows) - 1

    def _decoded(self, frames: Sequence[bytes], times: Sequence[int]) -> Ticks:
        ticks, drops = decode(frames, times, self._tokens)
        for why, count in drops.items():
            metrics.FRAMES_DROPPED.labels(why).inc(count)
        return ticks

    def _ticks_of(self, ticks: Ticks) -> Sequence[Ticks]:
        """Return each partition's ticks in their order, with rows of its own session."""
        if self._count == 1 or not len(ticks):
            return [ticks, *([ticks[:0]] * (self._count - 1))]
        only = self._only(int(ticks["row"].min()), int(ticks["row"].max()))
        if only is not None:  # mostly: a read of a socket brings one underlying's
            shares = [ticks[:0]] * self._count
            shares[only] = ticks.copy()
            shares[only]["row"] -= np.uint32(self._first_rows[only])
            return shares
        place = np.searchsorted(self._first_rows, ticks["row"], side="right") - 1
        order = place.argsort(kind="stable")
        own, place = ticks[order], place[order]
        own["row"] -= self._first_rows[place].astype(np.uint32)
        return np.split(own, np.searchsorted(place, np.arange(1, self._count)))

    def _only(self, first: int, last: int) -> int | None:
        """Return the partition that both rows are of; ``None`` where they are of two."""
        place = bisect_right(self._firsts, first) - 1
        return place if bisect_right(self._firsts, last) - 1 == place else None

    def _shared_out(
        self, frames: Sequence[bytes], times: Sequence[int]
    ) -> Sequence[tuple[Sequence[bytes], Sequence[int]]]:
        """Return each partition's frames and their times, in their order; what is nobody's is left out."""
        if self._count == 1 or not frames:
            return [(frames, times), *([((), ())] * (self._count - 1))]
        if self._places is None:  # an exchange has many, and mostly nobody wants its frames
            of_row = np.repeat(np.arange(self._count), np.diff(self._first_rows)).tolist()
            self._places = dict(zip(self._tokens.heads, of_row, strict=True))
        shares: list[tuple[list[bytes], list[int]]] = [([], []) for _ in range(self._count)]
        for frame, at_us in zip(frames, times, strict=True):
            place = self._places.get(frame[_NAME])
            if place is not None:
                shares[place][0].append(frame)
                shares[place][1].append(at_us)
        return shares


def _merged(ticks: Ticks, came_us: int, others: Ticks, others_us: int) -> tuple[Ticks, int]:
    """Return ticks of two sources in the order in which they came, and from when their times count."""
    if not len(ticks):
        return others, others_us
    first_us, both = min(came_us, others_us), np.concatenate([ticks, others])
    after_us = both["received_after_us"].astype(np.int64)
    after_us[: len(ticks)] += came_us - first_us
    after_us[len(ticks) :] += others_us - first_us
    both["received_after_us"] = np.minimum(after_us, MOST_AFTER_US)
    return both[after_us.argsort(kind="stable")], first_us


def _in_order(frames: Sequence[bytes], times: Sequence[int]) -> tuple[list[bytes], list[int]]:
    order: npt.NDArray[np.intp] = np.argsort(np.asarray(times, np.int64), kind="stable")
    return [frames[place] for place in order], [times[place] for place in order]
