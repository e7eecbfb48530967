"""The bundled day as entries of the log, as ingest would have written them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from oimon import offline
from oimon.bus import Entry
from oimon.bus.log import NEVER
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.messages import TICKS

DAY = (
    Path(__file__).resolve().parents[3] / "services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec"
)


def recorded_entries(beats: int) -> Sequence[Entry]:
    """Return what the log holds of the bundled day up to so many beats."""

    async def write() -> Sequence[Entry]:
        day = offline.open_recording(DAY)
        bus = MemoryBus(MemoryStore(ManualClock(offline.EPOCH_US)), retention=offline.KEPT)
        written = 0
        for step in day.steps(None):
            await bus.publish(day.underlying, step.messages, step.pulse)
            newest = await bus.latest(TICKS, day.underlying)
            written += newest is not None and newest.kind == "beat"
            if written == beats:
                break
        return await bus.entries(TICKS, day.underlying, NEVER)

    return asyncio.run(write())
