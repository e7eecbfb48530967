"""Two ways of one job, interleaved in one run; what travels between machines is the median ratio.

A file of benchmarks offers ``run(quick: bool) -> list[Result]`` and ends with ``main(run)``. Times are CPU time of this
process, because the cores are shared. Source: performance paper, section 10.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

QUICK_SHARE = 0.6  # of a goal that a quick run must reach: few rounds on a busy machine are noisy
PAPERS_PACKET_US = 19.6
"""CPU time of a packet, for the broker SDK's parser, on the machine of the performance paper: by it, goals of that machine travel."""
_ROUND_NS = (
    8_000_000  # one side of a round takes about this long, so that the clock's own cost vanishes
)

Job = Callable[[], object]
Run = Callable[[bool], "list[Result]"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """One comparison: medians in microseconds of CPU time a job, and the ratio that must reach its goal."""

    bench: str
    n: int
    ours_us: float
    theirs_us: float
    ratio: float
    ratio_min: float
    ratio_max: float
    rounds: int
    goal: float

    @classmethod
    def of(
        cls, bench: str, n: int, *, ours_us: list[float], theirs_us: list[float], goal: float
    ) -> "Result":
        """Return the comparison of two aligned lists of times, one entry a round."""
        ratios = [theirs / ours for ours, theirs in zip(ours_us, theirs_us, strict=True)]
        return cls(
            bench=bench,
            n=n,
            ours_us=statistics.median(ours_us),
            theirs_us=statistics.median(theirs_us),
            ratio=statistics.median(ratios),
            ratio_min=min(ratios),
            ratio_max=max(ratios),
            rounds=len(ratios),
            goal=goal,
        )

    @classmethod
    def within(
        cls, bench: str, n: int, *, ours_us: list[float], limit_us: float, goal: float = 1.0
    ) -> "Result":
        """Return the comparison of times, one entry a round, with the longest that there may be."""
        return cls.of(bench, n, ours_us=ours_us, theirs_us=[limit_us] * len(ours_us), goal=goal)


async def server_cpu_s(client: Any) -> float:
    """Return the CPU time of a server of Redis so far."""
    used = await client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def interleave(ours: Job, theirs: Job, rounds: int) -> tuple[list[float], list[float]]:
    """Return the times of both jobs in microseconds of CPU time a call, one entry a round.

    Each round times both, one after the other, so that a slow moment of the machine falls on both.
    """
    jobs = [(ours, _calls(ours)), (theirs, _calls(theirs))]
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for (job, calls), into in zip(jobs, times, strict=True):
            into.append(_time_us(job, calls))
    return times


def compare(bench: str, n: int, *, ours: Job, theirs: Job, goal: float, rounds: int) -> Result:
    """Return the comparison of two jobs that do the same work; the caller has asserted that they do."""
    ours_us, theirs_us = interleave(ours, theirs, rounds)
    return Result.of(bench, n, ours_us=ours_us, theirs_us=theirs_us, goal=goal)


def report(results: list[Result]) -> str:
    """Return a table for people, then one JSON object a line for machines."""
    head = f"{'bench':<20} {'n':>6} {'ours µs':>12} {'theirs µs':>12} {'ratio':>8} {'min':>8} {'max':>8} {'goal':>6}"
    rows = [
        f"{r.bench:<20} {r.n:>6} {r.ours_us:>12.2f} {r.theirs_us:>12.2f} {r.ratio:>8.3g}"
        f" {r.ratio_min:>8.3g} {r.ratio_max:>8.3g} {r.goal:>6.3g}"
        for r in results
    ]
    return "\n".join([head, *rows, *(json.dumps(asdict(r)) for r in results)])


def shortfalls(results: list[Result], *, quick: bool) -> list[str]:
    """Return one sentence for each result below its goal (below 0.6 of it in a quick run)."""
    share = QUICK_SHARE if quick else 1.0
    return [
        f"{r.bench} n={r.n}: ratio {r.ratio:.3g} is below {share * r.goal:.3g}"
        for r in results
        if r.ratio < share * r.goal
    ]


def main(run: Run) -> int:
    """Run a file of benchmarks from the command line; return the exit code."""
    parser = argparse.ArgumentParser()
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--quick", action="store_true", help="few rounds, 0.6 of each goal (default)")
    how.add_argument("--full", action="store_true", help="many rounds, the whole goal")
    quick = not parser.parse_args().full
    results = run(quick)
    print(report(results))
    missed = shortfalls(results, quick=quick)
    for line in missed:
        print(line, file=sys.stderr)
    return 1 if missed else 0


def _calls(job: Job) -> int:
    """Return how many calls fill one side of a round; the first call warms caches and is not counted."""
    job()
    calls = 1
    while True:
        spent_ns = _time_us(job, calls) * 1e3 * calls
        if spent_ns >= _ROUND_NS / 4:
            return max(1, round(calls * _ROUND_NS / spent_ns))
        calls *= 4


def _time_us(job: Job, calls: int) -> float:
    start = time.process_time_ns()
    for _ in range(calls):
        job()
    return max(time.process_time_ns() - start, 1) / 1e3 / calls
