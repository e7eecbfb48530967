"""Ingest from the socket to the log: what a packet waits for, what it costs, and what becomes of too many.

3,000 tokens on three connections, full packets in bursts of a millisecond; the local broker, a server and ingest are processes of their own. A packet waits
from the read of the socket until the publish that holds it has returned, so the way back of the answer is in it. Asserted: no tick
is lost, what gave way to newer ones and what was delivered are together what was sent, and the newest values are those that came
last. Beside it: the longest that it may take, or the way that is common (the SDK's client, a JSON entry a tick). Only on Linux.
Source: performance paper, 5.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import name_of_row
from ingest.fakebroker.source import Frames, Listed, Source
from ingest.packets import book, packet
from tests.bench.harness import Result, main
from tests.bench.ingest_process import EACH, Job, tokens
from tests.eventually import eventually
from tests.fakes import smartapi

if sys.platform == "linux":
    from tests.chaos.server import Server

ROOT = Path(__file__).resolve().parents[2]
RATES = (5000, 20_000)
P50_MS, P99_MS = 0.5, 2.0
BUSY = 50_000
CHEAPER = 20.0
USUAL, TIMES = 5000, 10
_BURST_S = 0.001
MEMORY, BACK = 1.5, 1.5
"""Most memory beside that of the usual load, and most of the usual waiting two seconds after."""


def source(rate: int, seconds: float, names: list[str]) -> Source:
    """Return a feed in which the tokens tick in turn at a rate, over all."""
    rows = [smartapi.row(name, f"X{name}CE") for name in names]
    levels = book(buys=[(65, 1195, 1)] * 5, sells=[(65, 1205, 1)] * 5)
    prepared = [packet(3, "NFO", row.token, ltp=1200, oi=6500, levels=levels) for row in rows]
    count = int(rate * seconds)

    def play() -> Frames:
        for number, frame in enumerate(prepared):  # known from the start
            yield smartapi.OPENS_US + number, frame
        start_us = smartapi.OPENS_US + 2_000_000
        for number in range(count):
            yield start_us + number * 1_000_000 // rate, prepared[number % len(prepared)]

    return Source(
        title="prepared",
        date="2026-11-25",
        listed={name_of_row(row): Listed(row=row, prev_close=None, oi_prev=None) for row in rows},
        opens_us=smartapi.OPENS_US,
        last_us=smartapi.OPENS_US + round((seconds + 2) * 1e6),
        frames=len(prepared) + count,
        play=play,
    )


async def _told(what: str, job: Job, folder: Path) -> dict[str, float]:
    client = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.ingest_process", what, job.argument(),
        stdout=subprocess.PIPE, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    out, _ = await asyncio.wait_for(client.communicate(), 300)
    assert client.returncode == 0, f"{what} ended with {client.returncode}"
    return dict(json.loads(out.splitlines()[-1]))


async def _fed(
    what: str, rate: int, seconds: float, folder: Path, redis_url: str, *, flush_ms: float = 0.0
) -> dict[str, float]:
    """Let ingest follow a broker that sends at a rate (0: all that is taken)."""
    names = tokens() if what == "stream" else tokens()[:EACH]
    feed = source(rate or 10_000, seconds, names)
    broker = FakeBroker(feed, settle_s=0.5, by_hand=bool(rate))
    await broker.start()
    sending = asyncio.ensure_future(_send(broker, len(names))) if rate else None
    try:
        job = Job(
            redis_url=redis_url,
            url=broker.stream_url,
            headers=smartapi.headers(broker, smartapi.open_session(broker)),
            count=feed.frames,
            flush_ms=flush_ms,
        )
        found = await _told(what, job, folder)
    finally:
        if sending is not None:
            sending.cancel()
        await broker.stop()
    if what == "stream":
        assert found["ticks"] == feed.frames, f"{feed.frames - found['ticks']} ticks were lost"
    return found


async def _send(broker: FakeBroker, subscriptions: int) -> None:
    """Send what is due each millisecond, once all is subscribed."""
    await eventually(
        lambda: sum(broker.facts()["stream"]["subscriptions"]) == subscriptions, within_s=60
    )
    start_s = time.monotonic() + 0.5
    while not broker.broadcast.has_ended:
        passed_us = round((time.monotonic() - start_s) * 1e6)
        await broker.broadcast.play(until_us=smartapi.OPENS_US + 2_000_000 + passed_us)
        await asyncio.sleep(_BURST_S)


async def _run(quick: bool) -> list[Result]:
    rounds, seconds = (1, 5.0) if quick else (3, 20.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder / "server")
        await server.start()
        try:
            return [
                *await _latency(rounds, seconds, folder, server.url),
                await _cost(rounds, seconds / 2, folder, server.url),
                *await _overload(folder, server.url, 10.0 if quick else 60.0),
            ]
        finally:
            await server.close()


async def _latency(rounds: int, seconds: float, folder: Path, url: str) -> list[Result]:
    results = []
    for rate in RATES:
        found = [await _fed("stream", rate, seconds, folder, url) for _ in range(rounds)]
        for name, limit_ms in (("p50", P50_MS), ("p99", P99_MS)):
            times = [1e3 * each[f"{name}_ms"] for each in found]
            results.append(
                Result.within(
                    f"frame to entry, {name}", rate, ours_us=times, limit_us=1e3 * limit_ms
                )
            )
    return results


async def _cost(rounds: int, seconds: float, folder: Path, url: str) -> Result:
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append((await _fed("stream", BUSY, seconds, folder, url, flush_ms=5.0))["cpu_us"])
        theirs.append((await _fed("sdk", 0, 1.0, folder, url))["cpu_us"])
    return Result.of("ingest, CPU a tick", BUSY, ours_us=ours, theirs_us=theirs, goal=CHEAPER)


async def _overload(folder: Path, url: str, seconds: float) -> list[Result]:
    results = []
    for name, rate, length_s in (
        ("2 x sustained", 0, 5.0),
        ("10 x usual", TIMES * USUAL, seconds),
    ):
        job = Job(redis_url=url, usual=USUAL, rate=rate, seconds=length_s)
        found = await _told("offered", job, folder)
        n = round(found["rate"])
        print(f"{name}: {json.dumps(found)}", file=sys.stderr)
        results += [
            Result.within(f"{name}, memory", n, ours_us=[found["most_mb"] / found["idle_mb"]], limit_us=MEMORY),
            Result.within(f"{name}, back", n, ours_us=[1e3 * found["back_ms"]], limit_us=1e3 * BACK * found["usual_ms"]),
        ]  # fmt: skip
    return results


def run(quick: bool) -> list[Result]:
    """Return all comparisons; none where there is no Linux."""
    if sys.platform != "linux":
        print("bench_ingest was skipped: it reads /proc", file=sys.stderr)
        return []
    return asyncio.run(_run(quick))


if __name__ == "__main__":
    sys.exit(main(run))
