"""The recorded day in one process, against the day's own length: how many times real time.

Everything runs: frames, book, one analysis a beat of two expiries, both coaches by rule, encoding. Asserted first: one analysis a
beat, in order.
"""

import contextlib
import sys
import time
from pathlib import Path

from oimon import offline
from oimon.bus import Entry
from oimon.messages import ANALYSIS
from tests.bench.harness import Result, main

GOAL = 300.0
DAY = (
    Path(__file__).resolve().parents[2] / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"
)
QUICK_BEATS = 3000


class Enough(Exception):  # noqa: N818 - not an error
    """As many beats as wanted."""


def play(beats: int | None) -> tuple[int, float]:
    """Return how many analyses were made of how many seconds of the day."""
    seen: list[int] = []

    def take(entry: Entry) -> None:
        if entry.stream == ANALYSIS:
            seen.append(entry.message.ts_us)
            if len(seen) == beats:
                raise Enough

    with contextlib.suppress(Enough):
        offline.run(offline.open_recording(DAY), speed=None, take=[take])
    assert seen == [seen[0] + 1_000_000 * k for k in range(len(seen))], (
        "an analysis is missing or out of order"
    )
    return len(seen), (seen[-1] - seen[0]) / 1e6 + 1


def run(quick: bool) -> list[Result]:
    """Return the comparison of a second of the day with the CPU time that it takes here."""
    ours, theirs = [], []
    for _ in range(3):
        start = time.process_time()
        count, seconds = play(QUICK_BEATS if quick else None)
        ours.append((time.process_time() - start) * 1e6 / count)
        theirs.append(seconds * 1e6 / count)
    return [Result.of("recorded day", count, ours_us=ours, theirs_us=theirs, goal=GOAL)]


if __name__ == "__main__":
    sys.exit(main(run))
