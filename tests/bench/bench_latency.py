"""What waiting costs: from a beat, or from a tick, to its analysis at a consumer, and CPU against latency.

Publisher, server, analytics and consumer are four processes. Beats: ten underlyings, one a second each; the times beside are the most
that may be. Ticks: every batch a beat, flushed as soon as the one before is answered; beside them is the floor of the topology, two
hops by way of a Redis stream and what analytics alone spends on one answer for each underlying that ticks; or one hop; or the same at
a fiftieth of the rate. Latency counts from when something was due, whether or not it could be sent; what has no answer in the end
counts with the time it has been missing. Asserted first: what the consumer sees answers beat after beat.
Source: performance paper, 5 and 9; decision 0008.
"""

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import uvloop

from tests.bench.harness import Result, main
from tests.bench.turn import turn_ms

UNDERLYINGS = 10
BEAT_P50_MS, BEAT_P99_MS = 5.0, 25.0
HOPS, SLOWDOWN = 5.0, 1.5  # the most that a tick may take: of hops, and of its time at the low rate
FLOORS = 2.0  # and of the floor, of which the paper's five hops are twice
LONE, CALM, LOW, HIGH = 20, 200, 1_000, 50_000  # ticks a second; nothing queues at the first two
FLUSH_MS, FLUSH_SHARE = 5.0, 0.45  # and the most CPU it may take, of that without waiting
DRAIN_S = 4.0  # most of what is not answered by then is known to have waited too long


def run(quick: bool) -> list[Result]:
    """Return the comparisons; none where there is no Linux."""
    if sys.platform != "linux":
        print("bench_latency was skipped: it reads CPU times from /proc", file=sys.stderr)
        return []
    from tests.bench.pipeline import pipeline  # noqa: PLC0415 - only Linux has what it needs

    async def measure() -> list[Result]:
        async with pipeline() as pipe:
            results = [*await _beats(pipe, 8 if quick else 30), *await _flushing(pipe, quick)]
        if find_spec("numba") is not None:
            async with pipeline(fast=True) as pipe:
                results += await _beats(pipe, 8 if quick else 30, " fast")
        for fast in (False, True) if find_spec("numba") is not None else (False,):
            rounds = []
            for _ in range(1 if quick else 3):
                async with pipeline(fast=fast) as pipe:
                    rounds.append(await _ticks(pipe, 1.5 if quick else 3.0, by_machine_code=fast))
            results += _compared(rounds, " fast" if fast else "")
        return results

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(measure())


async def _beats(pipe, seconds: float, how: str = "") -> list[Result]:
    """Measure beats that fall over the whole second, then beats that fall all at once."""
    results = []
    for name, is_spread in (("beat", True), ("beats at once", False)):
        feed = await pipe.measure(
            partitions=UNDERLYINGS, drain_s=DRAIN_S, seconds=seconds, spread=is_spread
        )
        assert feed.is_answered, f"{feed.analyses} analyses of {feed.beats} beats"
        for percent, limit_ms in ((50, BEAT_P50_MS), (99, BEAT_P99_MS)):
            waited_ms = float(np.percentile(feed.waited_ms, percent))
            results.append(
                Result.within(
                    f"{name}{how}, p{percent}",
                    UNDERLYINGS,
                    ours_us=[waited_ms * 1e3],
                    limit_us=limit_ms * 1e3,
                    goal=1.0 if is_spread else 0.0,  # ten at once wait for each other: shown
                )
            )
    return results


async def _flushing(pipe, quick: bool) -> list[Result]:
    """Measure the CPU time of 1,000 ticks a second of one underlying, with and without waiting for more of them."""
    spent_us: dict[float, list[float]] = {FLUSH_MS: [], 0.0: []}
    seconds = 2.5 if quick else 5.0
    for _ in range(1 if quick else 3):
        for flush_ms, into in spent_us.items():
            feed = await pipe.measure(
                partitions=1, drain_s=DRAIN_S, seconds=seconds, ticks_per_s=LOW, flush_ms=flush_ms
            )
            assert feed.is_answered, f"{feed.analyses} analyses of {feed.beats} beats"
            into.append(feed.cpu_s * 1e6 / (LOW * seconds))
    return [
        Result.of(
            "flush every 5 ms",
            LOW,
            ours_us=spent_us[FLUSH_MS],
            theirs_us=spent_us[0.0],
            goal=1 / FLUSH_SHARE,
        )
    ]


@dataclass(frozen=True, kw_only=True)
class _Ticked:
    """Medians in µs of one round: of a hop, and by rate of a tick's latency and of the floor under it."""

    hop_us: float
    ticks_us: Mapping[int, float]
    floors_us: Mapping[int, float]


async def _ticks(pipe, seconds: float, *, by_machine_code: bool) -> _Ticked:
    hop_us = pipe.hop_ms(500) * 1e3
    ticks_us, floors_us = {}, {}
    for rate in (LONE, CALM, LOW, HIGH):
        feed = await pipe.measure(
            partitions=UNDERLYINGS, drain_s=DRAIN_S, seconds=seconds, ticks_per_s=rate, beat_ms=0
        )
        if not feed.is_answered:
            print(f"at {rate} ticks/s {feed.analyses} of {feed.beats} beats were answered", file=sys.stderr)  # fmt: skip
        ticks_us[rate] = float(np.median(feed.waited_ms)) * 1e3
        a_batch = max(1, round(rate * seconds / feed.beats))
        busy_ms = turn_ms(UNDERLYINGS, a_batch, by_machine_code=by_machine_code)
        floors_us[rate] = 2 * hop_us + busy_ms * 1e3
    return _Ticked(hop_us=hop_us, ticks_us=ticks_us, floors_us=floors_us)


def _compared(rounds: Sequence[_Ticked], how: str) -> list[Result]:
    """Return the ratios of medians; those of the first two rates are shown, to tell work from waiting."""
    found = []
    for rate in (LONE, CALM, LOW, HIGH):
        ours_us = [each.ticks_us[rate] for each in rounds]
        is_queueing = rate in (LOW, HIGH)
        beside = [("hops", [each.hop_us for each in rounds], 1 / HOPS)]
        if is_queueing:  # where nobody waits for the others, the floor is not a turn
            beside.append(("floors", [each.floors_us[rate] for each in rounds], 1 / FLOORS))
        found += [
            Result.of(
                f"tick{how}, {what}",
                rate,
                ours_us=ours_us,
                theirs_us=theirs_us,
                goal=goal if is_queueing else 0.0,
            )
            for what, theirs_us, goal in beside
        ]
    slow_us = [each.ticks_us[LOW] for each in rounds]
    fast_us = [each.ticks_us[HIGH] for each in rounds]
    rates = Result.of(f"tick{how}, rates", HIGH, ours_us=fast_us, theirs_us=slow_us, goal=1 / SLOWDOWN)  # fmt: skip
    return [*found, rates]


if __name__ == "__main__":
    sys.exit(main(run))
