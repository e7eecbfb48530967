"""A publisher, a server, analytics, and this process as the consumer: what latency is measured in. Only on Linux."""

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from redis.asyncio import Redis

from oimon.bus.redis.keys import key
from oimon.messages import ANALYSIS, TICKS
from tests.bench.harness import server_cpu_s
from tests.bench.hop import hop_ms
from tests.bench.publisher import Job
from tests.chaos.processes import Process, clean_environment, python
from tests.chaos.replica import Replica
from tests.chaos.waiting import DidNot, until
from tests.chaos.world import World

_READY_S = 60.0
_CLOCK_HZ = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one feed came to."""

    waited_ms: np.ndarray
    """From due to seen at the consumer, of each tick or beat; where no answer came, how long it has been missing at the end."""
    analyses: int
    beats: int
    cpu_s: float
    """Of publisher, server and analytics together, from the start to the last answer."""

    @property
    def is_answered(self) -> bool:
        """Whether the consumer has seen an analysis of each beat."""
        return self.analyses == self.beats


class Consumer:
    """Sees analyses as they come; it does not look into them."""

    def __init__(self, url: str, partitions: Sequence[str]) -> None:
        # Without a time-out: with one, on Python 3.11, the client can lose the cancellation that ends watching.
        self._client = Redis.from_url(url, protocol=2, socket_timeout=None)
        self._names = {key(ANALYSIS, name).encode(): name for name in partitions}
        self._after: dict[Any, Any] = dict.fromkeys(self._names, "0-0")
        self.seen: dict[str, list[tuple[bytes, int]]] = {name: [] for name in partitions}
        """Id of each analysis and when it was seen, in ns of the monotonic clock."""

    async def watch(self) -> None:
        """Read until cancelled."""
        while True:
            found = await self._client.xread(self._after, block=1000)
            now_ns = time.monotonic_ns()
            for stream, rows in found:
                self._after[stream] = rows[-1][0]
                self.seen[self._names[stream]] += [(row[0], now_ns) for row in rows]

    async def beats(self, partition: str, after: bytes) -> list[bytes]:
        """Return the ids of the beats after one."""
        rows = await self._client.xrange(key(TICKS, partition), min=b"(" + after)
        return [name for name, fields in rows if fields[b"t"] == b"beat"]

    async def cpu_s(self) -> float:
        """Return the CPU time of the server so far."""
        return await server_cpu_s(self._client)

    async def close(self) -> None:
        await self._client.aclose()


class Pipeline:
    """A server and one replica of analytics; each feed has partitions of its own."""

    def __init__(self, world: World, analytics: Replica) -> None:
        self._world = world
        self._analytics = analytics
        self._feeds = 0

    def hop_ms(self, count: int) -> float:
        """Return what one hop takes on this server."""
        return hop_ms(self._world.server.url, self._world.folder, count)

    async def measure(self, *, partitions: int, drain_s: float, **how: Any) -> Measured:
        """Feed as told (``how`` are fields of ``Job``), see what comes, and wait for the last answer, within reason.

        Raises:
            AssertionError: what was seen does not answer beat after beat.
        """
        self._feeds += 1
        names = [f"FEED{self._feeds}-{number}" for number in range(partitions)]
        job = Job(url=self._world.server.url, run=f"bench-{self._feeds}", partitions=names, **how)
        async with self._watched(job) as (publisher, consumer):
            first = {name: seen.pop()[0] for name, seen in consumer.seen.items()}
            before_s = await self._cpu_s(consumer)
            publisher.say("start")
            told = json.loads(await asyncio.to_thread(publisher.read_line))
            beats = {name: await consumer.beats(name, at) for name, at in first.items()}
            await _drained(consumer, beats, drain_s)
            spent_s = await self._cpu_s(consumer) - before_s
            end_ns = time.monotonic_ns()
        for name, ids in beats.items():
            seen = [analysis for analysis, _ in consumer.seen[name]]
            assert seen == ids[: len(seen)], f"analyses of {name} are not those of its beats"
        return Measured(
            waited_ms=_waited_ms(told["sent"], consumer, end_ns),
            analyses=sum(map(len, consumer.seen.values())),
            beats=sum(map(len, beats.values())),
            cpu_s=told["cpu_s"] + spent_s,
        )

    @contextlib.asynccontextmanager
    async def _watched(self, job: Job) -> AsyncIterator[tuple[Process, Consumer]]:
        """Give a publisher that is ready and a consumer that has seen the first analysis of each partition."""
        consumer = Consumer(job.url, job.partitions)
        watching = asyncio.ensure_future(consumer.watch())
        publisher = Process(
            python("tests.bench.publisher", job.argument()),
            output=self._world.folder / "publisher.out",
            environment=clean_environment(),
            folder=self._world.folder,
            piped=True,
        )
        try:
            ready = await asyncio.to_thread(publisher.read_line)
            assert ready == "ready", f"the publisher said {ready!r}, see {publisher.output}"

            async def has_begun() -> bool:
                return all(consumer.seen.values())

            await until(has_begun, "analyse each partition's first beat", within_s=_READY_S)
            yield publisher, consumer
        finally:
            publisher.kill()
            watching.cancel()
            await asyncio.wait((watching,))
            await consumer.close()

    async def _cpu_s(self, consumer: Consumer) -> float:
        """Return the CPU time of server and analytics so far."""
        return await consumer.cpu_s() + used_cpu_s(self._analytics.process.pid)


@contextlib.asynccontextmanager
async def pipeline(*, fast: bool = False) -> AsyncIterator[Pipeline]:
    """Give a server and analytics that are ready, by numpy or with machine code; both end with the context."""
    with tempfile.TemporaryDirectory() as folder:
        async with World(Path(folder), seed=1) as world:
            await world.server.start()
            analytics = world.replica("analytics", FAST=str(int(fast)))
            await world.ready(analytics)
            yield Pipeline(world, analytics)


def used_cpu_s(pid: int) -> float:
    """Return the CPU time of a process so far."""
    stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    user, system = stat.rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _CLOCK_HZ


async def _drained(
    consumer: Consumer, beats: Mapping[str, Sequence[bytes]], within_s: float
) -> None:
    """Wait for as many answers as there are beats; that there are fewer in the end is for the caller to tell."""

    async def are_there() -> bool:
        return all(len(consumer.seen[name]) >= len(ids) for name, ids in beats.items())

    with contextlib.suppress(DidNot):
        await until(are_there, "answer all beats", within_s=within_s)


def _waited_ms(
    sent: Mapping[str, Mapping[str, Sequence[int]]], consumer: Consumer, end_ns: int
) -> np.ndarray:
    """Return how long everything that was due waited: one analysis answers one publish, in order."""
    waited = []
    for name, each in sent.items():
        due_ns, upto = np.array(each["due_ns"]), np.array(each["upto"])
        seen_ns = np.full(len(upto), end_ns)
        times = [at_ns for _, at_ns in consumer.seen[name]][: len(upto)]
        seen_ns[: len(times)] = times
        publish = np.searchsorted(upto, np.arange(len(due_ns)), side="right")
        waited.append((seen_ns[publish] - due_ns) / 1e6)
    return np.concatenate(waited)
