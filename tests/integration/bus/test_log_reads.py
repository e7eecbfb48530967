"""What a reader is given, asked of every log and of every server."""

import asyncio
import contextlib

from oimon.bus.log import NEVER, Taken
from oimon.messages import ADVICE_RICH, ANALYSIS, TICKS
from tests.integration.bus.log_work import answer, feed, take


async def test_entries_are_found_after_an_id_before_one_and_by_one(new_log):
    log = new_log()
    entries = await feed(log, 5)

    assert await log.read(TICKS, "NIFTY", entries[1].id, 2, 0) == entries[2:4]
    assert await log.read(TICKS, "SENSEX", NEVER, 2, 0) == []
    assert await log.newest(TICKS, "NIFTY") == entries[-1]
    assert await log.newest(TICKS, "NIFTY", entries[3].id) == entries[2]
    assert await log.newest(TICKS, "NIFTY", entries[0].id) is None
    assert await log.entry(TICKS, "NIFTY", entries[2].id) == entries[2]
    assert await log.entry(TICKS, "NIFTY", "5-5") is None


async def test_several_streams_are_read_each_after_its_own_id(new_log):
    log = new_log()
    entries = await feed(log)
    await answer(log, await take(log), entries[0])

    found = await log.read_any({TICKS: entries[1].id, ANALYSIS: NEVER}, "NIFTY", 10, 0)

    assert {(e.stream, e.id) for e in found} == {
        (TICKS, entries[2].id),
        (ANALYSIS, entries[0].id),
    }


async def test_a_reader_waits_for_the_first_entry_but_not_for_ever(new_log):
    log, other = new_log(), new_log()

    in_vain = await log.read(TICKS, "NIFTY", NEVER, 10, 20)
    waiting = asyncio.create_task(log.read_any({TICKS: NEVER, ANALYSIS: NEVER}, "NIFTY", 10, 5000))
    entries = await feed(other, 1)
    found = await asyncio.wait_for(waiting, 3)

    assert in_vain == []
    assert found == entries


async def test_a_log_goes_on_after_a_wait_that_was_cancelled(new_log):
    log, other = new_log(), new_log()
    for _ in range(20):
        waiting = [
            asyncio.create_task(log.read(TICKS, "NIFTY", NEVER, 10, 60)),
            asyncio.create_task(log.group_read("db", [ADVICE_RICH], "NIFTY", 10, 60)),
        ]
        await log.newest(TICKS, "NIFTY")  # they are on their way when this has been answered
        cancelled = [each for each in waiting if each.cancel()]  # the stand-in may not have waited
        await asyncio.wait(waiting)
        assert all(each.cancelled() for each in cancelled)

    entries = await feed(other)

    assert await log.read(TICKS, "NIFTY", NEVER, 10, 0) == entries
    assert await log.group_read("db", [TICKS], "NIFTY", 10, 0) == entries
    assert await log.newest(TICKS, "NIFTY") == entries[-1]


async def test_who_was_cancelled_may_still_give_everything_back(new_log):
    log, other = new_log(), new_log()
    leases = [await take(log, role) for role in ("one", "two")]

    async def work():
        try:
            await asyncio.Event().wait()
        finally:
            for lease in leases:
                await log.release(lease)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    working.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await working

    assert [(await other.acquire(role, "NIFTY")).taken for role in ("one", "two")] == [
        Taken.FREE
    ] * 2


async def test_the_partitions_are_those_declared_last(new_log):
    log, other = new_log(), new_log()

    before = await other.partitions()
    await log.declare(["NIFTY", "SENSEX"])
    two = await other.partitions()
    await log.declare(["BANKNIFTY", "SENSEX"])

    assert (before, two) == ([], ["NIFTY", "SENSEX"])
    assert await other.partitions() == ["BANKNIFTY", "SENSEX"]


async def test_who_has_left_the_members_still_tells_its_status(new_log):
    log, other = new_log(), new_log()
    await log.members("ingest")
    await log.put_status("ingest", "one", {"service": "ingest", "state": "ready"})

    await log.members("ingest", leave=True)
    await log.put_status("ingest", "one", {"service": "ingest", "state": "stopping"})

    assert await other.statuses() == [{"service": "ingest", "state": "stopping"}]
