"""A role that adds up what it is given and says the sum on each beat, for the tests of the bus."""

import asyncio
import contextlib
from dataclasses import replace

from oimon.bus import Entry, Output, Pulse, Role
from oimon.messages import ANALYSIS, TICKS, Beat, Gap, Text
from oimon.terms import FeedState, MarketState

PULSE = Pulse(run="run-1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)


def pulse(second: int, run: str = "run-1") -> Pulse:
    return replace(PULSE, event_us=second * 1_000_000, run=run)


def gap(number: int) -> Gap:
    return Gap(from_us=number, to_us=number, why="test")


def text(words: str) -> Text:
    return Text(
        family="f", kind="news", recipient="r", text=words, loud=False, tag="t", made_ts_us=0
    )


def summing(total: int, entry: Entry) -> tuple[int, list[Output]]:
    """Add up the gaps; say the sum on each beat."""
    match entry.message:
        case Gap(from_us=number):
            return total + number, []
        case Beat(ts_us=ts_us):
            return total, [Output(ANALYSIS, text(f"{ts_us // 1_000_000}: {total}"))]
    raise AssertionError(entry)


SUMS = Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: 0, handle=summing)


def failing_half_way(*, on: int):
    """Return what takes gaps into the list that it is handed, says their sum on each beat, and fails on one gap, which is in by then."""

    def handle(state: list[int], entry: Entry) -> tuple[list[int], list[Output]]:
        if not isinstance(entry.message, Gap):
            return state, [Output(ANALYSIS, text(f"{sum(state)}"))]
        state.append(entry.message.from_us)
        if entry.message.from_us == on:
            raise ZeroDivisionError("half way")
        return state, []

    return handle


async def everything(bus, stream: str = ANALYSIS, partition: str = "NIFTY") -> list[Entry]:
    return list(await bus._log.read(stream, partition, "0-0", 10_000, 0))


@contextlib.asynccontextmanager
async def running(work):
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def at_least(bus, count: int) -> list[Entry]:
    entries = await everything(bus)
    return entries if len(entries) >= count else []
