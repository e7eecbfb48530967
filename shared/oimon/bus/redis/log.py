"""The log on Redis Streams, put together."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from oimon import metrics
from oimon.bus import Entry
from oimon.bus.log import Retention
from oimon.bus.redis.client import Client
from oimon.bus.redis.entries import entries, entry, text, unpaired
from oimon.bus.redis.groups import Groups
from oimon.bus.redis.keys import key, status_key
from oimon.bus.redis.owned import Owned
from oimon.bus.redis.waiting import Waiting
from oimon.bus.turn import Turn
from oimon.terms import SERVICES

STATUS_TTL_S = 10


class RedisLog(Owned, Groups):
    """A log on a Redis or Valkey server, or on a cluster of them.

    Args:
        url: address, with user and password if there are: ``redis://``, or ``redis+cluster://`` for any node of a cluster.
        me: name of this replica, new at every start.
        retention: what is kept of each stream.
        beat_ms: step of the server-clock beats; 0 makes every batch a beat.
    """

    is_in_process = False

    def __init__(
        self, url: str, me: str, *, retention: Retention | None = None, beat_ms: int = 1000
    ) -> None:
        self._client = Client(url)
        self._me = me
        self._retention = retention or Retention()
        self._declared = 1
        self._beat_ms = beat_ms
        self._groups = set()
        self.turn = Turn()
        self._waiting = Waiting(self._read_all, self.turn)

    # --- reads -----------------------------------------------------------------------------------------------------

    async def read(
        self, stream: str, partition: str, after: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries after an id."""
        client = self._client
        if not block_ms or client.is_cluster:  # whose streams are not all on one node
            return await self.read_any({stream: after}, partition, count, block_ms)
        read = self._waiting.read(key(stream, partition), after, count, block_ms)
        return [entry(stream, partition, *row) for row in await client.ask(read)]

    async def _read_all(self, after: Mapping[str, str], count: int, block_ms: int) -> Any:
        wait = ("BLOCK", block_ms) if block_ms else ()
        reply = await self._client.block(
            "XREAD", "COUNT", count, *wait, "STREAMS", *after, *after.values()
        )
        return [(name, [unpaired(*row) for row in rows]) for name, rows in reply or ()]

    async def read_any(
        self, after: Mapping[str, str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries of several streams of one partition."""
        client = self._client
        keys: dict[Any, Any] = {key(stream, partition): at for stream, at in after.items()}
        reply = await client.ask(client.blocking.xread(keys, count=count, block=block_ms or None))
        return entries(reply, partition)

    async def newest(self, stream: str, partition: str, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest below an id."""
        return next(iter(await self.older(stream, partition, before, 1)), None)

    async def older(
        self, stream: str, partition: str, before: str | None, count: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries below an id, or of all, the newest first."""
        client, end = self._client, "+" if before is None else f"({before}"
        found = client.redis.xrevrange(key(stream, partition), max=end, count=count)
        return [entry(stream, partition, *row) for row in await client.ask(found)]

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id."""
        client = self._client
        rows = await client.ask(client.redis.xrange(key(stream, partition), entry_id, entry_id))
        return entry(stream, partition, *rows[0]) if rows else None

    # --- partitions and statuses -----------------------------------------------------------------------------------

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        client, declared = self._client, key("oi.partitions", "all")
        gone = set(await self.partitions()) - set(partitions)
        if partitions:  # first: nobody must find none between two calls
            await client.ask(client.redis.sadd(declared, *partitions))
        if gone:
            await client.ask(client.redis.srem(declared, *gone))

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        client = self._client
        members = await client.ask(client.redis.smembers(key("oi.partitions", "all")))
        self._declared = len(members)  # owners look every round
        return sorted(text(member) for member in members)

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep a replica's status for ten seconds."""
        client, replicas = self._client, status_key(service)
        asked_s = time.time()
        now_s, now_us = await client.ask(client.redis.time())
        metrics.CLOCK_OFFSET.set((asked_s + time.time()) / 2 - now_s - now_us / 1e6)
        data = orjson.dumps(status, default=str)
        async with client.redis.pipeline(transaction=False) as pipe:
            pipe.zadd(replicas, {replica: now_s})
            pipe.zremrangebyscore(replicas, 0, now_s - STATUS_TTL_S)
            pipe.set(status_key(service, replica), data, ex=STATUS_TTL_S)
            await client.ask(pipe.execute())

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        client, found = self._client, []
        for service in SERVICES:
            replicas = await client.ask(client.redis.zrange(status_key(service), 0, -1))
            if replicas:
                keys = [status_key(service, text(replica)) for replica in replicas]
                found += await client.ask(client.redis.mget(keys))
        return [orjson.loads(data) for data in found if data is not None]

    async def close(self) -> None:
        """Close connections."""
        self._waiting.close()
        await self._client.close()
