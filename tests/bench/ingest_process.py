"""Ingest's own socket, decoder and pump as a process of its own: ``python -m tests.bench.ingest_process stream|offered|sdk JOB``.

``stream`` receives from the local broker; ``offered`` takes frames from a thread, more of them than any broker sends; ``sdk`` is the
way that is common: the SDK's client, and a JSON entry a tick. Each prints a line of JSON with what it took.
"""

import asyncio
import json
import os
import resource
import sys
import threading
import time
from array import array
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import redis

from ingest.feed import TICKS_CACHE
from ingest.header import Last
from ingest.packets import EXCHANGE_TYPES, LEVEL, PACKETS, SNAP_QUOTE
from ingest.pump import Pump
from ingest.smartapi.day import LiveDay
from ingest.smartapi.line import Line
from ingest.smartapi.registry import Registry
from ingest.smartapi.stream import Stream
from ingest.smartapi.wire import Subscription
from oimon import metrics
from oimon.bus import Pulse
from oimon.bus.redis import RedisBus
from oimon.clock import SystemClock
from oimon.messages import Message, TickBatch
from oimon.process import calm_garbage, new_loop
from oimon.terms import MarketState
from tests.bench.receiver import EXCHANGE_TYPE, MODE, Known, sdk_ticks
from tests.builders import make_header, make_row
from tests.eventually import eventually

PARTITIONS, EACH = 3, 1000
"""One partition a connection, each as full as a connection may be."""
_SNAP = PACKETS[SNAP_QUOTE]
_VARIANTS = 8
_BURST_S = 0.001


@dataclass(frozen=True, kw_only=True)
class Job:
    """What ingest is told."""

    redis_url: str
    url: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    count: int = 0
    """Ticks after which the measurement ends."""
    flush_ms: float = 0.0
    usual: int = 5000
    """Ticks a second, over all."""
    seconds: float = 0.0
    rate: int = 0
    """Offered for so long, in ticks a second; 0: twice what is found to be sustained."""

    def argument(self) -> str:
        return json.dumps(asdict(self))


def tokens() -> list[str]:
    """Return the tokens of all partitions, one after the other."""
    return [str(40_000 + number) for number in range(PARTITIONS * EACH)]


def days() -> list[LiveDay]:
    """Return a day of calls a partition."""
    found = []
    for place in range(PARTITIONS):
        mine = tokens()[place * EACH : (place + 1) * EACH]
        rows = [make_row(token, kind="CE", strike=1000 + n) for n, token in enumerate(mine)]
        header = make_header(underlying=f"U{place}", master=rows, has_beats=True, run="bench")
        found.append(LiveDay(header, Last(frames=0, first_us=0, last_us=0, digest="")))
    return found


class Noting:
    """The bus, and when what it was given had come: a call that returns has written its entry."""

    def __init__(self, bus: RedisBus) -> None:
        self._bus = bus
        self.waited_us, self.came_us, self.ticks = array("q"), array("q"), 0
        self.keeps_waits = True
        """Else ticks are counted only: what is noted of millions would be memory of ingest's process."""
        self.newest: dict[str, dict[int, int]] = {}
        """By underlying and row, the price in paise that went out last."""
        self.keeps_newest = False

    async def publish(self, underlying: str, messages: Sequence[Message], pulse: Pulse) -> int:
        beat_us = await self._bus.publish(underlying, messages, pulse)
        now_us = time.time_ns() // 1000
        for message in messages:
            if isinstance(message, TickBatch):
                self.ticks += len(message.records)
                if self.keeps_waits:
                    after_us = message.records["received_after_us"].astype(np.int64)
                    came = message.received_us + after_us
                    self.came_us.frombytes(came.tobytes())
                    self.waited_us.frombytes((now_us - came).tobytes())
                if self.keeps_newest:
                    rows, prices = message.records["row"].tolist(), message.records["ltp"].tolist()
                    self.newest.setdefault(underlying, {}).update(zip(rows, prices, strict=True))
        return beat_us


async def _pump(job: Job) -> tuple[RedisBus, Noting, Pump]:
    told = days()
    TICKS_CACHE.start(*(day.session("bench") for day in told))
    bus = RedisBus(job.redis_url, "bench-ingest")
    await bus.declare([day.header.underlying for day in told])
    noting = Noting(bus)
    pump = Pump(noting, SystemClock(), told, "bench", flush_ms=job.flush_ms, beat_ms=1000)
    return bus, noting, pump


async def stream(job: Job) -> dict[str, object]:
    """Receive over three connections and publish; what waited is from the read of the socket to the entry."""
    bus, noting, pump = await _pump(job)
    line, known = Line(url=job.url), Known(job.headers)
    wanted = [Subscription(MODE, EXCHANGE_TYPE, token) for token in tokens()]
    streams = []
    for change in Registry().want(wanted):
        one = Stream(
            change.connection, line, known, pump.buffer, SystemClock(),
            market=lambda _: MarketState.OPEN, over=lambda _: None,
        )  # fmt: skip
        one.ask(change)
        streams.append(asyncio.ensure_future(one.run()))
    publishing = asyncio.ensure_future(pump.run())
    first = PARTITIONS * EACH  # what comes at once for the subscriptions is no part of it
    await eventually(lambda: noting.ticks >= first, within_s=30)
    before_s, started = time.process_time(), noting.ticks
    await eventually(lambda: noting.ticks >= job.count, within_s=120)
    spent_s = time.process_time() - before_s
    ticks = noting.ticks - started
    waited_ms = np.array(noting.waited_us[-ticks:]) / 1000
    for each in [*streams, publishing]:
        each.cancel()
    await asyncio.wait([*streams, publishing])
    await bus.stop()
    await bus.close()
    return {
        "p50_ms": float(np.percentile(waited_ms, 50)),
        "p99_ms": float(np.percentile(waited_ms, 99)),
        "cpu_us": spent_s * 1e6 / ticks,
        "ticks": noting.ticks,
    }


class Offer:
    """A thread that hands over frames at a rate, a burst a millisecond."""

    def __init__(self, pump: Pump) -> None:
        names, packets = tokens(), np.zeros(PARTITIONS * EACH, _SNAP)
        packets["mode"], packets["exchange_type"] = SNAP_QUOTE, EXCHANGE_TYPES["NFO"]
        packets["token"] = np.array(names, "S25")
        packets["levels"]["flag"] = np.array([1] * 5 + [0] * 5, LEVEL["flag"])
        packets["levels"]["qty"] = 65
        self._packets, self._pump = packets, pump
        self._variants = [self.frames(10_000 + 5 * variant) for variant in range(_VARIANTS)]
        self.sent = 0

    def frames(self, paise: int) -> list[bytes]:
        """Return a packet of each token with this price."""
        part = self._packets
        part["ltp"] = paise
        part["levels"]["price"][:, 0], part["levels"]["price"][:, 5] = paise - 5, paise + 5
        data, size = part.tobytes(), _SNAP.itemsize
        return [data[at : at + size] for at in range(0, len(data), size)]

    def put(self, frames: list[bytes]) -> None:
        self._pump.buffer.put_all(frames, time.time_ns() // 1000)
        self.sent += len(frames)

    async def run(self, rate: int, seconds: float) -> float:
        """Offer at a rate; return the most memory held meanwhile, in MB."""
        feeding = threading.Thread(target=self._feed, args=(rate, seconds), daemon=True)
        feeding.start()
        most_mb = resident_mb()
        while feeding.is_alive():
            await asyncio.sleep(0.05)
            most_mb = max(most_mb, resident_mb())
        return most_mb

    def _feed(self, rate: int, seconds: float) -> None:
        pool = [frame for variant in self._variants for frame in variant]
        start_s, sent, place = time.monotonic(), 0, 0
        while (passed_s := time.monotonic() - start_s) < seconds:
            due = int(rate * passed_s) - sent
            if due > 0:
                burst = pool[place : place + due]
                self.put(burst)
                sent, place = sent + len(burst), (place + len(burst)) % len(pool)
            time.sleep(_BURST_S)


async def offered(job: Job) -> dict[str, object]:
    """Offer the usual, then too much, then the usual again; see what came of it."""
    bus, noting, pump = await _pump(job)
    publishing = asyncio.ensure_future(pump.run())
    offer = Offer(pump)
    await offer.run(job.usual, 3.0)
    idle_mb = resident_mb()
    usual_ms = _median_ms(noting, 0)
    rate, noting.keeps_waits = job.rate, False
    sustained = 0.0
    if not rate:
        before, conflated = noting.ticks, _conflated()
        await offer.run(3_000_000, 2.0)
        sustained = (noting.ticks - before) / 2.0
        assert _conflated() > conflated, "more than all was asked for, and all was taken"
        await asyncio.sleep(1.0)
        rate = round(2 * sustained)
    most_mb = await offer.run(rate, job.seconds)
    ended_us, noting.keeps_waits = time.time_ns() // 1000, True
    await offer.run(job.usual, 4.0)
    back_ms = _median_ms(noting, ended_us + 2_000_000)
    noting.keeps_newest = True
    offer.put(offer.frames(77_775))
    await eventually(lambda: noting.ticks + _conflated() >= offer.sent, within_s=10)
    newest = [price for each in noting.newest.values() for price in each.values()]
    assert newest == [77_775] * (PARTITIONS * EACH), "what is newest is not what came last"
    assert noting.ticks + _conflated() == offer.sent, "ticks were lost"
    publishing.cancel()
    await asyncio.wait([publishing])
    await bus.stop()
    await bus.close()
    return {
        "usual_ms": usual_ms,
        "back_ms": back_ms,
        "idle_mb": idle_mb,
        "most_mb": most_mb,
        "rate": rate,
        "sustained": sustained,
        "sent": offer.sent,
        "conflated": _conflated(),
    }


def common(job: Job) -> dict[str, object]:
    """Receive by the SDK's client, and write a JSON entry a tick."""
    client = redis.Redis.from_url(job.redis_url, protocol=2)

    def write(tick: dict[str, object]) -> None:
        client.xadd("ticks", {"d": json.dumps(tick, default=str)}, maxlen=100_000, approximate=True)

    return {"cpu_us": sdk_ticks(job.url, job.headers, tokens()[:EACH], job.count, write)}


def resident_mb() -> float:
    """Return the memory in hand."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def _median_ms(noting: Noting, after_us: int) -> float:
    came, waited = np.array(noting.came_us), np.array(noting.waited_us)
    return float(np.median(waited[came > after_us])) / 1000


def _conflated() -> int:
    return round(metrics.TICKS_CONFLATED._value.get())


def main(what: str, argument: str) -> None:
    """Do as told by a JSON object."""
    job = Job(**json.loads(argument))
    if what == "sdk":
        found = common(job)
    else:
        calm_garbage()
        with asyncio.Runner(loop_factory=new_loop) as runner:
            found = runner.run({"stream": stream, "offered": offered}[what](job))
    print(json.dumps(found), flush=True)
    os._exit(0)  # the SDK's threads take ten seconds to end


if __name__ == "__main__":
    main(*sys.argv[1:])
