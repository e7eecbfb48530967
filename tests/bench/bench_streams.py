"""Writing ticks to a Redis stream: packed batches against one JSON entry a tick.

The other side is the common way: one XADD a tick with a JSON of the tick's 13 fields, by the plain synchronous client. Ours is
measured twice: the same XADD by the same client with one packed batch as its entry, and the bus' whole publish, which checks the
owner and adds beats in a script. CPU is that of the client and of the server together. Asserted first: every tick is in the log
and reads back the same. Source: performance paper, section 3.
"""

import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson
import redis
import uvloop

from oimon import codec
from oimon.bus import Pulse
from oimon.bus.redis import RedisBus
from oimon.messages import TICK, TICKS, TickBatch
from oimon.terms import FeedState, MarketState
from tests.bench.harness import Result, main
from tests.integration.conftest import a_server

GOAL = 60.0
PUBLISH_GOAL = 25.0  # with owner check and beats, a script of six commands
BATCH = 100
PULSE = Pulse(run="bench", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)


def make_ticks(count: int) -> np.ndarray:
    """Return ticks as they are packed."""
    random = np.random.default_rng(7)
    ticks = np.zeros(count, TICK)
    for name in TICK.names:
        ticks[name] = random.integers(0, 2**20, count)
    ticks["flags"] = 15
    return ticks


def as_json(ticks: np.ndarray) -> list[bytes]:
    """Return each tick's fields as JSON."""
    return [orjson.dumps(dict(zip(TICK.names, row.tolist(), strict=True))) for row in ticks]


class Ways:
    """The ways to write, on one server."""

    def __init__(self, url: str, ticks: np.ndarray) -> None:
        self._client = redis.Redis.from_url(url)
        self._loop = uvloop.new_event_loop()
        self._bus = RedisBus(url, "bench")
        self._ticks = ticks

    def _batches(self) -> Iterator[TickBatch]:
        for start in range(0, len(self._ticks), BATCH):
            yield TickBatch(
                received_us=1, table="00" * 8, records=self._ticks[start : start + BATCH]
            )

    def packed(self) -> None:
        """Append one entry a batch, by the plain client."""
        for batch in self._batches():
            self._client.xadd(
                "packed", {"d": codec.encode(batch)}, maxlen=200_000, approximate=True
            )

    def published(self) -> None:
        """Publish the ticks in batches, as ingest does."""

        async def work() -> None:
            for batch in self._batches():
                await self._bus.publish("NIFTY", [batch], PULSE)

        self._loop.run_until_complete(work())

    def one_json_a_tick(self) -> None:
        """Append one entry a tick."""
        for row in self._ticks:
            data = orjson.dumps(dict(zip(TICK.names, row.tolist(), strict=True)))
            self._client.xadd("naive", {"d": data}, maxlen=200_000, approximate=True)

    def assert_equal(self) -> None:
        """All ways hold the same ticks."""
        self.packed()
        self.published()
        self.one_json_a_tick()

        async def read() -> list[np.ndarray]:
            entries = await self._bus._log.read(TICKS, "NIFTY", "0-0", 10_000, 0)
            return [entry.message.records for entry in entries if entry.kind == "ticks"]

        published = np.concatenate(self._loop.run_until_complete(read()))
        packed = np.concatenate(
            [
                codec.decode("ticks", 1, entry[1][b"d"]).records
                for entry in self._client.xrange("packed")
            ]
        )
        naive = [entry[1][b"d"] for entry in self._client.xrange("naive")]
        assert as_json(published) == as_json(packed) == naive == as_json(self._ticks)

    def cpu_us(self) -> float:
        """Return the CPU time of this process and of the server so far."""
        server = self._client.info("cpu")
        used = server["used_cpu_user_main_thread"] + server["used_cpu_sys_main_thread"]
        return time.process_time() * 1e6 + used * 1e6

    def close(self) -> None:
        """Close connections."""
        self._loop.run_until_complete(self._bus.close())
        self._loop.close()
        self._client.close()


def run(quick: bool) -> list[Result]:
    """Return the comparison of CPU time a tick."""
    rounds, count = (5, 4000) if quick else (11, 10_000)
    with tempfile.TemporaryDirectory() as folder, a_server(Path(folder)) as url:
        ways = Ways(url, make_ticks(count))
        try:
            ways.assert_equal()
            jobs = (ways.packed, ways.published, ways.one_json_a_tick)
            times: list[list[float]] = [[] for _ in jobs]
            for _ in range(rounds):
                for job, into in zip(jobs, times, strict=True):
                    before = ways.cpu_us()
                    job()
                    into.append((ways.cpu_us() - before) / count)
        finally:
            ways.close()
    return [
        Result.of("packed XADD", BATCH, ours_us=times[0], theirs_us=times[2], goal=GOAL),
        Result.of("packed publish", BATCH, ours_us=times[1], theirs_us=times[2], goal=PUBLISH_GOAL),
    ]


if __name__ == "__main__":
    sys.exit(main(run))
