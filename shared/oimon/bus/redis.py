"""The log on Redis Streams. The only module that knows redis and the names of keys.

Client rules (bus contract, section 13): no silent retries of writes, a socket time-out above every BLOCK, protocol 2, blocking
reads on a client of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

import orjson
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import (
    ConnectionError as RedisConnectionError,
)
from redis.exceptions import (
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    TimeoutError as RedisTimeoutError,
)

from oimon import codec, metrics
from oimon.bus import PARTITION, Entry, Pulse
from oimon.bus.engine import Engine
from oimon.bus.log import LEASE_TTL_MS, Draft, Lease, Retention
from oimon.errors import BusDown, LostOwnership
from oimon.messages import Beat
from oimon.terms import SERVICES

SOCKET_TIMEOUT_S = 5.0
STATUS_TTL_S = 10
CLAIM_IDLE_MS = 30_000
_UNWRITABLE = (
    "OOM",
    "MISCONF",
    "READONLY",
    "LOADING",
    "BUSY",
    "NOREPLICAS",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "TRYAGAIN",
)


def _key(name: str, partition: str, role: str = "") -> str:
    if not PARTITION.fullmatch(partition):
        raise ValueError(f"a partition's name matches {PARTITION.pattern}, was {partition!r}")
    return f"{name}:{{{partition}}}" + (f":{role}" if role else "")


class RedisLog:
    """A log on one Redis or Valkey server.

    Args:
        url: address, with password if there is one.
        me: name of this replica, new at every start.
        retention: what is kept of each stream.
        beat_ms: step of the server-clock beats; 0 makes every batch a beat.
    """

    def __init__(
        self, url: str, me: str, *, retention: Retention | None = None, beat_ms: int = 1000
    ) -> None:
        options: dict[str, Any] = {
            "retry": Retry(NoBackoff(), 0),
            "socket_timeout": SOCKET_TIMEOUT_S,
            "socket_connect_timeout": SOCKET_TIMEOUT_S,
            "protocol": 2,
            "max_connections": 1024,
        }
        self._redis: Redis = Redis.from_url(url, **options)
        self._reader: Redis = Redis.from_url(url, **options)
        parts = urlsplit(url)
        self._where = f"Redis at {parts.hostname or parts.path}" + (
            f":{parts.port}" if parts.port else ""
        )
        self._me = me
        self._retention = retention or Retention()
        self._beat_ms = beat_ms
        self._groups: set[tuple[str, str]] = set()
        self._loaded = False
        folder = files("oimon.bus") / "scripts"
        self._acquire, self._release, self._publish, self._commit = (
            self._redis.register_script((folder / f"{name}.lua").read_text(encoding="utf-8"))
            for name in ("acquire", "release", "publish", "commit")
        )

    @asynccontextmanager
    async def _guard(self) -> AsyncIterator[None]:
        """Turn the client's errors into ours."""
        try:
            yield
        except (RedisConnectionError, RedisTimeoutError, OSError) as error:
            metrics.REDIS_ERRORS.labels(type(error).__name__).inc()
            self._loaded = False  # another server may answer next
            raise BusDown(f"{self._where} does not answer: {error}") from error
        except ResponseError as error:
            text = str(error)
            if text.startswith(("FENCED", "DIVERGED")):
                raise LostOwnership(text) from error
            if text.startswith(_UNWRITABLE):
                metrics.REDIS_ERRORS.labels(text.split(" ", 1)[0]).inc()
                raise BusDown(f"{self._where} cannot write now: {text}") from error
            raise
        except RedisError as error:
            metrics.REDIS_ERRORS.labels(type(error).__name__).inc()
            raise BusDown(f"{self._where}: {error}") from error
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError  # the client, on Python 3.11, loses a cancellation that meets a reply

    async def _run(self, script: AsyncScript, keys: list[str], args: list[Any]) -> Any:
        """Run a script; all are loaded first, since a stand-in server closes the connection of who asks for a missing one."""
        if not self._loaded:
            for each in (self._acquire, self._release, self._publish, self._commit):
                await self._redis.script_load(each.script)
            self._loaded = True
        return await script(keys=keys, args=args)

    # --- writes ----------------------------------------------------------------------------------------------------

    async def acquire(self, role: str, partition: str) -> Lease | None:
        """Take or extend the ownership; ``None`` while another has it."""
        async with self._guard():
            reply = await self._run(
                self._acquire, keys=[_key("oi.own", partition, role)], args=[self._me, LEASE_TTL_MS]
            )
        if not int(reply[0]):
            return None
        epoch, cursor, in_n = (_text(item) for item in reply[1:4])
        return Lease(role, partition, epoch, cursor, int(in_n))

    async def release(self, lease: Lease) -> None:
        """Give the ownership back."""
        async with self._guard():
            await self._run(
                self._release,
                keys=[_key("oi.own", lease.partition, lease.role)],
                args=[self._me, lease.epoch],
            )

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> bool:
        """Append messages and the beat that is due."""
        kept = self._retention.of(stream)
        args: list[Any] = [
            self._me,
            lease.epoch,
            pseq,
            LEASE_TTL_MS,
            kept.ms,
            kept.entries,
            pulse.run,
        ]
        args += [
            "" if pulse.event_us is None else pulse.event_us,
            self._beat_ms,
            _beat_head(pulse),
            codec.SCHEMA,
        ]
        for kind, data in drafts:
            args += [kind, data]
        keys = [_key(stream, lease.partition), _key("oi.own", lease.partition, lease.role)]
        async with self._guard():
            reply = await self._run(self._publish, keys=keys, args=args)
        return len(reply) > 1 and float(reply[1]) > 0

    async def commit(
        self, lease: Lease, reads: str, writes: str, last: Entry, drafts: Sequence[Draft]
    ) -> tuple[Lease, int]:
        """Append outputs and move the cursor."""
        kept = self._retention.of(writes)
        args: list[Any] = [
            self._me,
            lease.epoch,
            lease.cursor,
            last.id,
            LEASE_TTL_MS,
            last.n,
            kept.ms,
            kept.entries,
        ]
        args.append(codec.SCHEMA)
        for draft in drafts:
            args += [draft.id, draft.kind, draft.data]
        partition = lease.partition
        keys = [
            _key("oi.own", partition, lease.role),
            _key(reads, partition),
            _key(writes, partition),
        ]
        async with self._guard():
            _, refused = await self._run(self._commit, keys=keys, args=args)
        return Lease(lease.role, partition, lease.epoch, last.id, last.n), int(refused)

    # --- reads -----------------------------------------------------------------------------------------------------

    async def read(
        self, stream: str, partition: str, after: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries after an id."""
        return await self.read_any({stream: after}, partition, count, block_ms)

    async def read_any(
        self, after: Mapping[str, str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries of several streams of one partition."""
        keys: dict[Any, Any] = {
            _key(stream, partition): entry_id for stream, entry_id in after.items()
        }
        async with self._guard():
            reply = await self._reader.xread(keys, count=count, block=block_ms or None)
        return _entries(reply, partition)

    async def newest(self, stream: str, partition: str, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest below an id."""
        async with self._guard():
            rows = await self._redis.xrevrange(
                _key(stream, partition), max="+" if before is None else f"({before}", count=1
            )
        return _entry(stream, partition, *rows[0]) if rows else None

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id."""
        async with self._guard():
            rows = await self._redis.xrange(_key(stream, partition), entry_id, entry_id)
        return _entry(stream, partition, *rows[0]) if rows else None

    # --- groups ----------------------------------------------------------------------------------------------------

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries new to the group, and those that a dead member left for 30 s."""
        keys: dict[Any, Any] = {_key(stream, partition): ">" for stream in streams}
        async with self._guard():
            for stream in streams:
                await self._join(group, _key(stream, partition))
            left: list[Entry] = []
            for stream in streams:
                reply = await self._redis.xautoclaim(
                    _key(stream, partition),
                    group,
                    self._me,
                    min_idle_time=CLAIM_IDLE_MS,
                    count=count,
                )
                left += [_entry(stream, partition, *row) for row in reply[1] if row[1]]
            if left:
                return left
            try:
                found = await self._reader.xreadgroup(
                    group, self._me, keys, count=count, block=block_ms or None
                )
            except ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._groups.clear()  # the log was emptied: make the groups anew next time
                return ()
        return _entries(found, partition)

    async def _join(self, group: str, key: str) -> None:
        if (group, key) in self._groups:
            return
        try:
            await self._redis.xgroup_create(key, group, id="0", mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
        self._groups.add((group, key))

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that the entries' effects are safe."""
        by_key: dict[str, list[str]] = {}
        for entry in entries:
            by_key.setdefault(_key(entry.stream, entry.partition), []).append(entry.id)
        async with self._guard():
            for key, ids in by_key.items():
                await self._redis.xack(key, group, *ids)

    # --- the rest --------------------------------------------------------------------------------------------------

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        key = _key("oi.partitions", "all")
        async with self._guard(), self._redis.pipeline(transaction=True) as pipe:
            pipe.delete(key)
            if partitions:
                pipe.sadd(key, *partitions)
            await pipe.execute()

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        async with self._guard():
            members = await self._redis.smembers(_key("oi.partitions", "all"))
        return sorted(_text(member) for member in members)

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep a replica's status for ten seconds."""
        async with self._guard():
            now = await self._redis.time()
            async with self._redis.pipeline(transaction=False) as pipe:
                pipe.zadd(f"oi.members:{{{service}}}", {replica: now[0]})
                pipe.zremrangebyscore(f"oi.members:{{{service}}}", 0, now[0] - STATUS_TTL_S)
                data = orjson.dumps(status, default=str)
                pipe.set(f"oi.status:{{{service}}}:{replica}", data, ex=STATUS_TTL_S)
                await pipe.execute()

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        found = []
        async with self._guard():
            for service in SERVICES:
                replicas = await self._redis.zrange(f"oi.members:{{{service}}}", 0, -1)
                for replica in replicas:
                    data = await self._redis.get(f"oi.status:{{{service}}}:{_text(replica)}")
                    if data is not None:
                        found.append(orjson.loads(data))
        return found

    async def close(self) -> None:
        """Close connections."""
        await self._redis.aclose()
        await self._reader.aclose()


class RedisBus(Engine):
    """The bus on Redis Streams."""

    def __init__(
        self, url: str, me: str, *, retention: Retention | None = None, beat_ms: int = 1000
    ) -> None:
        super().__init__(RedisLog(url, me, retention=retention, beat_ms=beat_ms))


def _beat_head(pulse: Pulse) -> bytes:
    """Return the beat's JSON up to its ``ts_us``, which stands last; the script writes the number."""
    beat = Beat(
        ts_us=0,
        market=pulse.market,
        feed=pulse.feed,
        age_ms=pulse.age_ms,
        conflated=pulse.conflated,
    )
    return codec.encode(beat).removesuffix(b"0}")


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _entry(stream: str, partition: str, entry_id: Any, fields: Any) -> Entry:
    get = {_text(name): value for name, value in fields.items()}
    return Entry(
        stream=stream,
        partition=partition,
        id=_text(entry_id),
        kind=_text(get.get("t", b"")),
        version=int(get.get("v", 0)),
        data=get.get("d", b""),
        n=int(get.get("n", 0)),
    )


def _entries(reply: Any, partition: str) -> list[Entry]:
    return [
        _entry(_text(key).split(":{", 1)[0], partition, *row)
        for key, rows in reply or ()
        for row in rows
    ]
