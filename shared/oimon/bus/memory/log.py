"""The log on lists: the same checks as the scripts of ``redis``, in the same order, and the same answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from oimon import codec
from oimon.bus import Entry, Pulse
from oimon.bus.log import (
    ANSWERS,
    HELD_BACK_US,
    LEASE_TTL_MS,
    MEMBER_TTL_MS,
    NEVER,
    Draft,
    Grant,
    Lease,
    Parked,
    Record,
    Retention,
    Taken,
    stamp,
)
from oimon.bus.memory.store import Group, MemoryStore, Own
from oimon.bus.turn import Turn
from oimon.errors import LostOwnership
from oimon.messages import Beat

CLAIM_IDLE_MS = 30_000
STATUS_TTL_MS = 10_000
NEVER_OWNED_MS = 10**15


class MemoryLog:
    """A log on lists.

    Args:
        store: what the replicas share.
        me: name of this replica.
        retention: what is kept of each stream.
        beat_ms: step of the server-clock beats; 0 makes every batch a beat.
    """

    is_in_process = True

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
        self.turn = Turn()

    # --- ownership -------------------------------------------------------------------------------------------------

    async def acquire(self, role: str, partition: str, reads: str | None = None) -> Grant | None:
        """Take or extend the ownership; ``None`` while another has it."""
        own, now = self._store.own(role, partition), self._store.now_ms()
        until = own.until_ms if own.until_ms <= now + 4 * LEASE_TTL_MS else 0
        if own.owner and own.owner != self._me and until > now:
            return None
        taken = self._taken(own, is_valid=until > now)
        if taken is Taken.EXPIRED:
            own.stuck = own.stuck + 1 if own.stuck_at == own.cursor else 0
            own.stuck_at = own.cursor
        if taken is not Taken.HELD:
            own.epoch = max(own.epoch + 1, now)
            own.owner, own.pseq = self._me, 0
        own.until_ms = now + LEASE_TTL_MS
        is_rolled_back = (
            reads is not None and stamp(own.cursor) > self._store.stream(reads, partition).last
        )
        if is_rolled_back:
            own.cursor, own.in_n = NEVER, 0
        return Grant(
            lease=Lease(role, partition, str(own.epoch), own.cursor, own.in_n),
            taken=taken,
            stuck=self._stuck(own),
            is_rolled_back=is_rolled_back,
            run=own.run,
            beat_us=own.beat_us,
        )

    def _stuck(self, own: Own) -> int:
        stuck = own.stuck if own.stuck_at == own.cursor else 0
        is_tried = bool(own.trying) and stamp(own.trying) > stamp(own.cursor)
        return max(stuck, 1) if is_tried else stuck  # nobody got past what was tried

    def _taken(self, own: Own, *, is_valid: bool) -> Taken:
        if own.owner == self._me:
            return Taken.HELD if is_valid else Taken.RENEWED
        return Taken.EXPIRED if own.owner else Taken.FREE

    async def release(self, lease: Lease, snapshot: bytes | None = None) -> None:
        """Give the ownership back."""
        own = self._store.own(lease.role, lease.partition)
        if own.owner == self._me and str(own.epoch) == lease.epoch:
            if snapshot is not None and own.cursor == lease.cursor:
                self._store.snapshots[lease.role, lease.partition] = snapshot
            own.owner, own.until_ms = "", 0

    async def records(self, role: str, partitions: Sequence[str]) -> Mapping[str, Record]:
        """Return what is said of the ownership of each."""
        now, found = self._store.now_ms(), {}
        for partition in partitions:
            own = self._store.owns.get((role, partition), Own())
            overdue_ms = now - own.until_ms if own.epoch else NEVER_OWNED_MS
            found[partition] = Record(
                owner=own.owner,
                epoch=str(own.epoch),
                cursor=own.cursor,
                in_n=own.in_n,
                overdue_ms=overdue_ms,
            )
        return found

    async def members(self, role: str, *, leave: bool = False) -> Sequence[str]:
        """Say that this replica lives, or leaves; return who lives."""
        members, now = self._store.members.setdefault(role, {}), self._store.now_ms()
        if leave:
            members.pop(self._me, None)
        else:
            members[self._me] = now
        for name in [name for name, at in members.items() if at < now - MEMBER_TTL_MS]:
            del members[name]
        return sorted(members)

    # --- writes ----------------------------------------------------------------------------------------------------

    def _mine(self, lease: Lease) -> Own:
        own = self._store.own(lease.role, lease.partition)
        self._check_fence(own, lease)
        return own

    def _check_fence(self, own: Own, lease: Lease) -> None:
        if own.owner != self._me or str(own.epoch) != lease.epoch:
            raise LostOwnership("FENCED")

    def _check_cursor(self, own: Own, lease: Lease) -> None:
        if own.cursor != lease.cursor:
            raise LostOwnership(f"DIVERGED cursor is {own.cursor}")

    def _check_input(self, reads: str, partition: str, last: Entry) -> None:
        if self._store.stream(reads, partition).find(last.id) is None:
            raise LostOwnership(f"DIVERGED input {last.id} is not in the log")

    async def publish(
        self,
        lease: Lease,
        stream: str,
        pseq: int,
        drafts: Sequence[tuple[str, bytes]],
        pulse: Pulse,
    ) -> int:
        """Append messages and the beat that is due."""
        store, partition = self._store, lease.partition
        own = self._mine(lease)
        if pseq <= own.pseq:
            return own.pbeat
        now_us = store.clock.now_us()
        for kind, data in drafts:
            store.append(stream, partition, own, Draft("", kind, data))
        last = own.beat_us if own.run == pulse.run else 0
        due = self._due(pulse, now_us)
        is_beat = due > last and not self._is_held_back(own, pulse, due - last, partition)
        if is_beat:
            beat = Beat(
                ts_us=due,
                market=pulse.market,
                feed=pulse.feed,
                age_ms=pulse.age_ms,
                conflated=pulse.conflated,
            )
            store.append(stream, partition, own, Draft("", "beat", codec.encode(beat)), beat)
            last, own.beat_n = due, own.out_n
        store.stream(stream, partition).trim(self._retention.of(stream), now_us // 1000)
        own.pseq, own.run, own.beat_us = pseq, pulse.run, last
        own.pbeat = due if is_beat else 0
        own.until_ms = now_us // 1000 + LEASE_TTL_MS
        store.wake(stream)
        return own.pbeat

    def _is_held_back(self, own: Own, pulse: Pulse, since_us: int, partition: str) -> bool:
        """Say whether a beat waits until the one before is answered, where each batch is a beat."""
        if pulse.event_us is not None or self._beat_ms or since_us >= HELD_BACK_US:
            return False
        answering = self._store.owns.get((ANSWERS, partition))
        return answering is not None and answering.in_n < own.beat_n

    def _due(self, pulse: Pulse, now_us: int) -> int:
        if pulse.event_us is not None:
            return pulse.event_us
        step = self._beat_ms * 1000
        return now_us // step * step if step else now_us

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
        store, partition = self._store, lease.partition
        own = self._mine(lease)
        self._check_cursor(own, lease)
        self._check_input(reads, partition, last)
        refused = 0
        for draft in drafts:
            refused += not store.append(writes, partition, own, draft, draft.message)
        lease = self._move(own, lease, last)
        if snapshot is not None:
            store.snapshots[lease.role, partition] = snapshot
        if drafts:
            store.stream(writes, partition).trim(self._retention.of(writes), store.now_ms())
            store.wake(writes)
        return lease, refused

    def _move(self, own: Own, lease: Lease, last: Entry) -> Lease:
        own.cursor, own.in_n = last.id, last.n
        own.until_ms = self._store.now_ms() + LEASE_TTL_MS
        return Lease(lease.role, lease.partition, lease.epoch, last.id, last.n)

    async def attempt(self, lease: Lease, entry_id: str) -> int:
        """Count one more try at an entry."""
        own = self._mine(lease)
        own.tries = own.tries + 1 if own.trying == entry_id else 1
        own.trying = entry_id
        return own.tries

    async def park(self, lease: Lease, entry: Entry, why: str, tries: int = 1) -> Lease:
        """Set an entry of the input aside and move the cursor past it."""
        own = self._mine(lease)
        self._check_cursor(own, lease)
        self._store.park(lease.role, self._aside(lease.role, entry, why, tries))
        return self._move(own, lease, entry)

    def _aside(self, role: str, entry: Entry, why: str, tries: int) -> Parked:
        return Parked(
            id=f"{entry.stream}/{entry.id}",
            role=role,
            why=why,
            at_ms=self._store.now_ms(),
            tries=tries,
            entry=entry,
        )

    async def snapshot(self, role: str, partition: str) -> bytes | None:
        """Return the newest snapshot."""
        return self._store.snapshots.get((role, partition))

    async def enqueue(self, partition: str, stream: str, name: str, kind: str, data: bytes) -> bool:
        """Append a message unless one of that name was."""
        key = (stream, partition, name)
        if key in self._store.enqueued:
            return False
        self._store.enqueued.add(key)
        queue = self._store.own(stream, partition)  # only its count of entries is used
        self._store.append(stream, partition, queue, Draft("", kind, data))
        self._store.wake(stream)
        return True

    # --- reads -----------------------------------------------------------------------------------------------------

    async def read(
        self, stream: str, partition: str, after: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries after an id."""
        kept, placed = self._store.stream(stream, partition), stamp(after)
        entries = kept.after(placed, count)
        if not entries and block_ms:
            await self._store.sleep((stream,), block_ms)
            entries = self._store.stream(stream, partition).after(placed, count)
        return entries

    async def read_any(
        self, after: Mapping[str, str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries of several streams of one partition."""

        def found() -> list[Entry]:
            return [
                entry
                for name, entry_id in after.items()
                for entry in self._store.stream(name, partition).after(stamp(entry_id), count)
            ]

        entries = found()
        if not entries and block_ms:
            await self._store.sleep(after, block_ms)
            entries = found()
        return entries

    async def newest(self, stream: str, partition: str, before: str | None = None) -> Entry | None:
        """Return the newest entry, or the newest below an id."""
        return self._store.stream(stream, partition).newest(before)

    async def older(
        self, stream: str, partition: str, before: str | None, count: int
    ) -> Sequence[Entry]:
        """Return up to ``count`` entries below an id, or of all, the newest first."""
        return self._store.stream(stream, partition).older(before, count)

    async def entry(self, stream: str, partition: str, entry_id: str) -> Entry | None:
        """Return the entry with that id."""
        return self._store.stream(stream, partition).find(entry_id)

    # --- groups ----------------------------------------------------------------------------------------------------

    def _group(self, group: str, stream: str, partition: str) -> Group:
        return self._store.groups.setdefault((group, stream, partition), Group())

    async def group_read(
        self, group: str, streams: Sequence[str], partition: str, count: int, block_ms: int
    ) -> Sequence[Entry]:
        """Return entries new to the group."""
        taken = self._take(group, streams, partition, count)
        if not taken and block_ms:
            await self._store.sleep(streams, block_ms)
            taken = self._take(group, streams, partition, count)
        return taken

    def _take(self, group: str, streams: Sequence[str], partition: str, count: int) -> list[Entry]:
        taken: list[Entry] = []
        for name in streams:
            known = self._group(group, name, partition)
            entries = self._store.stream(name, partition).after(known.last, count)
            for entry in entries:
                known.last = stamp(entry.id)
                known.pending[entry.id] = (self._me, self._store.now_ms(), 1)
            taken += entries
        return taken

    async def group_claim(
        self, group: str, streams: Sequence[str], partition: str, count: int
    ) -> Sequence[tuple[Entry, int]]:
        """Take over what a dead member left."""
        now = self._store.now_ms()
        found: list[tuple[Entry, int]] = []
        for name in streams:
            known = self._group(group, name, partition)
            idle = [
                (entry_id, tries)
                for entry_id, (_, since, tries) in known.pending.items()
                if since <= now - CLAIM_IDLE_MS
            ]
            for entry_id, tries in idle[:count]:
                entry = self._store.stream(name, partition).find(entry_id)
                if entry is None:
                    del known.pending[entry_id]
                else:
                    known.pending[entry_id] = (self._me, now, tries + 1)
                    found.append((entry, tries))
        return found

    async def group_done(self, group: str, entries: Sequence[Entry]) -> None:
        """Say that the entries' effects are safe."""
        for entry in entries:
            self._group(group, entry.stream, entry.partition).pending.pop(entry.id, None)

    async def group_park(self, group: str, entry: Entry, why: str, tries: int = 1) -> None:
        """Set an entry aside and be done with it."""
        self._store.park(group, self._aside(group, entry, why, tries))
        await self.group_done(group, [entry])

    async def parked(self, role: str, partition: str) -> Sequence[Parked]:
        """Return what was set aside, oldest first."""
        found = self._store.parked.get((role, partition), {}).values()
        return sorted(found, key=lambda parked: stamp(parked.entry.id))

    async def unpark(self, parked: Parked) -> None:
        """Take a parked entry off the list."""
        self._store.parked.get((parked.role, parked.entry.partition), {}).pop(parked.id, None)

    async def redeliver(self, group: str, entry: Entry) -> bool:
        """Make an entry pending once more."""
        if self._store.stream(entry.stream, entry.partition).find(entry.id) is None:
            return False
        known = self._group(group, entry.stream, entry.partition)
        known.pending[entry.id] = ("", self._store.now_ms() - CLAIM_IDLE_MS, 0)
        return True

    # --- the rest --------------------------------------------------------------------------------------------------

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
        oldest = self._store.now_ms() - STATUS_TTL_MS
        return [status for at, status in self._store.status.values() if at >= oldest]

    async def close(self) -> None:
        """Nothing to close."""
