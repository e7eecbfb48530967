"""The whole exchange on two cores: 124,000 instruments, each ticking once a second, ingested, analysed each beat and published;
and what a beat costs as underlyings grow, plotted.

Feed and ingest's pump, server, and one replica of analytics are three processes; making the packets is the bench's own work: its time
is taken off, and so is the memory of what it sends. Memory is the most since the feed began. The compiled loops are used where numba is installed. Beside each figure stands the most that it may be. Asserted first: no entry was lost, nothing was conflated, every
partition is owned, and each beat of those looked at has its analysis. Only on Linux. Source: performance paper, 5c; rulings, 17.
"""

import asyncio
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import uvloop

from oimon.bus.redis.keys import key
from oimon.messages import ANALYSIS, TICKS
from tests.bench.exchange_feed import TICKS_KEEP_S, Job
from tests.bench.harness import Result, main, server_cpu_s

if sys.platform == "linux":  # only there are CPU times to read
    from tests.bench.pipeline import used_cpu_s
    from tests.chaos.processes import Process, clean_environment, python
    from tests.chaos.world import World

UNDERLYINGS = 200
CORES, GIB, LAG_S = 1.5, 2.0, 1.0
SETTLE_S = 20.0
GROWTH = (1, 10, UNDERLYINGS)
"""Underlyings of which the cost of a beat is plotted; the whole exchange is the last."""
GROWTH_S = 30.0
_BAR = 40
LOOKED_AT = 5
"""The newest beats that a look compares with their analyses; a look comes as often."""
_LOOK = """
local out = {}
for _, row in ipairs(redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', ARGV[1])) do
  local fields = {}
  for place = 1, #row[2], 2 do fields[row[2][place]] = row[2][place + 1] end
  out[#out + 1] = {row[1], fields['at'], fields['t']}
end
return out
"""


def run(quick: bool) -> list[Result]:
    """Return the comparisons; none where there is no Linux."""
    if sys.platform != "linux":
        print("bench_exchange was skipped: it reads /proc", file=sys.stderr)
        return []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        costs_us, results = {}, []
        for count in GROWTH:
            seconds = GROWTH_S if quick or count != UNDERLYINGS else 600.0
            taken = runner.run(_measure(count, seconds))
            costs_us[count] = taken.beat_us
            if count == UNDERLYINGS:
                results = taken.results(count)
    print(plot(costs_us), file=sys.stderr)
    one, most = costs_us[1], costs_us[UNDERLYINGS]
    grown = Result.within(
        "exchange, growth", UNDERLYINGS, ours_us=[most], limit_us=one * UNDERLYINGS
    )
    return [*results, grown]


def plot(costs_us: dict[int, float]) -> str:
    """Return what a beat of all underlyings costs, and of one of them, as bars."""
    most = max(cost / count for count, cost in costs_us.items())
    lines = ["underlyings   a beat ms   an underlying ms"]
    for count, cost in costs_us.items():
        each = cost / count
        bar = "█" * round(_BAR * each / most)
        lines.append(f"{count:>11} {cost / 1e3:>11.2f} {each / 1e3:>18.2f} {bar}")
    return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Taken:
    """What one run came to; CPU times a second of it, without the making of packets."""

    cores: dict[str, float]
    gib: float
    lags_s: list[float]
    answered: float
    """Beats answered a second."""

    @property
    def beat_us(self) -> float:
        """CPU time of a beat of all underlyings; where answers fell behind, as if they had not."""
        rest = sum(self.cores.values()) - self.cores["analytics"]
        return 1e6 * (rest + self.cores["analytics"] / self.answered)

    def results(self, underlyings: int) -> list[Result]:
        n = underlyings * Job(url="", partitions=[], seconds=0).instruments
        lag_s = float(np.percentile(self.lags_s, 99))
        return [
            Result.within("exchange, cores", n, ours_us=[sum(self.cores.values()) * 1e6], limit_us=CORES * 1e6),
            Result.within("exchange, lag p99", n, ours_us=[lag_s * 1e6], limit_us=LAG_S * 1e6),
            Result.within("exchange, GiB", n, ours_us=[self.gib], limit_us=GIB),
        ]  # fmt: skip


async def _measure(underlyings: int, seconds: float) -> Taken:
    with tempfile.TemporaryDirectory() as folder:
        async with World(Path(folder), seed=1) as world:
            await world.server.start()
            analytics = world.replica(
                "analytics", TICKS_KEEP_S=str(TICKS_KEEP_S), ANALYSIS_KEEP="5", FAST="1"
            )
            names = [f"U{number:03}" for number in range(underlyings)]
            job = Job(url=world.server.url, partitions=names, seconds=seconds + SETTLE_S)
            feed = Process(
                python("tests.bench.exchange_feed", job.argument()),
                output=world.folder / "feed.out",
                environment=clean_environment(),
                folder=world.folder,
                piped=True,
            )
            try:
                ready = await asyncio.to_thread(feed.read_line)
                assert ready == "ready", f"the feed said {ready!r}, see {feed.output}"
                await world.ready(analytics, within_s=120)
                return await _watch(world, analytics, feed, job, seconds)
            finally:
                feed.kill()


async def _watch(world, analytics, feed, job: Job, seconds: float) -> Taken:
    """Start the feed, let it settle, and take figures until it ends."""
    pids = {"ingest": feed.pid, "analytics": analytics.process.pid}
    for pid in pids.values():
        _forget_peak(pid)
    feed.say("start")
    await asyncio.sleep(SETTLE_S)
    made = (await analytics.look())["oi_analyses_total"]
    before = {name: used_cpu_s(pid) for name, pid in pids.items()} | {
        "server": await server_cpu_s(world.server.client)
    }
    lags_s: list[float] = []
    loop = asyncio.get_running_loop()
    started_s = loop.time()
    while loop.time() - started_s < seconds - LOOKED_AT:
        await asyncio.sleep(LOOKED_AT)
        newest_s = await _look(world, job.partitions)
        lags_s += newest_s
        print(f"\r{loop.time() - started_s:4.0f} of {seconds:.0f} s, lag now p50 {np.median(newest_s):.2f} s, max {max(newest_s):.2f} s", end="", file=sys.stderr, flush=True)  # fmt: skip
    after = {name: used_cpu_s(pid) for name, pid in pids.items()} | {
        "server": await server_cpu_s(world.server.client)
    }
    passed_s = loop.time() - started_s
    counters = await analytics.look()
    made = counters["oi_analyses_total"] - made
    print(file=sys.stderr)
    told = json.loads(await asyncio.to_thread(feed.read_line))
    making = told["making_s"] / job.seconds
    cores = {name: (after[name] - before[name]) / passed_s for name in before}
    cores["ingest"] -= making
    rss = {name: _rss_gib(pid) for name, pid in pids.items()}
    rss["ingest"] -= told["making_bytes"] / 2**30
    rss["server"] = (await world.server.client.info("memory"))["used_memory_rss"] / 2**30
    for name, used in cores.items():
        print(f"{name}: {used:.2f} cores, {rss[name]:.2f} GiB", file=sys.stderr)
    print(
        f"making packets: {making:.2f} cores, {told['late_s']:.2f} s late at most", file=sys.stderr
    )
    counters = await analytics.look()
    assert not counters["oi_bus_hole_entries_total"], "entries were lost"
    feed.say("stop")
    return Taken(
        cores=cores,
        gib=sum(rss.values()),
        lags_s=lags_s,
        answered=made / len(job.partitions) / passed_s,
    )


async def _look(world, partitions: list[str]) -> list[float]:
    """Return how long the newest answered beats of each partition waited for their analyses, in seconds."""
    client, waited = world.server.client, []
    async with client.pipeline(transaction=False) as pipe:
        for name in partitions:
            pipe.eval(_LOOK, 1, key(TICKS, name), 14 * (LOOKED_AT + 2))
            pipe.eval(_LOOK, 1, key(ANALYSIS, name), LOOKED_AT)
        found = await pipe.execute()
    for name, ticks, analyses in zip(partitions, found[::2], found[1::2], strict=True):
        beats = {row[0]: int(row[1]) for row in ticks if row[2] == b"beat"}
        newest = max(beats.values(), default=0)
        answered = {row[0]: int(row[1]) for row in analyses}
        assert answered, f"{name} has no analysis"
        for beat, at_ms in beats.items():
            if beat in answered:
                waited.append((answered[beat] - at_ms) / 1000)
        missing = [at_ms for beat, at_ms in beats.items() if beat > max(answered)]
        waited += [(newest - at_ms) / 1000 for at_ms in missing]
    return waited


def _forget_peak(pid: int) -> None:
    """Have the most memory that a process had count from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


def _rss_gib(pid: int) -> float:
    (line,) = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith("VmHWM")]  # fmt: skip
    return int(line.split()[1]) / 2**20


if __name__ == "__main__":
    sys.exit(main(run))
