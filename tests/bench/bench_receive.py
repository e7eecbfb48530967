"""Receiving and decoding a packet of the broker's stream: our socket and decoder beside the SDK's own client and parser, unmodified.

Both are processes of their own that the local broker sends all it can, 500 tokens, full packets; CPU time of the client. Plain, many
packets come in a read; over TLS each is a record of its own, as from the broker. Asserted: every packet arrives and is a tick.
Source: performance paper, section 2.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from ingest.fakebroker.broker import FakeBroker
from tests.bench.bench_fake_broker import TOKENS, source
from tests.bench.harness import Result, main
from tests.bench.receiver import Job
from tests.fakes import smartapi

PLAIN, TLS = 30.0, 5.0
ROOT = Path(__file__).resolve().parents[2]


async def _taken_us(who: str, seconds: int, *, is_secure: bool) -> float:
    """Return CPU microseconds a packet of one client."""
    feed = source(seconds)
    broker = FakeBroker(feed, settle_s=0.3, one_by_one=is_secure)
    await broker.start(tls=smartapi.server_tls() if is_secure else None)
    try:
        job = Job(
            url=broker.stream_url,
            headers=smartapi.headers(broker, smartapi.open_session(broker)),
            tokens=[each.row.token for each in feed.listed.values()],
            count=feed.frames,
        )
        with tempfile.TemporaryDirectory() as folder:  # the SDK leaves logs where it runs
            client = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.bench.receiver", who, job.argument(),
                stdout=subprocess.PIPE, cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)},
            )  # fmt: skip
            out, _ = await asyncio.wait_for(client.communicate(), 180)
    finally:
        await broker.stop()
    assert client.returncode == 0, f"{who} ended with {client.returncode}"
    return float(out)


async def _compared(name: str, *, is_secure: bool, quick: bool, goal: float) -> Result:
    rounds, ours, theirs = (2, 40, 10) if quick else (7, 200, 20)
    times: dict[str, list[float]] = {"ours": [], "sdk": []}
    for _ in range(rounds):
        for who, seconds in (("ours", ours), ("sdk", theirs)):
            times[who].append(await _taken_us(who, seconds, is_secure=is_secure))
    return Result.of(name, ours * TOKENS, ours_us=times["ours"], theirs_us=times["sdk"], goal=goal)


def run(quick: bool) -> list[Result]:
    """Return both comparisons."""
    return [
        asyncio.run(_compared("receive, plain", is_secure=False, quick=quick, goal=PLAIN)),
        asyncio.run(_compared("receive, TLS", is_secure=True, quick=quick, goal=TLS)),
    ]


if __name__ == "__main__":
    sys.exit(main(run))
