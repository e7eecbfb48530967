"""The log on lists, put together: the same checks as the scripts of ``redis``, in the same order, and the same answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from oimon.bus import Entry
from oimon.bus.log import Retention, stamp
from oimon.bus.memory.groups import Groups
from oimon.bus.memory.owned import Owned
from oimon.bus.memory.store import MemoryStore
from oimon.bus.turn import Turn

STATUS_TTL_MS = 10_000


class MemoryLog(Owned, Groups):
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

    # --- partitions and statuses -----------------------------------------------------------------------------------

    async def declare(self, partitions: Sequence[str]) -> None:
        """Say which partitions there are."""
        self._store.partitions = set(partitions)

    async def partitions(self) -> Sequence[str]:
        """Return the declared partitions, sorted."""
        return sorted(self._store.partitions)

    async def now_ms(self) -> int:
        """Return the store's time."""
        return self._store.now_ms()

    async def put_status(self, service: str, replica: str, status: Mapping[str, Any]) -> None:
        """Keep a replica's status for ten seconds."""
        self._store.status[service, replica] = (self._store.now_ms(), status)

    async def statuses(self) -> Sequence[Mapping[str, Any]]:
        """Return the status of every live replica."""
        oldest = self._store.now_ms() - STATUS_TTL_MS
        return [status for at, status in self._store.status.values() if at >= oldest]

    async def close(self) -> None:
        """Nothing to close."""
