"""The bundled day as entries of the log, as ingest would have written them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from oimon import offline
from oimon.bus import Entry
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.messages import TICKS

DAY = (
    Path(__file__).resolve().parents[3] / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"
)


def recorded_entries(beats: int) -> Sequence[Entry]:
    """Return the ticks of the bundled day's first beats, a session and the batches between them among these."""

    async def write() -> Sequence[Entry]:
        day = offline.open_recording(DAY)
        bus = MemoryBus(MemoryStore(ManualClock(offline.EPOCH_US)), retention=offline.KEPT)
        for step, _ in zip(day.steps(None), range(beats), strict=False):
            await bus.publish(day.underlying, step.messages, step.pulse)
        return await bus.entries(TICKS, day.underlying, "0-0")

    return asyncio.run(write())
