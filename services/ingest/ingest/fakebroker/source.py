"""What the local broker broadcasts: a recorded day, or simulated ones together, frame by frame.

A recording's frames are sent as they are. The simulator's get what a real packet has beside its truth: garbage for the change of
open interest, and for an index the book that says "none". Source: smartapi, sections 4.4 and 10.
"""

import heapq
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter

from ingest.fakebroker.packet import SNAP_BYTES, as_mode, name_of_row
from ingest.fakebroker.subscriptions import Name
from ingest.instruments import MasterRow
from ingest.packets import LTP, SNAP_QUOTE
from ingest.recording import Day

Frames = Iterator[tuple[int, bytes]]
"""When each frame comes, in the feed's own time, never falling."""
_CHANGE = slice(139, 147)
_GARBAGE = [
    struct.pack("<d", value)
    for value in (4.25, -1e308, float("nan"), float("inf"), 0.0, 5e-324, -99.9, 1e17)
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """One instrument of the broadcast, and what is known of the session before."""

    row: MasterRow
    prev_close: float | None  # rupees
    oi_prev: int | None  # quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A broadcast that can be played from its beginning."""

    title: str
    date: str  # ISO day in India
    listed: Mapping[Name, Listed]
    opens_us: int
    """When the last of its markets begins: what was before is over when anybody connects."""
    last_us: int
    frames: int
    play: Callable[[], Frames]


def source_of(days: Sequence[Day], *, is_simulated: bool) -> Source:
    """Return the broadcast of one day of each of some underlyings, together in order of time.

    Args:
        days: at least one, all of one date.
        is_simulated: dress their packets as a broker's.
    """
    listed: dict[Name, Listed] = {}
    for day in days:
        header = day.newest_header
        for row, close, oi in zip(header.master, header.prev_close, header.oi_prev, strict=True):
            listed[name_of_row(row)] = Listed(row=row, prev_close=close, oi_prev=oi)
    indices = frozenset(name for name, each in listed.items() if _is_index(each.row))

    def play() -> Frames:
        merged = heapq.merge(*map(_frames, days), key=itemgetter(0))
        return _dressed(merged, indices) if is_simulated else merged

    return Source(
        title=", ".join(dict.fromkeys(day.header.source for day in days)),
        date=days[0].header.date,
        listed=listed,
        opens_us=max(day.last.first_us for day in days),
        last_us=max(day.last.last_us for day in days),
        frames=sum(day.last.frames for day in days),
        play=play,
    )


def _frames(day: Day) -> Frames:
    for block in day.blocks():
        yield from zip(block.received_us.tolist(), block.frames, strict=True)


def _dressed(frames: Frames, indices: frozenset[Name]) -> Frames:
    for at_us, frame in frames:
        if len(frame) != SNAP_BYTES:
            yield at_us, frame
        elif frame[1:27] in indices:
            yield at_us, as_mode(as_mode(frame, LTP), SNAP_QUOTE)
        else:
            garbage = _GARBAGE[frame[27] % len(_GARBAGE)]  # by the sequence number's last byte
            yield at_us, frame[: _CHANGE.start] + garbage + frame[_CHANGE.stop :]


def _is_index(row: MasterRow) -> bool:
    return row.instrumenttype == "AMXIDX"
