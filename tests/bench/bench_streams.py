"""Writing to a Redis stream: packed batches of ticks against one JSON entry a tick, and a fenced commit against a plain XADD.

The other side is the common way: one XADD a tick with a JSON of the tick's 13 fields, by the plain synchronous client. Ours is
measured twice: the same XADD by the same client with one packed batch as its entry, and the bus' whole publish, which checks the
owner and adds beats in a script. Asserted first: every tick is in the log and reads back the same.

A commit checks owner, cursor and input entry, appends an output and moves the cursor; beside it is the same client's XADD of the same
fields. Asserted first: both have written the same entries.

CPU is that of the client and of the server together. Source: performance paper, section 3.
"""

import contextlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import redis
import uvloop

from oimon import codec
from oimon.bus import Entry, Pulse
from oimon.bus.log import NEVER, Draft, Lease
from oimon.bus.redis import RedisBus, RedisLog
from oimon.bus.redis.keys import key
from oimon.messages import ANALYSIS, TICK, TICKS, TickBatch
from oimon.terms import FeedState, MarketState
from tests.bench.harness import Result, main
from tests.integration.conftest import a_server

GOAL = 60.0
PUBLISH_GOAL = 40.0
COMMIT_GOAL = 0.45
BATCH, COMMITS = 100, 200
SIZES = {
    "fenced commit": 200,
    "fenced commit, big": 20_000,
}  # bytes of an output: a small one, an analysis
PULSE = Pulse(run="bench", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)


def make_ticks(count: int) -> np.ndarray:
    """Return ticks as they are packed."""
    dice = np.random.default_rng(7)
    ticks = np.zeros(count, TICK)
    for name in TICK.names:
        ticks[name] = dice.integers(0, 2**20, count)
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

    def close(self) -> None:
        """Close connections."""
        self._loop.run_until_complete(self._bus.close())
        self._loop.close()
        self._client.close()


class Commits:
    """Answers entry after entry, by a commit and by a plain XADD, one connection each."""

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._loop = uvloop.new_event_loop()
        self._log = RedisLog(url, "bench")
        self._partition = f"SIZE{size}"
        self._plain = f"plain{size}"
        self._data = bytes(random.Random(7).choices(b"0123456789", k=size))
        self._entries: list[Entry] = []
        self._lease: Lease

    def prepare(self, count: int) -> None:
        """Write as many inputs, and take what they are of."""

        async def work() -> None:
            lease = (await self._log.acquire("ingest", self._partition)).lease
            beat = Pulse(run="bench", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0)
            for number in range(count):
                pulse = replace(beat, event_us=number + 1)
                await self._log.publish(lease, TICKS, number + 1, [], pulse)
            self._entries = list(await self._log.read(TICKS, self._partition, NEVER, count, 0))
            self._lease = (await self._log.acquire("analytics", self._partition, TICKS)).lease

        self._loop.run_until_complete(work())
        assert len(self._entries) == count

    def commit(self, first: int, end: int) -> None:
        """Answer entries by the bus' log."""

        async def work() -> None:
            for entry in self._entries[first:end]:
                draft = Draft(entry.id, "analysis", self._data)
                self._lease, refused = await self._log.commit(
                    self._lease, TICKS, ANALYSIS, entry, [draft]
                )
                assert not refused

        self._loop.run_until_complete(work())

    def add(self, first: int, end: int) -> None:
        """Append the same fields, unchecked, by the same client."""

        async def work() -> None:
            client = self._log._client
            for number, entry in enumerate(self._entries[first:end], first + 1):
                fields = {"n": number, "at": entry.at_ms, "w": "bench", "v": codec.SCHEMA}
                fields |= {"t": "analysis", "d": self._data}
                await client.ask(client.redis.xadd(self._plain, fields, id=entry.id))

        self._loop.run_until_complete(work())

    def assert_equal(self, count: int) -> None:
        """Both have written as many entries, the same but for the time of writing."""
        with redis.Redis.from_url(self._url) as client:
            fenced, plain = (
                [(name, fields | {b"at": None}) for name, fields in client.xrange(stream)]
                for stream in (key(ANALYSIS, self._partition), self._plain)
            )
        assert fenced == plain
        assert len(plain) == count

    def close(self) -> None:
        """Close connections."""
        self._loop.run_until_complete(self._log.close())
        self._loop.close()


def cpu_us(client: redis.Redis) -> float:
    """Return the CPU time of this process and of the server so far."""
    server = client.info("cpu")
    used = server["used_cpu_user_main_thread"] + server["used_cpu_sys_main_thread"]
    return time.process_time() * 1e6 + used * 1e6


def commits(url: str, bench: str, size: int, rounds: int) -> Result:
    """Compare commits with plain appends, in turns; the first turn is not counted: it is the one that is compared in content."""
    ways = Commits(url, size)
    times: tuple[list[float], list[float]] = ([], [])
    with contextlib.closing(ways), redis.Redis.from_url(url) as client:
        ways.prepare(COMMITS * (rounds + 1))
        for turn in range(rounds + 1):
            for way, into in zip((ways.commit, ways.add), times, strict=True):
                before = cpu_us(client)
                way(turn * COMMITS, (turn + 1) * COMMITS)
                if turn:
                    into.append((cpu_us(client) - before) / COMMITS)
            if not turn:
                ways.assert_equal(COMMITS)
    return Result.of(bench, size, ours_us=times[0], theirs_us=times[1], goal=COMMIT_GOAL)


def publishes(url: str, rounds: int, count: int) -> list[Result]:
    """Compare packed batches with one JSON entry a tick, in turns."""
    ways = Ways(url, make_ticks(count))
    jobs = (ways.packed, ways.published, ways.one_json_a_tick)
    times: list[list[float]] = [[] for _ in jobs]
    with contextlib.closing(ways), redis.Redis.from_url(url) as client:
        ways.assert_equal()
        for _ in range(rounds):
            for job, into in zip(jobs, times, strict=True):
                before = cpu_us(client)
                job()
                into.append((cpu_us(client) - before) / count)
    return [
        Result.of("packed XADD", BATCH, ours_us=times[0], theirs_us=times[2], goal=GOAL),
        Result.of("packed publish", BATCH, ours_us=times[1], theirs_us=times[2], goal=PUBLISH_GOAL),
    ]


def run(quick: bool) -> list[Result]:
    """Return the comparisons of CPU time a tick, and an entry."""
    rounds = 5 if quick else 11
    with tempfile.TemporaryDirectory() as folder, a_server(Path(folder)) as url:
        return [
            *publishes(url, rounds, 4000 if quick else 10_000),
            *(commits(url, bench, size, rounds) for bench, size in SIZES.items()),
        ]


if __name__ == "__main__":
    sys.exit(main(run))
