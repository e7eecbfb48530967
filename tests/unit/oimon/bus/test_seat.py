from oimon.bus.log import LEASE_TTL_MS, stamp
from oimon.bus.memory import MemoryBus, MemoryStore
from oimon.messages import TICKS
from tests.eventually import eventually
from tests.summing import SUMS, at_least, gap, pulse, running


async def sums(bus: MemoryBus, count: int) -> list[str]:
    """Return what was answered, once there are so many answers."""
    found = await eventually(lambda: at_least(bus, count))
    return [entry.message.text for entry in found]


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

    async with running(bus.own(SUMS)):
        last = await with_one_gap_after_an_answer(store, bus)

        assert stamp(store.own("analytics", "NIFTY").cursor) < stamp(last)
        await eventually(lambda: store.own("analytics", "NIFTY").cursor == last)  # within a second
        await bus.publish("NIFTY", [gap(3)], pulse(2))
        assert await sums(bus, 2) == ["1: 1", "2: 6"]


async def test_who_stops_brings_the_cursor_to_where_its_state_stands():
    store = MemoryStore()
    bus = MemoryBus(store)
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)) as owner:
        last = await with_one_gap_after_an_answer(store, bus)
        await bus.stop()
        await owner

    assert store.own("analytics", "NIFTY").cursor == last


async def test_a_successor_takes_in_again_what_the_cursor_was_not_moved_over():
    store = MemoryStore()
    dead, successor = MemoryBus(store, "dead"), MemoryBus(store, "successor")
    await dead.declare(["NIFTY"])
    async with running(dead.own(SUMS)):
        await with_one_gap_after_an_answer(store, dead)
    store.own("analytics", "NIFTY").until_ms -= LEASE_TTL_MS

    async with running(successor.own(SUMS)):
        await dead.publish("NIFTY", [gap(3)], pulse(2))

        assert await sums(successor, 2) == ["1: 1", "2: 6"]
