"""The recorded day in one process: how many times real time, here and by the clock of the broker SDK's parser.

Everything runs: frames, book, one analysis a beat of two expiries, both coaches by rule, encoding. Asserted first: one analysis a
beat, in order. "Times real time" measures the machine too, so the goal is held beside a peer that runs in the same rounds:
300 times where the SDK parses a packet in 19.6 µs, as on the machine of the performance paper, is 170 packets a beat.

Source: performance paper, summary (19.6 µs); decision 0010.
"""

import contextlib
import statistics
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from oimon import offline
from oimon.bus import Entry
from oimon.messages import ANALYSIS
from tests.bench.bench_decode import make_frames
from tests.bench.harness import PAPERS_PACKET_US, Result, main
from tests.sdk_parser import sdk_parser

GOAL = 300.0
PACKETS = 1e6 / GOAL / PAPERS_PACKET_US
FRAMES = make_frames(100)
DAY = (
    Path(__file__).resolve().parents[2] / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"
)
QUICK_BEATS = 3000
EVERY = 250  # beats between two looks at the peer


class Enough(Exception):  # noqa: N818 - not an error
    """As many beats as wanted."""


@dataclass
class Round:
    """One pass over the day, or its begin: the beats that it had, and what the SDK's parser took meanwhile, in seconds of CPU time."""

    beats: list[int] = field(default_factory=list)
    packets_s: list[float] = field(default_factory=list)
    spent_s: float = 0.0

    @property
    def seconds(self) -> float:
        """What passed on the exchange."""
        return (self.beats[-1] - self.beats[0]) / 1e6 + 1

    @property
    def beat_us(self) -> float:
        """What a beat took, without the looks at the peer."""
        return (self.spent_s - sum(self.packets_s)) * 1e6 / len(self.beats)

    @property
    def packet_us(self) -> float:
        """What the SDK's parser took for a packet."""
        return statistics.fmean(self.packets_s) * 1e6 / len(FRAMES)


def play(beats: int | None) -> Round:
    """Play the day, or so many beats of it, and every now and then let the SDK parse some packets."""
    theirs, found = sdk_parser(), Round()

    def take(entry: Entry) -> None:
        if entry.stream != ANALYSIS:
            return
        found.beats.append(entry.message.ts_us)
        if len(found.beats) % EVERY == 0:
            start = time.process_time()
            for frame in FRAMES:
                theirs(frame)
            found.packets_s.append(time.process_time() - start)
        if len(found.beats) == beats:
            raise Enough

    start = time.process_time()
    with contextlib.suppress(Enough):
        offline.run(offline.open_recording(DAY), speed=None, take=[take])
    found.spent_s = time.process_time() - start
    first = found.beats[0]
    assert found.beats == [first + 1_000_000 * k for k in range(len(found.beats))], (
        "an analysis is missing or out of order"
    )
    return found


def run(quick: bool) -> list[Result]:
    """Return the comparisons of a beat's CPU time with a second of the day, and with the packets of its goal."""
    rounds = [play(QUICK_BEATS if quick else None) for _ in range(3)]
    count, ours_us = len(rounds[0].beats), [each.beat_us for each in rounds]
    day_us = [each.seconds * 1e6 / count for each in rounds]
    packets_us = [PACKETS * each.packet_us for each in rounds]
    return [
        Result.of("recorded day", count, ours_us=ours_us, theirs_us=day_us, goal=0.0),
        Result.of("day, in packets", count, ours_us=ours_us, theirs_us=packets_us, goal=1.0),
    ]


if __name__ == "__main__":
    sys.exit(main(run))
