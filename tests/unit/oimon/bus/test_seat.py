import asyncio
import contextlib

from oimon.bus import Entry, Output, Pulse, Role
from oimon.bus.log import LEASE_TTL_MS, NEVER, stamp
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.messages import ANALYSIS, TICKS, Beat, Gap, Text
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually


def pulse(second: int) -> Pulse:
    return Pulse(
        run="run-1",
        market=MarketState.OPEN,
        feed=FeedState.OK,
        age_ms=0,
        event_us=second * 1_000_000,
    )


def gap(number: int) -> Gap:
    return Gap(from_us=number, to_us=number, why="test")


def summing(total: int, entry: Entry) -> tuple[int, list[Output]]:
    """Add up the gaps; say the sum on each beat."""
    match entry.message:
        case Gap(from_us=number):
            return total + number, []
        case Beat(ts_us=ts_us):
            text = Text(
                family="f", kind="news", recipient="r", text=str(total), loud=False, tag="t",
                made_ts_us=ts_us,
            )  # fmt: skip
            return total, [Output(ANALYSIS, text)]
    raise AssertionError(entry)


SUMS = Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: 0, handle=summing)


@contextlib.asynccontextmanager
async def owning(bus: MemoryBus):
    task = asyncio.ensure_future(bus.own(SUMS))
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def sums(bus: MemoryBus, count: int) -> list[str]:
    """Return what was answered, once there are so many answers."""

    async def answers():
        found = await bus.entries(ANALYSIS, "NIFTY", NEVER)
        return found if len(found) >= count else []

    return [entry.message.text for entry in await eventually(answers)]


async def with_one_gap_after_an_answer(store: MemoryStore, bus: MemoryBus) -> str:
    """Have a beat answered and an entry taken in that nobody answers; return that entry's id."""
    await bus.publish("NIFTY", [gap(1)], pulse(1))
    await sums(bus, 1)
    await bus.publish("NIFTY", [gap(2)], pulse(1))
    last = store.stream(TICKS, "NIFTY").entries[-1].id
    await eventually(lambda: bus.held()[0].cursor == last)
    return last


async def test_an_entry_that_nobody_answers_is_taken_in_without_a_write():
    store = MemoryStore()
    bus = MemoryBus(store)
    await bus.declare(["NIFTY"])

    async with owning(bus):
        last = await with_one_gap_after_an_answer(store, bus)

        assert stamp(store.own("analytics", "NIFTY").cursor) < stamp(last)
        await eventually(lambda: store.own("analytics", "NIFTY").cursor == last)  # within a second
        await bus.publish("NIFTY", [gap(3)], pulse(2))
        assert await sums(bus, 2) == ["1", "6"]


async def test_who_stops_brings_the_cursor_to_where_its_state_stands():
    store = MemoryStore()
    bus = MemoryBus(store)
    await bus.declare(["NIFTY"])

    async with owning(bus) as owner:
        last = await with_one_gap_after_an_answer(store, bus)
        await bus.stop()
        await owner

    assert store.own("analytics", "NIFTY").cursor == last


async def test_a_successor_takes_in_again_what_the_cursor_was_not_moved_over():
    store = MemoryStore()
    dead, successor = MemoryBus(store, "dead"), MemoryBus(store, "successor")
    await dead.declare(["NIFTY"])
    async with owning(dead):
        await with_one_gap_after_an_answer(store, dead)
    store.own("analytics", "NIFTY").until_ms -= LEASE_TTL_MS

    async with owning(successor):
        await dead.publish("NIFTY", [gap(3)], pulse(2))

        assert await sums(successor, 2) == ["1", "6"]
