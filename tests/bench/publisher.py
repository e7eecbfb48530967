"""The producer of the latency benchmarks, a process of its own: ``python -m tests.bench.publisher JOB`` (one JSON object).

Its load is open: what is due is due by the clock, whether or not what came before has been answered. It prints a line when all is
made and declared, starts when it reads a line, and ends with a line of JSON: what was due when, and how publishes took it along.
"""

import asyncio
import json
import math
import sys
import threading
import time
from dataclasses import asdict, dataclass, field

import numpy as np

from ingest.feed import AskingAgain, flush_s
from oimon.bus import Pulse
from oimon.bus.redis import RedisBus
from oimon.codec import MAX_TICKS
from oimon.messages import TickBatch
from oimon.process import calm_garbage, new_loop
from oimon.terms import FeedState, MarketState
from tests.chaos.market import Market

_BURST_NS = 1_000_000  # ticks come in bursts, one a ms, as out of one read of a socket
_LEAD_NS = 100_000_000  # from the word to start to the first thing due


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a publisher is told."""

    url: str
    run: str
    partitions: list[str]
    seconds: float
    ticks_per_s: int = 0
    """Over all partitions together; 0: no ticks at a pace but the market's beats, one a second."""
    spread: bool = False
    """The partitions' beats fall one after the other over the second, not all as it turns."""
    flush_ms: float = 0
    beat_ms: int = 1000

    def argument(self) -> str:
        return json.dumps(asdict(self))


@dataclass
class Sent:
    """What was due in one partition (ticks, or beats), and how publishes took it along, in order."""

    due_ns: list[int] = field(default_factory=list)
    """Of the monotonic clock, which all processes of a machine share."""
    upto: list[int] = field(default_factory=list)
    """How many of them had gone out with each publish and those before it."""


class Beats:
    """A beat a second of each partition, with the ticks of the second before; the feed's clock makes them."""

    def __init__(self, job: Job, bus: RedisBus) -> None:
        self._job = job
        self._bus = bus
        self._markets = [Market(underlying=name, run=job.run, seed=1) for name in job.partitions]
        self.sent = {name: Sent() for name in job.partitions}
        self.feed_cpu_s = 0.0
        """Of the thread that stands for a broker's socket: no part of the pipeline."""

    async def prepare(self) -> None:
        """Publish each partition's first beat: its owner learns what ticks mean."""
        for market in self._markets:
            await self._publish(market, 1)

    async def run(self) -> None:
        start_ns = time.monotonic_ns() + _LEAD_NS
        step_ns = 10**9 // len(self._markets) if self._job.spread else 0
        for second in range(int(self._job.seconds)):
            for place, market in enumerate(self._markets):
                await _until(start_ns + second * 10**9 + place * step_ns)
                await self._publish(market, second + 2)
                sent = self.sent[market.underlying]
                sent.due_ns.append(
                    time.monotonic_ns()
                )  # it is in the log: that is where a beat begins
                sent.upto.append(len(sent.due_ns))

    async def _publish(self, market: Market, second: int) -> None:
        await self._bus.publish(market.underlying, market.messages(second), market.pulse(second))


class Ticks:
    """Ticks at a steady rate, dealt to the partitions in turn; each partition is flushed at the pace of ingest."""

    def __init__(self, job: Job, bus: RedisBus) -> None:
        self._job = job
        self._bus = bus
        self._flush_s = flush_s(job.flush_ms, len(job.partitions))
        self._pulse = Pulse(run=job.run, market=MarketState.OPEN, feed=FeedState.OK, age_ms=0)
        self._pumps = [_Pump(job, place) for place in range(len(job.partitions))]
        self.sent = {pump.market.underlying: pump.sent for pump in self._pumps}
        self.feed_cpu_s = 0.0
        """Of the thread that stands for a broker's socket: no part of the pipeline."""

    async def prepare(self) -> None:
        """Publish each partition's session."""
        for pump in self._pumps:
            await self._bus.publish(pump.market.underlying, [pump.market.session], self._pulse)

    async def run(self) -> None:
        start_ns = time.monotonic_ns() + _LEAD_NS
        loop = asyncio.get_running_loop()
        for pump in self._pumps:
            pump.start(start_ns)
        feed = threading.Thread(target=self._feed, args=(loop, start_ns), name="feed", daemon=True)
        feed.start()
        async with asyncio.TaskGroup() as tasks:
            for pump in self._pumps:
                tasks.create_task(self._flush(pump))
        feed.join()

    def _feed(self, loop: asyncio.AbstractEventLoop, start_ns: int) -> None:
        """Wake the loop for a burst that somebody waits for, from a thread as a feed does: a loop's own timers are too coarse."""
        for burst in range(int(self._job.seconds * 10**9) // _BURST_NS):
            rest_ns = start_ns + burst * _BURST_NS - time.monotonic_ns()
            if rest_ns > 0:
                time.sleep(rest_ns / 1e9)
            now_ns = time.monotonic_ns()
            if any(pump.waits_for_ns <= now_ns for pump in self._pumps):
                loop.call_soon_threadsafe(self._wake)
        self.feed_cpu_s = time.thread_time()

    def _wake(self) -> None:
        now_ns = time.monotonic_ns()
        for pump in self._pumps:
            if pump.waits_for_ns <= now_ns:
                pump.arrived.set()

    async def _flush(self, pump: "_Pump") -> None:
        """Publish all that is due, until there is nothing more to come; as ``ingest.pump`` does."""
        while (batch := pump.take()) is not None:
            if not len(batch.records) and not pump.waits_for_a_beat:
                await pump.wait()
                continue
            started_s = time.monotonic()
            batches = [batch] if len(batch.records) else []
            held_back_s = pump.published(
                await self._bus.publish(pump.market.underlying, batches, self._pulse)
            )
            rest_s = started_s + (held_back_s or self._flush_s) - time.monotonic()
            if rest_s > 0:
                await asyncio.sleep(rest_s)


class _Pump:
    """One partition's ticks, made beforehand, and how many of them are gone."""

    def __init__(self, job: Job, place: int) -> None:
        self.market = Market(underlying=job.partitions[place], run=job.run, seed=1)
        self.sent = Sent()
        self.arrived = asyncio.Event()
        self.waits_for_ns: float = math.inf
        """When what it waits for is due; infinite while it has something to do."""
        count = int(job.ticks_per_s * job.seconds)
        mine = np.arange(place, count, len(job.partitions))
        bursts = mine * 1000 // job.ticks_per_s
        self._due_ns = bursts * _BURST_NS
        base = self.market.ticks(1).records
        order = np.arange(len(mine))
        self._records = base[order % len(base)].copy()
        self._records["seq"] = order + 1
        self._records["ltp"] += (5 * (order % 3)).astype(np.uint32)
        self._records["received_after_us"] = 0
        self._taken = 0
        self._us_of_start = 0
        self._is_beat_by_batch = job.beat_ms == 0
        self._asking_again = AskingAgain()
        self.waits_for_a_beat = False
        """The last batch had none, since the beat before was not answered yet."""

    def start(self, start_ns: int) -> None:
        """Say when the first burst is due."""
        self._us_of_start = time.time_ns() // 1000 + (start_ns - time.monotonic_ns()) // 1000
        self._records["exchange_us"] = self._us_of_start + self._due_ns // 1000
        self._due_ns += start_ns
        self.sent.due_ns = self._due_ns.tolist()

    async def wait(self) -> None:
        """Wait until the next tick is due."""
        self.waits_for_ns = self.sent.due_ns[self._taken]
        await self.arrived.wait()
        self.arrived.clear()
        self.waits_for_ns = math.inf

    def take(self) -> TickBatch | None:
        """Return what is due and not gone yet, which may be nothing; ``None`` after the last."""
        first = self._taken
        if first == len(self._due_ns) and not self.waits_for_a_beat:
            return None
        due = int(np.searchsorted(self._due_ns, time.monotonic_ns(), side="right"))
        self._taken = min(due, first + MAX_TICKS)
        return TickBatch(
            received_us=self._us_of_start,
            table=self.market.session.table,
            records=self._records[first : self._taken],
        )

    def published(self, has_beat: bool) -> float:
        """Note that what was taken is in the log; return how long to wait where a beat is still to tell it, else 0."""
        self.waits_for_a_beat = self._is_beat_by_batch and not has_beat
        if not self.waits_for_a_beat:
            self.sent.upto.append(self._taken)
        return self._asking_again.after(has_beat=not self.waits_for_a_beat)


async def _until(due_ns: int) -> None:
    await asyncio.sleep(max(0, due_ns - time.monotonic_ns()) / 1e9)


async def _run(job: Job) -> None:
    bus = RedisBus(job.url, f"publisher-{job.run}", beat_ms=job.beat_ms)
    await bus.declare(job.partitions)
    work = Ticks(job, bus) if job.ticks_per_s else Beats(job, bus)
    await work.prepare()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    before_s = time.process_time()
    await work.run()
    cpu_s = time.process_time() - before_s - work.feed_cpu_s
    await bus.stop()
    await bus.close()
    print(json.dumps({"cpu_s": cpu_s, "sent": {n: asdict(s) for n, s in work.sent.items()}}))


def main(argument: str) -> None:
    """Publish as told by a JSON object."""
    calm_garbage()
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_run(Job(**json.loads(argument))))


if __name__ == "__main__":
    main(sys.argv[1])
