"""The bus as plain lists in this process: for tests, simulation and offline replay."""

import asyncio
from collections.abc import Sequence

from oimon.bus import Entry
from oimon.bus.engine import Engine
from oimon.bus.log import Retention
from oimon.bus.memory.log import MemoryLog
from oimon.bus.memory.store import MemoryStore

__all__ = ["MemoryBus", "MemoryLog", "MemoryStore"]


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
        super().__init__(MemoryLog(self.store, me, retention=retention, beat_ms=beat_ms), me)

    async def entries(self, stream: str, partition: str, after: str) -> Sequence[Entry]:
        """Return all entries of a stream after an id."""
        return await self._log.read(
            stream, partition, after, len(self.store.stream(stream, partition).entries), 0
        )

    async def settle(self, readers: int) -> None:
        """Return when ``readers`` loops sleep because they have read everything."""
        while len(self.store.sleepers) < readers:  # noqa: ASYNC110 - one turn of the loop at a time, in a fixed order
            await asyncio.sleep(0)
