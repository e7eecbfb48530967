"""A role that only compares an entry with the one before, and puts what it says in a queue, on every implementation of the bus."""

from dataclasses import replace

from oimon.bus import Output, Role
from oimon.messages import ANALYSIS, OUTBOX, TICKS, Gap
from tests.eventually import eventually
from tests.summing import PULSE, SUMS, at_least, everything, gap, pulse, running, text


def changes(told, entry):
    """Say when the number of a gap differs from the one before, to two people."""
    if not isinstance(entry.message, Gap):
        return told, ()
    now = entry.message.from_us
    if told in (None, now):
        return now, ()
    said = text(f"{told} -> {now}")
    return now, [Output(OUTBOX, said, id=f"{entry.key}/{who}") for who in (1, 2)]


TELLS = Role(
    name="notify-direction",
    reads=TICKS,
    writes=OUTBOX,
    to="telegram",
    compares=True,
    start=lambda _: None,
    handle=changes,
)


async def texts(bus, count: int) -> list[str]:
    """Return what the queue holds, once there are so many."""

    async def found():
        entries = await everything(bus, OUTBOX, "telegram")
        return entries if len(entries) >= count else []

    return [entry.message.text for entry in await eventually(found)]


async def cursor_at(bus, entry_id) -> bool:
    records = await bus._log.records(TELLS.name, ["NIFTY"])
    return records["NIFTY"].cursor == entry_id


async def last_id(bus) -> str:
    return (await everything(bus, TICKS))[-1].id


async def test_a_role_that_is_new_begins_with_the_newest_entry(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(1), gap(2)], PULSE)

    async with running(bus.own(TELLS)):
        last = await last_id(bus)
        await eventually(lambda: cursor_at(bus, last))
        await bus.publish("NIFTY", [gap(2), gap(3)], PULSE)
        found = await texts(bus, 2)

    assert found == ["2 -> 3", "2 -> 3"]


async def test_what_came_while_nobody_looked_is_told(replicas):
    bus, successor = replicas(), replicas()
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(1)], PULSE)
    async with running(bus.own(TELLS)) as owner:
        last = await last_id(bus)
        await eventually(lambda: cursor_at(bus, last))
        await bus.stop()
        await owner
    feeder = replicas()
    await feeder.publish("NIFTY", [gap(1), gap(2), gap(1)], PULSE)

    async with running(successor.own(TELLS)):
        found = await texts(successor, 4)

    assert found == ["1 -> 2", "1 -> 2", "2 -> 1", "2 -> 1"]


async def test_what_was_told_before_a_crash_is_told_once(replicas):
    bus, successor = replicas(), replicas()
    await bus.declare(["NIFTY"])
    await bus.publish("NIFTY", [gap(1), gap(2)], PULSE)
    [first, second, *_] = await everything(bus, TICKS)
    lease = (await bus._log.acquire(TELLS.name, "NIFTY", TICKS)).lease
    await bus._log.commit(lease, TICKS, OUTBOX, first, [])
    await bus._log.release((await bus._log.acquire(TELLS.name, "NIFTY", TICKS)).lease)
    said = await bus._log.enqueue(
        "telegram", OUTBOX, f"{second.key}/1", "text", b'{"text":"it died after this one"}'
    )

    async with running(successor.own(TELLS)):
        await eventually(lambda: cursor_at(successor, second.id))

    assert said
    names = [entry.data for entry in await everything(successor, OUTBOX, "telegram")]
    assert len(names) == 2
    assert names[0] == b'{"text":"it died after this one"}'


async def test_an_entry_of_another_stream_that_the_one_in_hand_answers_is_handed_over_first(
    replicas,
):
    bus = replicas()
    await bus.declare(["NIFTY"])
    seen = []

    def note(state, entry):
        seen.append((entry.stream, entry.id))
        return state, ()

    role = replace(
        TELLS, reads=ANALYSIS, handle=note, consults=TICKS, consults_answered=True, name="notify-minimal"
    )  # fmt: skip
    async with running(bus.own(SUMS)), running(bus.own(role)):
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: at_least(bus, 1))
        await eventually(lambda: len(seen) == 2)

    [answer] = await everything(bus)
    assert seen == [(TICKS, answer.id), (ANALYSIS, answer.id)]
