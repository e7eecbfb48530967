"""What sinks ask of lists: consumer groups, and what was set aside. Source: bus contract, sections 5 and 10."""

from collections.abc import Sequence

from oimon.bus import Entry
from oimon.bus.log import Parked, stamp
from oimon.bus.memory.store import Group, MemoryStore

CLAIM_IDLE_MS = 30_000


class Groups:
    """Groups of sinks; what roles and groups have set aside."""

    _store: MemoryStore
    _me: str

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

    async def group_uncount(self, group: str, entries: Sequence[Entry]) -> None:
        """Count the entries as never handed out."""
        for entry in entries:
            known = self._group(group, entry.stream, entry.partition)
            if entry.id in known.pending:
                known.pending[entry.id] = (self._me, self._store.now_ms(), 0)

    async def group_park(self, group: str, entry: Entry, why: str, tries: int = 1) -> None:
        """Set an entry aside and be done with it."""
        self._store.park(group, entry, why, tries)
        await self.group_done(group, [entry])

    # --- what was set aside ----------------------------------------------------------------------------------------

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
