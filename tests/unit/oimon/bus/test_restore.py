"""What a successor makes of a past on which the role fails."""

from dataclasses import replace

import pytest

from oimon.bus.log import Draft, stamp
from oimon.bus.memory import MemoryBus
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.summing import SUMS, at_least, failing_half_way, gap, pulse, running, summing


async def answered_by_another_version(count: int) -> MemoryBus:
    """Return a bus on whose log somebody without our faults has answered a beat after so many gaps, and one is not answered."""
    first = MemoryBus(me="first")
    await first.declare(["NIFTY"])
    async with running(first.own(SUMS)) as owning:
        await first.publish("NIFTY", [gap(n) for n in range(1, count + 1)], pulse(1))
        await eventually(lambda: at_least(first, 1))
        await first.stop()
        await owning
    successor = MemoryBus(first.store, "second")
    await successor.publish("NIFTY", [gap(100)], pulse(2))
    return successor


async def test_a_last_word_that_cannot_be_read_is_no_word():
    bus = await answered_by_another_version(2)
    ms, seq = stamp((await bus.latest(ANALYSIS, "NIFTY")).id)
    last = Draft(f"{ms}-{seq + 1}", "of tomorrow", b"{}")
    bus.store.append(ANALYSIS, "NIFTY", bus.store.own("analytics", "NIFTY"), last)

    def resume(_partition, last, _answered):
        return int(last.message.text.split(": ")[1])

    async with running(bus.own(replace(SUMS, resume=resume))):
        (*_, last) = await eventually(lambda: at_least(bus, 3))
        [error] = [held.last_error for held in bus.held() if held.role == "analytics"]

    assert last.message.text == "2: 100"
    assert "unknown kind" in error


async def test_an_entry_of_before_on_which_the_role_fails_now_is_passed_over_and_its_half_change_undone():
    bus = await answered_by_another_version(3)

    failing = failing_half_way(on=2)
    async with running(bus.own(replace(SUMS, start=lambda _: [], handle=failing))):
        (_, last) = await eventually(lambda: at_least(bus, 2))
        [error] = [held.last_error for held in bus.held() if held.role == "analytics"]

    assert last.message.text == "104"
    assert "was passed over: ZeroDivisionError: half way" in error


async def stopped_after_a_gap(role) -> MemoryBus:
    """Return a bus on whose log the last entry that was worked, by one who has stopped, is a gap of five."""
    first = MemoryBus(me="first")
    await first.declare(["NIFTY"])
    async with running(first.own(role)) as owning:
        await first.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(first, 1))
        await first.publish("NIFTY", [gap(5)], pulse(1))
        newest = first.store.stream(TICKS, "NIFTY").entries[-1].id
        await eventually(lambda: first.held()[0].cursor == newest)
        await first.stop()
        await owning
    successor = MemoryBus(first.store, "second")
    await successor.publish("NIFTY", [gap(7)], pulse(2))
    return successor


@pytest.mark.parametrize("replay", [None, lambda total, entry: summing(total, entry)[0]])
async def test_the_entry_at_the_cursor_is_worked_again_too(replay):
    bus = await stopped_after_a_gap(SUMS)

    async with running(bus.own(replace(SUMS, replay=replay))):
        (*_, last) = await eventually(lambda: at_least(bus, 2))

    assert last.message.text == "2: 13"


async def test_who_compares_with_what_the_role_fails_on_begins_with_nothing():
    bus = await stopped_after_a_gap(replace(SUMS, compares=True))
    fails = replace(SUMS, compares=True, start=lambda _: [], handle=failing_half_way(on=5))

    async with running(bus.own(fails)):
        (*_, last) = await eventually(lambda: at_least(bus, 2))

    assert last.message.text == "7"
