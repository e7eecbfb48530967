"""What a successor knows, on every implementation of the bus."""

import time
from dataclasses import replace

from oimon.bus import Keeping
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.integration.hand import shorten
from tests.summing import SUMS, at_least, everything, gap, pulse, running, summing


async def answer_and_stop(bus, feeder, batches, role=SUMS) -> None:
    """Own until each batch, one a second, has been answered; then give back."""
    async with running(bus.own(role)) as owner:
        for second, batch in enumerate(batches, 1):
            await feeder.publish("NIFTY", batch, pulse(second))
        await eventually(lambda: at_least(bus, len(batches)))
        await bus.stop()
        await owner


async def test_a_successor_goes_on_where_the_owner_stopped(replicas):
    bus, successor = replicas(), replicas()
    await bus.declare(["NIFTY"])
    feeder = replicas()
    await answer_and_stop(bus, feeder, [[gap(1)]])
    await feeder.publish("NIFTY", [gap(2)], pulse(2))
    async with running(successor.own(SUMS)):
        outputs = await eventually(lambda: at_least(successor, 2))

    assert [e.message.text for e in outputs] == ["1: 1", "2: 3"]


async def test_nothing_is_restored_for_an_entry_that_begins_anew(replicas):
    bus, successor, feeder = replicas(), replicas(), replicas()
    await bus.declare(["NIFTY"])
    await answer_and_stop(bus, feeder, [[gap(7)]])
    await feeder.publish("NIFTY", [gap(1)], pulse(2))
    asked = []

    def begins(entry, last):
        asked.append((entry.message.from_us, last.message.text))
        return True

    async with running(successor.own(replace(SUMS, begins=begins))):
        outputs = await eventually(lambda: at_least(successor, 2))

    assert asked == [(1, "1: 7")]
    assert outputs[-1].message.text == "2: 1"


async def test_a_long_restore_keeps_its_lease_and_ends_when_told(replicas, monkeypatch):
    bus, successor, other, feeder = replicas(), replicas(), replicas(), replicas()
    await bus.declare(["NIFTY"])
    await answer_and_stop(bus, feeder, [[gap(1)] * 15] * 60)
    await feeder.publish("NIFTY", [], pulse(61))
    worked = []

    def slowly(total, entry):
        worked.append(entry.id)
        time.sleep(0.003)  # a handler that computes
        return total, []

    shorten(monkeypatch, leases_ms=500)  # less than 192 entries take, more than a batch does
    async with running(successor.own(replace(SUMS, handle=slowly))) as second:
        await eventually(lambda: len(worked) >= 192)
        assert await other._log.acquire("analytics", "NIFTY") is None
        await successor.stop()
        await second

    assert len(worked) < 60 * 16
    assert await other._log.acquire("analytics", "NIFTY") is not None


async def test_a_role_that_resumes_is_given_its_last_word(replicas):
    bus, successor, feeder = replicas(), replicas(), replicas()
    given = []

    def resume(partition, last, answered):
        given.append((partition, last.message.text, answered.kind))
        return int(last.message.text.split(": ")[1])

    role = replace(SUMS, resume=resume)
    await bus.declare(["NIFTY"])
    await answer_and_stop(bus, feeder, [[gap(7)]], role)
    await feeder.publish("NIFTY", [gap(1)], pulse(2))

    async with running(successor.own(role)):
        outputs = await eventually(lambda: at_least(successor, 2))

    assert given == [("NIFTY", "1: 7", "beat")]
    assert outputs[-1].message.text == "2: 8"


async def test_a_successor_restores_from_the_snapshot_that_was_left(replicas):
    first, second, feeder = replicas(), replicas(), replicas()
    await feeder.declare(["NIFTY"])
    keeping = Keeping(schema=1, freeze=lambda n: b"%d" % n, thaw=lambda _, data: int(data))
    worked = []

    def noting(total, entry):
        worked.append(entry.n)
        return summing(total, entry)

    async with running(first.own(replace(SUMS, keeping=keeping))) as owning:
        await feeder.publish("NIFTY", [gap(1)], pulse(1))
        await feeder.publish("NIFTY", [gap(2)], pulse(2))
        await eventually(lambda: at_least(feeder, 2))
        await first.stop()
        await owning
    await feeder.publish("NIFTY", [gap(3)], pulse(3))
    async with running(second.own(replace(SUMS, keeping=keeping, handle=noting))):
        outputs = await eventually(lambda: at_least(feeder, 3))

    assert outputs[-1].message.text == "3: 6"
    assert worked == [5, 6]


async def test_a_snapshot_that_was_harmed_is_not_used_and_the_log_is_worked_again(replicas):
    first, second, feeder = replicas(), replicas(), replicas()
    await feeder.declare(["NIFTY"])
    keeping = Keeping(schema=1, freeze=lambda n: b"%d" % n, thaw=lambda _, data: int(data))
    lease = (await first._log.acquire("analytics", "NIFTY", TICKS)).lease
    await feeder.publish("NIFTY", [gap(1)], pulse(1))
    entries = await everything(feeder, TICKS)
    lease, _ = await first._log.commit(lease, TICKS, ANALYSIS, entries[-1], [])
    await first._log.release(lease, b'{"schema":1,"cursor":"0-1","n":1,"sha256":"00"}\n99')
    await feeder.publish("NIFTY", [gap(3)], pulse(3))

    async with running(second.own(replace(SUMS, keeping=keeping))):
        outputs = await eventually(lambda: at_least(feeder, 1))
        errors = [held.last_error for held in second.held()]

    assert outputs[-1].message.text == "3: 4"
    assert "checksum" in errors[0]
