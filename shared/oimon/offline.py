"""A recording through the real handlers, in this process, on the in-memory bus: no server, beats in event time."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from oimon.bus import Entry
from oimon.bus.log import NEVER, Retention
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.clock import ManualClock
from oimon.errors import ConfigError
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS
from oimon.process import calm_garbage, new_loop
from oimon.service import Recorded, Step, find, names

OUTPUTS = (ANALYSIS, ADVICE_RICH, ADVICE_MINIMAL)
EPOCH_US = 1_000_000_000_000_000  # ids are counted from here: the store's clock stands still, ids still grow
KEPT = Retention(ticks_s=10**9, analyses=100)  # nothing here is read twice


def open_recording(path: Path) -> Recorded:
    """Return the recording, ready to be played.

    Raises:
        InputError: it cannot be used.
        ConfigError: no installed service can open recordings.
    """
    for name in names():
        opens = find(name).replay
        if opens is not None:
            return opens(path)
    raise ConfigError("no installed service opens recordings; install oimon-ingest")


async def play(
    recorded: Recorded,
    *,
    speed: float | None,
    frames_at_a_time: int | None = None,
    services: Sequence[str] | None = None,
) -> AsyncIterator[Entry]:
    """Give every analysis and advice of a recording, in order.

    Args:
        recorded: what to play.
        speed: times real time; ``None``: as fast as it goes.
        frames_at_a_time: hand over at most so many frames at a time; the answers are the same.
        services: whose handlers; all that have one when not given.
    """
    calm_garbage()
    makers = [find(name).offline_role for name in services or names()]
    roles = [
        replace(make(), keeping=None) for make in makers if make is not None
    ]  # nobody restores
    bus = MemoryBus(MemoryStore(ManualClock(EPOCH_US)), retention=KEPT)
    await bus.declare([recorded.underlying])
    owners = [asyncio.ensure_future(bus.own(role)) for role in roles]
    after = dict.fromkeys(OUTPUTS, NEVER)
    try:
        async for step in _paced(recorded.steps(frames_at_a_time), speed):
            await bus.publish(recorded.underlying, step.messages, step.pulse)
            await bus.settle(len(roles))
            for owner in owners:
                if owner.done():
                    owner.result()
            for stream in OUTPUTS:
                for entry in await bus.entries(stream, recorded.underlying, after[stream]):
                    after[stream] = entry.id
                    yield entry
    finally:
        for owner in owners:
            owner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*owners, return_exceptions=True)


async def _paced(steps: Iterator[Step], speed: float | None) -> AsyncIterator[Step]:
    """Give each step when it is due: the recorded spacing divided by the speed."""
    start: tuple[float, int] | None = None
    for step in steps:
        if speed is not None:
            if start is None:
                start = (time.monotonic(), step.due_us)
            wait = start[0] + (step.due_us - start[1]) / 1e6 / speed - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
        yield step


def run(
    recorded: Recorded,
    *,
    speed: float | None,
    take: Sequence[Callable[[Entry], None]],
    frames_at_a_time: int | None = None,
    services: Sequence[str] | None = None,
) -> None:
    """Play a recording to its end and hand each analysis and advice to ``take``."""

    async def work() -> None:
        played = play(recorded, speed=speed, frames_at_a_time=frames_at_a_time, services=services)
        async for entry in played:
            for taker in take:
                taker(entry)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(work())
