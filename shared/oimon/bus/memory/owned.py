"""What owners ask of lists: leases, and writes checked as the scripts of ``redis`` do. Source: bus contract, sections 4, 8 and 10."""

from collections.abc import Mapping, Sequence

from oimon import codec
from oimon.bus import Entry, Pulse, Use
from oimon.bus.log import (
    ANSWERS,
    HELD_BACK_US,
    MEMBER_TTL_MS,
    NEVER,
    TWO_DAYS_MS,
    Draft,
    Grant,
    Lease,
    Record,
    Retention,
    Taken,
    least_us,
    stamp,
    ttl_ms,
)
from oimon.bus.memory.store import MemoryStore, Own
from oimon.errors import LostOwnership
from oimon.messages import Beat

NEVER_OWNED_MS = 10**15


class Owned:
    """Ownership, and the writes of owners."""

    _store: MemoryStore
    _me: str
    _retention: Retention
    _beat_ms: int

    async def acquire(self, role: str, partition: str, reads: str | None = None) -> Grant | None:
        """Take or extend the ownership; ``None`` while another has it."""
        own, now = self._store.own(role, partition), self._store.now_ms()
        until = own.until_ms if own.until_ms <= now + 4 * ttl_ms(role) else 0
        if own.owner and own.owner != self._me and until > now:
            return None
        taken = self._taken(own, is_valid=until > now)
        if taken is Taken.EXPIRED:
            own.stuck = own.stuck + 1 if own.stuck_at == own.cursor else 0
            own.stuck_at = own.cursor
        if taken is not Taken.HELD:
            own.epoch = max(own.epoch + 1, now)
            own.owner, own.pseq = self._me, 0
        own.until_ms = now + ttl_ms(role)
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
        store.stream(stream, partition).trim(
            self._retention.of(stream, len(store.partitions)), now_us // 1000
        )
        own.pseq, own.run, own.beat_us = pseq, pulse.run, last
        own.pbeat = due if is_beat else 0
        own.until_ms = now_us // 1000 + ttl_ms(lease.role)
        store.wake(stream)
        return own.pbeat

    def _is_held_back(self, own: Own, pulse: Pulse, since_us: int, partition: str) -> bool:
        """Say whether a beat waits: a minute where nothing happens, until the one before is answered where each batch is a beat."""
        if pulse.event_us is not None:
            return False
        if since_us < least_us(pulse):
            return True
        if self._beat_ms or since_us >= HELD_BACK_US:
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
            store.stream(writes, partition).trim(
                self._retention.of(writes, len(store.partitions)), store.now_ms()
            )
            store.wake(writes)
        return lease, refused

    def _move(self, own: Own, lease: Lease, last: Entry) -> Lease:
        own.cursor, own.in_n = last.id, last.n
        own.until_ms = self._store.now_ms() + ttl_ms(lease.role)
        return Lease(lease.role, lease.partition, lease.epoch, last.id, last.n)

    async def attempt(self, lease: Lease, entry_id: str) -> int:
        """Count one more try at an entry."""
        own = self._mine(lease)
        own.tries = own.tries + (own.tried_by != self._me) if own.trying == entry_id else 1
        own.trying, own.tried_by = entry_id, self._me
        return own.tries

    async def park(self, lease: Lease, entry: Entry, why: str, tries: int = 1) -> Lease:
        """Set an entry of the input aside and move the cursor past it."""
        own = self._mine(lease)
        self._check_cursor(own, lease)
        self._store.park(lease.role, entry, why, tries)
        return self._move(own, lease, entry)

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

    async def mark(self, lease: Lease, name: str, what: str) -> str:
        """Note what becomes of a message that leaves the house."""
        own, marks = self._mine(lease), self._store.marks.setdefault(lease.partition, {})
        before, now_ms = marks.get(name, ""), self._store.now_ms()
        marks[name] = what
        own.until_ms = now_ms + ttl_ms(lease.role)
        for old in [each for each in marks if stamp(each)[0] < now_ms - TWO_DAYS_MS]:
            del marks[old]
        return before

    async def marks(self, partition: str) -> Mapping[str, str]:
        """Return what was noted of each message."""
        return dict(self._store.marks.get(partition, {}))

    async def spend(
        self, purse: str, day: str, who: str, use: Use, limit: Use | None = None
    ) -> tuple[bool, Use]:
        """Take from what may be used on a day."""
        key = (purse, day, who)
        used = self._store.purses.get(key, Use())
        if limit is not None and (used.calls >= limit.calls or used.usd >= limit.usd):
            return False, used
        used = self._store.purses[key] = Use(
            calls=used.calls + use.calls,
            tokens=used.tokens + use.tokens,
            usd=max(0.0, used.usd + use.usd),
        )
        return True, used
