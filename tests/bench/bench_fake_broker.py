"""What the local broker spends on a packet to one client, beside the 20 µs that 50,000 packets a second leave it.

500 tokens, SNAP_QUOTE, every packet prepared; the client is a process of its own. Asserted first: all of them arrive. The time is
CPU time of the broker's process; by the clock it depends on who else uses the cores.
"""

import asyncio
import json
import subprocess
import sys
import time

import picows

from ingest.fakebroker.broker import FakeBroker
from ingest.fakebroker.packet import name_of_row
from ingest.fakebroker.source import Frames, Listed, Source
from ingest.packets import book, packet
from tests.bench.harness import Result, main
from tests.eventually import eventually
from tests.fakes import smartapi

TOKENS, LIMIT_US = 500, 20.0
_STEP_US = 1_000_000


def source(rounds: int) -> Source:
    """Return a feed in which every token has a packet a second."""
    rows = [smartapi.row(str(40_000 + number), f"X{number}CE") for number in range(TOKENS)]
    levels = book(buys=[(65, 1195, 1)] * 5, sells=[(65, 1205, 1)] * 5)
    prepared = [packet(3, "NFO", row.token, ltp=1200, oi=6500, levels=levels) for row in rows]

    def play() -> Frames:
        for second in range(rounds):
            at_us = smartapi.OPENS_US + second * _STEP_US
            for frame in prepared:
                yield at_us, frame

    return Source(
        title="prepared",
        date="2026-11-25",
        listed={name_of_row(row): Listed(row=row, prev_close=None, oi_prev=None) for row in rows},
        opens_us=smartapi.OPENS_US,
        last_us=smartapi.OPENS_US + rounds * _STEP_US,
        frames=rounds * TOKENS,
        play=play,
    )


async def sent_us(rounds: int) -> float:
    """Return CPU microseconds a packet of one run."""
    feed = source(rounds)
    async with FakeBroker(feed, settle_s=0.2) as broker:
        told = {
            "url": broker.stream_url,
            "headers": smartapi.headers(broker, smartapi.open_session(broker)),
            "request": smartapi.request([each.row for each in feed.listed.values()]),
            "count": feed.frames,
        }
        client = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.bench.bench_fake_broker", json.dumps(told),
            stdout=subprocess.PIPE,
        )  # fmt: skip
        await eventually(lambda: broker.stream.connections, within_s=60)
        started_s = time.process_time()
        out, _ = await asyncio.wait_for(client.communicate(), 120)
        used_s = time.process_time() - started_s
    assert int(out) == feed.frames
    return used_s / feed.frames * 1e6


class _Counter(picows.WSListener):  # type: ignore[misc]
    """Counts packets, and leaves when it has all."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.left = count

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        self.left -= 1
        if not self.left:
            transport.disconnect()


async def _client(told: dict) -> None:
    transport, counter = await picows.ws_connect(
        lambda: _Counter(told["count"]), told["url"], extra_headers=told["headers"]
    )
    transport.send(picows.WSMsgType.TEXT, json.dumps(told["request"]).encode())
    await transport.wait_disconnected()
    print(told["count"] - counter.left)


def run(quick: bool) -> list[Result]:
    """Return the time of a packet."""
    rounds, packets = (2, 100) if quick else (7, 400)
    times = [asyncio.run(sent_us(packets)) for _ in range(rounds)]
    return [
        Result.within(
            "fake broker: a packet to a client", packets * TOKENS, ours_us=times, limit_us=LIMIT_US
        )
    ]


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1].startswith("{"):
        asyncio.run(_client(json.loads(sys.argv[1])))
    else:
        sys.exit(main(run))
