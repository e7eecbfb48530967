"""The log as plain lists in this process: for tests, simulation and offline replay.

The same checks as the scripts beside ``redis``, and the same answers.
"""

import asyncio
import bisect
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from oimon import codec
from oimon.bus import Entry, Pulse
from oimon.bus.engine import Engine
from oimon.bus.log import LEASE_TTL_MS, NEVER, Draft, Lease, Retention
from oimon.clock import Clock, SystemClock
from oimon.errors import LostOwnership
from oimon.messages import Beat


@dataclass
class _Stream:
    entries: list[Entry] = field(default_factory=list)
    order: list[tuple[int, int]] = field(default_factory=list)  # ids as numbers, for bisection
    last: tuple[int, int] = (0, 0)


@dataclass
class _Own:
    owner: str = ""
    epoch: int = 0
    until_ms: int = 0
    cursor: str = NEVER
    in_n: int = 0
    out_n: int = 0
    pseq: int = 0
    run: str = ""
    beat_us: int = 0


class MemoryStore:
    """What a server would hold; several logs (replicas) may share one."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.streams: dict[tuple[str, str], _Stream] = {}
        self.owns: dict[tuple[str, str], _Own] = {}
        self.groups: dict[tuple[str, str, str], tuple[int, int]] = {}
        self.partitions: set[str] = set()
        self.status: dict[tuple[str, str], tuple[int, Mapping[str, Any]]] = {}
        self.sleepers: dict[asyncio.Future[None], Collection[str]] = {}
        """Readers that have read everything, each with the streams it waits for."""

    def now_ms(self) -> int:
        """Return the store's own clock: the server's, for its readers."""
        return self.clock.now_us() // 1000

    def stream(self, name: str, partition: str) -> _Stream:
        """Return the stream, made when it is new."""
        found = self.streams.get((name, partition))
        if found is None:
            found = self.streams[name, partition] = _Stream()
        return found

    def own(self, role: str, partition: str) -> _Own:
        """Return the ownership record, made when it is new."""
        found = self.owns.get((role, partition))
        if found is None:
            found = self.owns[role, partition] = _Own()
        return found

    def wake(self, stream: str) -> None:
        """Let the sleeping readers of a stream look again."""
        for sleeper in [one for one, streams in self.sleepers.items() if stream in streams]:
            del self.sleepers[sleeper]
            _wake(sleeper)


class MemoryLog:
    """A log on lists.

    Args:
        store: what the replicas share.
        me: name of this replica.
        retention: what is kept of each stream.
        beat_ms: step of the server-clock beats; 0 makes every batch a beat.
    """

    def __init__(
        self,
        store: MemoryStore,
        me: str,
        *,
        retention: Retention | None = None,
        beat_ms: int = 1000,
    ) -> None:
        self._store = store
        self._me = me
        self._retention = retention or Retention()
        self._beat_ms = beat_ms

    async def acquire(self, role: str, partition: str) -> Lease | None:
        """Take or extend the ownership; ``None`` while another has it."""
        own, now = self._store.own(role, partition), self._store.now_ms()
        until = own.until_ms if own.until_ms <= now + 4 * LEASE_TTL_MS else 0
        if own.owner and own.owner != self._me and until > now:
            return None
        if own.owner != self._me or until <= now:
            own.epoch = max(own.epoch + 1, now)
            own.owner, own.pseq = self._me, 0
        own.until_ms = now + LEASE_TTL_MS
        return Lease(role, partition, str(own.epoch), own.cursor, own.in_n)

    async def release(self, lease: Lease) -> None:
        """Give the ownership back."""
        own = self._store.own(lease.role, lease.partition)
        if own.owner == self._me and str(own.epoch) == lease.epoch:
            own.owner, own.until_ms = "", 0

    def _mine(self, lease: Lease) -> _Own:
        own = self._store.own(lease.role, lease.partition)
        if own.owner != self._me or str(own.epoch) != lease.epoch:
            raise LostOwnership("FENCED")
        return own

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> bool:
        """Append messages and the beat that is due."""
        own = self._mine(lease)
        if pseq <= own.pseq:
            return False
        now_us = self._store.clock.now_us()
        for kind, data in drafts:
            self._append(own, stream, lease.partition, None, kind, data)
        last = own.beat_us if own.run == pulse.run else 0
        due = self._due(pulse, now_us)
        if due > last:
            beat = Beat(
                ts_us=due,
                market=pulse.market,
                feed=pulse.feed,
                age_ms=pulse.age_ms,
                conflated=pulse.conflated,
            )
            self._append(own, stream, lease.partition, None, "beat", codec.encode(beat))
        self._trim(stream, lease.partition)
        own.pseq, own.run, own.beat_us = pseq, pulse.run, max(due, last)
        own.until_ms = now_us // 1000 + LEASE_TTL_MS
        self._store.wake(stream)
        return due > last

    def _due(self, pulse: Pulse, now_us: int) -> int:
        if pulse.event_us is not None:
            return pulse.event_us
        step = self._beat_ms * 1000
        return now_us // step * step if step else now_us

    async def commit(
        self, lease: Lease, reads: str, writes: str, last: Entry, drafts: Sequence[Draft]
    ) -> tuple[Lease, int]:
        """Append outputs and move the cursor."""
        own = self._mine(lease)
        if own.cursor != lease.cursor:
            raise LostOwnership(f"DIVERGED cursor is {own.cursor}")
        if self._find(reads, lease.partition, last.id) is None:
            raise LostOwnership(f"DIVERGED input {last.id} is not in the log")
        refused = 0
        for draft in drafts:
            refused += not self._append(
                own, writes, lease.partition, draft.id, draft.kind, draft.data
            )
        own.cursor, own.in_n = last.id, last.n
        own.until_ms = self._store.now_ms() + LEASE_TTL_MS
        self._trim(writes, lease.partition)
        if drafts:
            self._store.wake(writes)
        return Lease(lease.role, lease.partition, lease.epoch, last.id, last.n), refused

    def _append(
        self, own: _Own, name: str, partition: str, entry_id: str | None, kind: str, data: bytes
    ) -> bool:
        stream = self._store.stream(name, partition)
        if entry_id is None:
            now = (self._store.now_ms(), 0)
            stamp = now if now > stream.last else (stream.last[0], stream.last[1] + 1)
        else:
            stamp = _stamp(entry_id)
            if stamp <= stream.last:
                return False
        own.out_n += 1
        text = f"{stamp[0]}-{stamp[1]}"
        stream.entries.append(Entry(name, partition, text, kind, codec.SCHEMA, data, own.out_n))
        stream.order.append(stamp)
        stream.last = stamp
        return True

    def _trim(self, name: str, partition: str) -> None:
        stream, kept = self._store.stream(name, partition), self._retention.of(name)
        count = len(stream.entries)
        least = max(100, count // 10)  # approximately, as the server does
        if count <= least:
            return
        oldest = (self._store.now_ms() - kept.ms, 0)
        if stream.order[least] < oldest or count - kept.entries > least:
            over = max(bisect.bisect_left(stream.order, oldest), count - kept.entries)
            del stream.entries[:over], stream.order[:over]

    async def read(
        self, stream: str, partition: str, after: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries after an id."""
        stamp = _stamp(after)
        entries = self._after(stream, partition, stamp, count)
        if not entries and block_ms:
            await self._sleep((stream,), block_ms)
            entries = self._after(stream, partition, stamp, count)
        return entries

    async def read_any(
        self, after: Mapping[str, str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries of several streams of one partition."""

        def found() -> list[Entry]:
            return [
                e
                for name, entry_id in after.items()
                for e in self._after(name, partition, _stamp(entry_id), count)
            ]

        entries = found()
        if not entries and block_ms:
            await self._sleep(after, block_ms)
            entries = found()
        return entries

    def _after(self, name: str, partition: str, stamp: tuple[int, int], count: int) -> list[Entry]:
        stream = self._store.stream(name, partition)
        start = bisect.bisect_right(stream.order, stamp)
        return stream.entries[start : start + count]

    async def _sleep(self, streams: Collection[str], block_ms: int) -> None:
        """Sleep until one of the streams has grown, or for as long as a reader may be kept."""
        loop = asyncio.get_running_loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._store.sleepers[sleeper] = streams
        alarm = loop.call_later(block_ms / 1000, _wake, sleeper)
        try:
            await sleeper
        finally:
            alarm.cancel()
            self._store.sleepers.pop(sleeper, None)

    async def newest(self, stream: str, partition: str, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest below an id."""
        kept = self._store.stream(stream, partition)
        end = len(kept.order) if before is None else bisect.bisect_left(kept.order, _stamp(before))
        return kept.entries[end - 1] if end else None

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id."""
        return self._find(stream, partition, entry_id)

    def _find(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        kept, stamp = self._store.stream(stream, partition), _stamp(entry_id)
        place = bisect.bisect_left(kept.order, stamp)
        return (
            kept.entries[place] if place < len(kept.order) and kept.order[place] == stamp else None
        )

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries new to the group."""

        def found() -> list[Entry]:
            taken = []
            for name in streams:
                key = (group, name, partition)
                entries = self._after(name, partition, self._store.groups.get(key, (0, 0)), count)
                if entries:
                    self._store.groups[key] = _stamp(entries[-1].id)
                    taken += entries
            return taken

        entries = found()
        if not entries and block_ms:
            await self._sleep(streams, block_ms)
            entries = found()
        return entries

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Nothing is left pending here: a group lives as long as this process."""

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        self._store.partitions = set(partitions)

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        return sorted(self._store.partitions)

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep a replica's status for ten seconds."""
        self._store.status[service, replica] = (self._store.now_ms(), status)

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        oldest = self._store.now_ms() - 10_000
        return [status for at, status in self._store.status.values() if at >= oldest]

    async def close(self) -> None:
        """Nothing to close."""


class MemoryBus(Engine):
    """The bus on lists."""

    def __init__(
        self,
        store: MemoryStore | None = None,
        me: str = "one",
        *,
        retention: Retention | None = None,
        beat_ms: int = 1000,
    ) -> None:
        self.store = store or MemoryStore()
        super().__init__(MemoryLog(self.store, me, retention=retention, beat_ms=beat_ms))

    async def entries(self, stream: str, partition: str, after: str) -> Sequence[Entry]:
        """Return all entries of a stream after an id."""
        return await self._log.read(
            stream, partition, after, len(self.store.stream(stream, partition).entries), 0
        )

    async def settle(self, readers: int) -> None:
        """Return when ``readers`` loops sleep because they have read everything."""
        while len(self.store.sleepers) < readers:  # noqa: ASYNC110 - one turn of the loop at a time, in a fixed order
            await asyncio.sleep(0)


def _wake(sleeper: "asyncio.Future[None]") -> None:
    if not sleeper.done():
        sleeper.set_result(None)


def _stamp(entry_id: str) -> tuple[int, int]:
    ms, _, seq = entry_id.partition("-")
    return int(ms), int(seq or 0)
