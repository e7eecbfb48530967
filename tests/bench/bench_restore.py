"""Half an hour of one underlying, brought back: from the log, and from a snapshot, against the time that may take.

Once as recorded, with new prices once a minute, and once busy: a tick of every instrument in every second, more than a live
feed has, which may take twice as long. ``n`` is how many beats are worked again, or how many bytes the snapshot has. The time allowed stands where
other benchmarks have the other way of doing it. Asserted first: what comes back is what was there.
"""

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from analytics.desk import Desk
from analytics.keeping import KEEPING
from analytics.main import role
from oimon import codec
from oimon.bus import Entry
from oimon.bus.snapshot import Snapshot, pack, unpack
from oimon.messages import TickBatch
from tests.bench.harness import Result, main
from tests.unit.analytics.recorded import recorded_entries

T = TypeVar("T")
BEATS = 1800
LOG_S, BUSY_LOG_S, THAW_S, FREEZE_S = 2.0, 4.0, 0.3, 0.05
SNAPSHOT_BEATS, SNAPSHOTS = 60, 5
CURSOR = "1-0"
MOVES = np.arange(-15, 20, 5)  # paise a second
OI_MOVES = 65 * np.arange(-40, 50, 10)
OI_SHARE = 0.05  # of all instruments that have new open interest in a second


def feeds() -> Iterator[tuple[str, float, Sequence[Entry]]]:
    """Give the bundled day as recorded, and busy, with the seconds that its log may take."""
    recorded = recorded_entries(BEATS + SNAPSHOTS * SNAPSHOT_BEATS)
    yield "as recorded", LOG_S, recorded
    yield "busy", BUSY_LOG_S, list(busier(recorded))


def until(entries: Sequence[Entry], beats: int) -> int:
    """Return how many entries there are up to a beat, the first of which has number 1."""
    places = [place for place, entry in enumerate(entries) if entry.kind == "beat"]
    return places[beats - 1] + 1


def busier(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Give the entries with a batch before each beat that has none: every price moved, some open interest too."""
    random, batch, is_fresh, n = np.random.default_rng(7), None, False, 0
    for entry in entries:
        message = entry.message
        if isinstance(message, TickBatch):
            batch, is_fresh = message, True
        elif entry.kind == "beat":
            if batch is not None and not is_fresh:
                batch, n = moved(batch, message.ts_us, random), n + 1
                yield replace(entry, id=f"{n}-0", kind="ticks", data=codec.encode(batch), n=n)
            is_fresh = False
        n += 1
        yield replace(entry, id=f"{n}-0", n=n)


def moved(batch: TickBatch, ts_us: int, random: np.random.Generator) -> TickBatch:
    ticks = batch.records.copy()
    step = random.choice(MOVES, len(ticks))
    for name in ("ltp", "bid", "ask"):
        ticks[name] = np.where(ticks[name] > 0, np.maximum(ticks[name] + step, 5), 0)
    changed = random.random(len(ticks)) < OI_SHARE
    more = np.where(changed, random.choice(OI_MOVES, len(ticks)), 0)
    ticks["oi"] = np.maximum(ticks["oi"] + more, 0)
    ticks["exchange_us"], ticks["traded_s"] = ts_us - 300_000, ts_us // 1_000_000 - 1
    ticks["seq"] += 1
    ticks["received_after_us"] = 0
    return replace(batch, records=ticks, received_us=ts_us - 200_000)


def work_again(desk: Desk, entries: Sequence[Entry]) -> Desk:
    """Take entries in as a restore does, decoding included."""
    again = role().replay
    assert again is not None
    for entry in entries:
        desk = again(desk, replace(entry))
    return desk


def spent_us(work: Callable[[], T]) -> tuple[T, float]:
    """Return what the work gives, and its CPU time."""
    start = time.process_time_ns()
    made = work()
    return made, (time.process_time_ns() - start) / 1e3


def results(name: str, log_s: float, entries: Sequence[Entry], rounds: int) -> Iterator[Result]:
    """Measure one day: its log worked again, then a snapshot a minute, each brought back."""
    log, freezing, thawing = [], [], []
    done = until(entries, BEATS)
    for _ in range(rounds):
        empty = Desk(partition="NIFTY")
        desk, spent = spent_us(lambda empty=empty: work_again(empty, entries[:done]))
        log.append(spent)
    yield Result.within(f"log, {name}", BEATS, ours_us=log, limit_us=log_s * 1e6)

    KEEPING.freeze(desk)  # not counted: in a service there was one a minute before
    for k in range(1, SNAPSHOTS + 1):
        end = until(entries, BEATS + k * SNAPSHOT_BEATS)
        work_again(desk, entries[done:end])
        done = end
        state, spent = spent_us(lambda: KEEPING.freeze(desk))
        freezing.append(spent)
        kept = pack(KEEPING.schema, Snapshot(cursor=CURSOR, n=done, state=state))
        again, spent = spent_us(
            lambda kept=kept: KEEPING.thaw(
                "NIFTY", unpack(KEEPING.schema, kept, at_most=CURSOR).state
            )
        )
        thawing.append(spent)
        assert KEEPING.freeze(again) == state
    yield Result.within(f"freeze, {name}", len(kept), ours_us=freezing, limit_us=FREEZE_S * 1e6)
    yield Result.within(f"thaw, {name}", len(kept), ours_us=thawing, limit_us=THAW_S * 1e6)


def run(quick: bool) -> list[Result]:
    """Return what a restore takes, and what taking a snapshot does."""
    rounds = 1 if quick else 3
    return [result for feed in feeds() for result in results(*feed, rounds)]


if __name__ == "__main__":
    sys.exit(main(run))
