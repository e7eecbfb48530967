"""What owners ask of Redis: leases, and writes that a script checks. Source: bus contract, sections 4, 8 and 10."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from oimon import codec
from oimon.bus import Entry, Pulse, Use
from oimon.bus.log import (
    ANSWERS,
    MEMBER_TTL_MS,
    NEVER,
    PARKED_KEPT,
    PURSES_KEPT_S,
    TWO_DAYS_MS,
    Draft,
    Grant,
    Lease,
    Record,
    Retention,
    Taken,
    least_us,
    ttl_ms,
)
from oimon.bus.redis.client import Client
from oimon.bus.redis.entries import aside, text
from oimon.bus.redis.keys import (
    dead_key,
    key,
    members_key,
    own_key,
    purse_key,
    sent_key,
    snapshot_key,
)
from oimon.messages import Beat
from oimon.terms import FeedState, MarketState

NEVER_OWNED_MS = 10**15


class Owned:
    """Ownership, and the writes of owners."""

    _client: Client
    _me: str
    _retention: Retention
    _declared: int
    _beat_ms: int

    async def acquire(self, role: str, partition: str, reads: str | None = None) -> Grant | None:
        """Take or extend the ownership; ``None`` while another has it."""
        keys = [own_key(role, partition)]
        if reads is not None:
            keys.append(key(reads, partition))
        args = [self._me, ttl_ms(role)]
        reply = await self._client.run("acquire", keys, args, together=True)
        if not reply[0]:
            return None
        epoch, cursor, in_n, taken = (text(item) for item in reply[1:5])
        return Grant(
            lease=Lease(role, partition, epoch, cursor, int(in_n)),
            taken=Taken(taken),
            stuck=int(reply[5]),
            is_rolled_back=bool(reply[6]),
            run=text(reply[7]),
            beat_us=int(reply[8]),
        )

    async def release(self, lease: Lease, snapshot: bytes | None = None) -> None:
        """Give the ownership back."""
        role, partition = lease.role, lease.partition
        args: list[Any] = [self._me, lease.epoch, lease.cursor]
        if snapshot is not None:
            args.append(snapshot)
        keys = [own_key(role, partition), snapshot_key(role, partition)]
        await self._client.run("release", keys, args)

    async def records(self, role: str, partitions: Sequence[str]) -> Mapping[str, Record]:
        """Return what the log says of the ownership of each."""
        if not partitions:
            return {}
        client = self._client
        async with client.redis.pipeline(transaction=False) as pipe:
            for partition in partitions:
                pipe.hmget(own_key(role, partition), ["owner", "epoch", "cursor", "in_n", "until"])
            now_ms, rows = await asyncio.gather(  # apart: in a cluster, the time is on each node
                self.now_ms(), client.ask(pipe.execute())
            )
        return {
            partition: _record(row, now_ms) for partition, row in zip(partitions, rows, strict=True)
        }

    async def now_ms(self) -> int:
        """Return the server's time."""
        seconds, us = await self._client.ask(self._client.redis.time())
        return int(seconds) * 1000 + int(us) // 1000

    async def members(self, role: str, *, leave: bool = False) -> Sequence[str]:
        """Say that this replica lives, or leaves; return who lives."""
        args = [self._me, MEMBER_TTL_MS, int(leave)]
        return sorted(
            text(name) for name in await self._client.run("members", [members_key(role)], args)
        )

    # --- writes ----------------------------------------------------------------------------------------------------

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> int:
        """Append messages and the beat that is due."""
        kept = self._retention.of(stream, self._declared)
        args: list[Any] = [
            self._me,
            lease.epoch,
            pseq,
            ttl_ms(lease.role),
            kept.ms,
            kept.entries,
            pulse.run,
            "" if pulse.event_us is None else pulse.event_us,
            self._beat_ms,
            _beat_head(pulse.market, pulse.feed, pulse.age_ms, pulse.conflated),
            codec.SCHEMA,
            least_us(pulse),
        ]
        for draft in drafts:
            args += draft
        partition = lease.partition
        keys = [
            key(stream, partition),
            own_key(lease.role, partition),
            own_key(ANSWERS, partition),
        ]
        reply = await self._client.run("publish", keys, args, together=True)
        return int(reply[1])

    async def commit(
        self,
        lease: Lease,
        reads: str,
        writes: str,
        last: Entry,
        drafts: Sequence[Draft],
        snapshot: bytes | None = None,
    ) -> tuple[Lease, int]:
        """Append outputs and move the cursor."""
        role, partition, kept = (
            lease.role,
            lease.partition,
            self._retention.of(writes, self._declared),
        )
        args: list[Any] = [
            self._me,
            lease.epoch,
            lease.cursor,
            last.id,
            ttl_ms(role),
            last.n,
            kept.ms,
            kept.entries,
            codec.SCHEMA,
        ]
        for draft in drafts:
            args += (draft.id or "*", draft.kind, draft.data)
        keys = [own_key(role, partition), key(reads, partition), key(writes, partition)]
        if snapshot is not None:
            keys.append(snapshot_key(role, partition))
            args.append(snapshot)
        refused = await self._client.run("commit", keys, args)
        return _moved(lease, last), int(refused)

    async def attempt(self, lease: Lease, entry_id: str) -> int:
        """Count one more try at an entry."""
        keys = [own_key(lease.role, lease.partition)]
        return int(await self._client.run("attempt", keys, [self._me, lease.epoch, entry_id]))

    async def park(self, lease: Lease, entry: Entry, why: str, tries: int = 1) -> Lease:
        """Set an entry of the input aside and move the cursor past it."""
        args: list[Any] = [
            self._me,
            lease.epoch,
            lease.cursor,
            entry.id,
            entry.n,
            ttl_ms(lease.role),
            PARKED_KEPT,
            *aside(entry, why, tries),
        ]
        keys = [own_key(lease.role, lease.partition), dead_key(lease.role, lease.partition)]
        await self._client.run("park", keys, args)
        return _moved(lease, entry)

    async def snapshot(self, role: str, partition: str) -> bytes | None:
        """Return the newest snapshot."""
        client = self._client
        found: bytes | None = await client.ask(client.redis.get(snapshot_key(role, partition)))
        return found

    async def enqueue(self, partition: str, stream: str, name: str, kind: str, data: bytes) -> bool:
        """Append a message unless one of that name was."""
        kept = self._retention.of(stream, self._declared)
        args = [self._me, name, kept.ms, kept.entries, codec.SCHEMA, kind, data]
        keys = [key("oi.seen", partition, stream), key(stream, partition)]
        return bool(await self._client.run("enqueue", keys, args))

    async def mark(self, lease: Lease, name: str, what: str) -> str:
        """Note what becomes of a message that leaves the house."""
        role, partition = lease.role, lease.partition
        args = [self._me, lease.epoch, name, what, ttl_ms(role), TWO_DAYS_MS]
        return text(
            await self._client.run("mark", [own_key(role, partition), sent_key(partition)], args)
        )

    async def marks(self, partition: str) -> Mapping[str, str]:
        """Return what was noted of each message."""
        client = self._client
        found = await client.ask(client.redis.hgetall(sent_key(partition)))
        return {text(name): text(what) for name, what in found.items()}

    async def spend(
        self, purse: str, day: str, who: str, use: Use, limit: Use | None = None
    ) -> tuple[bool, Use]:
        """Take from what may be used on a day."""
        most = ("", "") if limit is None else (limit.calls, limit.usd)
        args = [who, use.calls, use.tokens, use.usd, *most, PURSES_KEPT_S]
        reply = await self._client.run("spend", [purse_key(purse, day)], args)
        calls, tokens, usd = text(reply[1]).split()
        return bool(reply[0]), Use(calls=int(calls), tokens=int(tokens), usd=float(usd))


def _moved(lease: Lease, to: Entry) -> Lease:
    return Lease(lease.role, lease.partition, lease.epoch, to.id, to.n)


def _record(row: Sequence[Any], now_ms: int) -> Record:
    owner, epoch, cursor, in_n, until = (None if item is None else text(item) for item in row)
    return Record(
        owner=owner or "",
        epoch=epoch or "0",
        cursor=cursor or NEVER,
        in_n=int(in_n or 0),
        overdue_ms=NEVER_OWNED_MS if epoch is None else now_ms - int(until or 0),
    )


@lru_cache(maxsize=256)  # most beats say what one did before
def _beat_head(market: MarketState, feed: FeedState, age_ms: int | None, conflated: int) -> bytes:
    """Return the beat's JSON up to its ``ts_us``, which stands last; the script writes the number."""
    beat = Beat(ts_us=0, market=market, feed=feed, age_ms=age_ms, conflated=conflated)
    return codec.encode(beat).removesuffix(b"0}")
