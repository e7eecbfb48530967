"""What an owner answers, and who owns, on every implementation of the bus."""

import contextlib
from dataclasses import replace

from oimon.bus import Entry, Output, Role
from oimon.messages import ADVICE_RICH, ANALYSIS, TICKS, Text
from tests.eventually import eventually
from tests.summing import PULSE, SUMS, at_least, everything, gap, pulse, running, text


async def test_an_output_bears_the_id_of_the_entry_it_answers(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)):
        for second in range(1, 6):
            await bus.publish("NIFTY", [gap(second)], pulse(second))
        outputs = await eventually(lambda: at_least(bus, 5))

    beats = [e.id for e in await everything(bus, TICKS) if e.kind == "beat"]
    assert [e.id for e in outputs] == beats
    assert [e.message.text for e in outputs] == ["1: 1", "2: 3", "3: 6", "4: 10", "5: 15"]


async def test_only_one_of_two_replicas_works_a_partition(replicas):
    bus, other = replicas(), replicas()
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)), running(other.own(SUMS)):
        for second in range(1, 30):
            await bus.publish("NIFTY", [gap(1)], pulse(second))
        outputs = await eventually(lambda: at_least(bus, 29))
        owners = [held for each in (bus, other) for held in each.held() if held.role == "analytics"]

    assert len(owners) == 1
    assert [e.message.text for e in outputs] == [f"{s}: {s}" for s in range(1, 30)]


async def test_a_late_answer_may_name_the_entry_it_was_asked_about(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def late(asked, entry):
        answer = [Output(ANALYSIS, text("late"), id=asked)] if asked else []
        return entry.id, answer

    role = Role(name="coach-rich", reads=TICKS, writes=ANALYSIS, start=lambda _: None, handle=late)
    async with running(bus.own(role)):
        await bus.publish("NIFTY", [gap(1), gap(2), gap(3)], PULSE)
        outputs = await eventually(lambda: at_least(bus, 2))

    ids = [e.id for e in await everything(bus, TICKS)]
    assert [e.id for e in outputs] == ids[:2]


async def test_the_newest_consulted_entry_is_handed_over_first(replicas):
    bus, feeder = replicas(), replicas()
    await bus.declare(["NIFTY"])
    seen = []

    def noting(state, entry):
        seen.append(
            (entry.stream, entry.message.text if isinstance(entry.message, Text) else entry.kind)
        )
        return state, [Output(ADVICE_RICH, text("rich"))] if entry.stream == TICKS else []

    rich = Role(
        name="coach-rich", reads=TICKS, writes=ADVICE_RICH, start=lambda _: None, handle=noting
    )
    async with running(feeder.own(rich)):
        await feeder.publish("NIFTY", [gap(1)], PULSE)
        await eventually(lambda: _some(feeder, ADVICE_RICH))
    seen.clear()
    minimal = Role(
        name="coach-minimal", reads=TICKS, writes=ANALYSIS, consults=ADVICE_RICH,
        start=lambda _: None, handle=lambda s, e: (noting(s, e)[0], []),
    )  # fmt: skip
    async with running(bus.own(minimal)):
        await feeder.publish("NIFTY", [gap(2)], PULSE)
        await eventually(lambda: ("oi.ticks.v1", "gap") in seen[2:] or len(seen) >= 3)

    assert seen == [(TICKS, "gap"), (ADVICE_RICH, "rich"), (TICKS, "gap")]


async def _some(bus, stream: str) -> list[Entry]:
    return await everything(bus, stream)


async def test_a_reader_that_wants_the_newest_skips_the_rest(replicas):
    bus, feeder = replicas(), replicas()
    await feeder.publish("NIFTY", [gap(n) for n in range(1, 11)], PULSE)
    seen = []

    def noting(state, entry):
        seen.append(entry.message.from_us)
        return state, []

    role = Role(
        name="coach-minimal",
        reads=TICKS,
        writes=ANALYSIS,
        start=lambda _: None,
        handle=noting,
        newest_only=True,
    )
    await bus.declare(["NIFTY"])
    async with running(bus.own(role)):
        await eventually(lambda: seen)

    assert seen == [10]


async def test_an_answer_that_is_too_large_is_left_out_and_told(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def answer(state, entry):
        words = "x" * 300_000 if entry.message.ts_us == 1_000_000 else "fits"
        return state, [Output(ANALYSIS, text(words))]

    async with running(bus.own(replace(SUMS, handle=answer))):
        await bus.publish("NIFTY", [], pulse(1))
        await bus.publish("NIFTY", [], pulse(2))
        outputs = await eventually(lambda: at_least(bus, 1))
        errors = [held.last_error for held in bus.held() if held.role == "analytics"]

    assert [e.message.text for e in outputs] == ["fits"]
    assert "may have 262144 bytes" in errors[0]


async def test_partitions_move_to_who_comes_and_back_from_who_leaves(replicas):
    six = [f"U{n}" for n in range(6)]
    feeder = replicas()
    await feeder.declare(six)
    buses = [replicas() for _ in range(3)]

    def shares():
        return [
            len([h for h in bus.held() if h.role == "analytics" and h.restored]) for bus in buses
        ]

    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(running(buses[0].own(SUMS)))
        await eventually(lambda: shares() == [6, 0, 0])
        for bus in buses[1:]:
            await stack.enter_async_context(running(bus.own(SUMS)))
        await eventually(lambda: shares() == [2, 2, 2])
        kept = {held.partition for held in buses[1].held()}
        await buses[0].stop()
        await first
        await eventually(lambda: shares() == [0, 3, 3])
        after = {held.partition for held in buses[1].held()}

    assert len(kept) == 2
    assert kept <= after
