"""Who has a partition and who may write, asked of every log and of every server."""

import asyncio

from oimon.bus.log import LEASE_TTL_MS, NEVER, Lease, Taken
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.integration.bus.log_work import answer, assert_cannot_write, feed, take
from tests.integration.hand import ROLE, shorten
from tests.summing import PULSE


async def test_a_free_partition_is_taken_and_then_held(new_log):
    log, other = new_log(), new_log()

    first = await log.acquire(ROLE, "NIFTY", TICKS)
    again = await log.acquire(ROLE, "NIFTY", TICKS)

    assert first.lease == Lease(ROLE, "NIFTY", first.lease.epoch, NEVER, 0)
    assert (first.taken, again.taken) == (Taken.FREE, Taken.HELD)
    assert again.lease == first.lease
    assert await other.acquire(ROLE, "NIFTY", TICKS) is None


async def test_what_was_given_back_is_free_and_keeps_its_place(new_log):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await answer(log, await take(log), entries[0])
    await log.release(lease)

    grant = await other.acquire(ROLE, "NIFTY", TICKS)

    assert grant.taken is Taken.FREE
    assert (grant.lease.cursor, grant.lease.in_n) == (entries[0].id, 1)
    assert int(grant.lease.epoch) > int(lease.epoch)


async def test_many_partitions_taken_in_one_moment_are_each_whose_they_are(new_log):
    log, other = new_log(), new_log()
    names = [f"U{number}" for number in range(40)]
    for name in names[::3]:
        await other.acquire(ROLE, name, TICKS)
    await log.members(
        ROLE
    )  # a cluster's client that asks much at once the first time makes nodes it never closes

    grants = await asyncio.gather(*(log.acquire(ROLE, name, TICKS) for name in names))
    again = await asyncio.gather(*(log.acquire(ROLE, name, TICKS) for name in names))

    assert [grant is None for grant in grants] == [place % 3 == 0 for place in range(40)]
    assert [grant.lease.partition for grant in grants if grant] == [
        name for place, name in enumerate(names) if place % 3
    ]
    assert [grant and grant.lease for grant in again] == [grant and grant.lease for grant in grants]


async def test_a_lease_runs_out_by_itself(new_log, monkeypatch):
    shorten(monkeypatch, leases_ms=300)
    log, other = new_log(), new_log()
    await take(log)

    too_early = await other.acquire(ROLE, "NIFTY")
    grant = await eventually(lambda: other.acquire(ROLE, "NIFTY"))

    assert too_early is None
    assert grant.taken is Taken.EXPIRED


async def test_whoever_lost_a_partition_cannot_write_any_more(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(other)
    lease = await take(log)
    hand.end_lease()
    grant = await other.acquire(ROLE, "NIFTY", TICKS)

    await assert_cannot_write(log, lease, entries[0])

    assert grant.taken is Taken.EXPIRED
    assert int(grant.lease.epoch) > int(lease.epoch)
    assert (await other.acquire(ROLE, "NIFTY", TICKS)).lease == grant.lease
    assert await other.snapshot(ROLE, "NIFTY") is None
    assert await other.parked(ROLE, "NIFTY") == []
    assert await other.read(ANALYSIS, "NIFTY", NEVER, 10, 0) == []


async def test_a_lease_that_ran_out_but_that_nobody_took_still_writes(new_log, hand):
    log = new_log()
    entries = await feed(log)
    lease = await take(log)
    hand.end_lease()

    lease = await answer(log, lease, entries[0])

    assert (await log.acquire(ROLE, "NIFTY", TICKS)).taken is Taken.HELD
    assert (await log.newest(ANALYSIS, "NIFTY")).id == entries[0].id


async def test_whatever_an_owner_writes_extends_its_lease(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(other)
    producer, lease = await take(log, "ingest", None), await take(log)

    for role, write in (
        ("ingest", lambda: log.publish(producer, TICKS, 1, [], PULSE)),
        (ROLE, lambda: log.park(lease, entries[0], "why")),
    ):
        hand.end_lease(role)
        await write()
        assert await other.acquire(role, "NIFTY") is None


async def test_an_epoch_grows_also_when_the_clock_was_set_back(new_log, hand):
    log, other = new_log(), new_log()
    await take(log)
    before = hand.now_ms() + 3_600_000
    hand.set_epoch(before)
    hand.end_lease()

    grant = await other.acquire(ROLE, "NIFTY", TICKS)

    assert int(grant.lease.epoch) == before + 1


async def test_one_s_own_lease_that_ran_out_begins_a_new_epoch(new_log, hand):
    log = new_log()
    lease = await take(log)
    hand.end_lease()

    grant = await log.acquire(ROLE, "NIFTY", TICKS)

    assert grant.taken is Taken.RENEWED
    assert int(grant.lease.epoch) > int(lease.epoch)


async def test_a_lease_of_before_one_s_own_was_renewed_is_of_no_use(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(other)
    old = await take(log)
    hand.end_lease()
    renewed = await take(log)

    await assert_cannot_write(log, old, entries[0])

    assert await other.acquire(ROLE, "NIFTY", TICKS) is None
    assert await other.snapshot(ROLE, "NIFTY") is None
    assert await other.parked(ROLE, "NIFTY") == []
    assert await other.newest(ANALYSIS, "NIFTY") is None
    await answer(log, renewed, entries[0])
    assert (await other.newest(ANALYSIS, "NIFTY")).id == entries[0].id


async def test_one_s_own_lease_is_free_when_another_has_had_it_since(new_log, hand):
    log, other = new_log(), new_log()
    await take(log)
    hand.end_lease()
    await other.release(await take(other))

    grant = await log.acquire(ROLE, "NIFTY", TICKS)

    assert grant.taken is Taken.FREE


async def test_a_deadline_far_ahead_is_void_since_the_clock_was_set_back(new_log, hand):
    log, other = new_log(), new_log()
    await take(log)

    hand.set_deadline(hand.now_ms() + 3 * LEASE_TTL_MS)
    believed = await other.acquire(ROLE, "NIFTY")
    hand.set_deadline(hand.now_ms() + 3_600_000)
    void = await other.acquire(ROLE, "NIFTY")

    assert believed is None
    assert void.taken is Taken.EXPIRED


async def test_takeovers_of_the_dead_at_one_place_are_counted(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log)
    counts = []

    await take(log)
    for one in (other, log, other, log):
        hand.end_lease()
        counts.append((await one.acquire(ROLE, "NIFTY", TICKS)).stuck)
    held = await log.acquire(ROLE, "NIFTY", TICKS)
    await log.release(held.lease)
    free = await other.acquire(ROLE, "NIFTY", TICKS)
    await answer(other, free.lease, entries[0])
    moved = await other.acquire(ROLE, "NIFTY", TICKS)
    hand.end_lease()
    beyond = await log.acquire(ROLE, "NIFTY", TICKS)

    assert counts == [0, 1, 2, 3]
    assert (held.stuck, free.stuck, moved.stuck, beyond.stuck) == (3, 3, 0, 0)


async def test_a_cursor_beyond_the_end_of_the_input_is_a_rollback(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log)
    await answer(log, await take(log), entries[-1])
    at_the_end = await log.acquire(ROLE, "NIFTY", TICKS)

    hand.lose(TICKS)
    blind = await log.acquire(ROLE, "NIFTY")
    seen = await log.acquire(ROLE, "NIFTY", TICKS)
    later = await log.acquire(ROLE, "NIFTY", TICKS)

    assert not at_the_end.is_rolled_back
    assert not blind.is_rolled_back
    assert seen.is_rolled_back
    assert (seen.lease.cursor, seen.lease.in_n) == (NEVER, 0)
    assert not later.is_rolled_back
    assert (await other.records(ROLE, ["NIFTY"]))["NIFTY"].cursor == NEVER


async def test_records_say_who_owns_what_and_since_when_nobody_does(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await answer(log, await take(log), entries[1])

    valid = await other.records(ROLE, ["NIFTY", "SENSEX"])
    hand.end_lease()
    over = (await other.records(ROLE, ["NIFTY"]))["NIFTY"]
    await log.release(lease)
    given_back = (await other.records(ROLE, ["NIFTY"]))["NIFTY"]

    mine, never = valid["NIFTY"], valid["SENSEX"]
    assert (mine.owner, mine.epoch, mine.cursor, mine.in_n) == (log._me, lease.epoch, entries[1].id, 2)  # fmt: skip
    assert -LEASE_TTL_MS <= mine.overdue_ms < 0 < over.overdue_ms
    assert (never.owner, never.cursor, never.in_n) == ("", NEVER, 0)
    assert never.overdue_ms > over.overdue_ms
    assert given_back.owner == ""
    assert given_back.overdue_ms > 0
    assert await other.records(ROLE, []) == {}


async def test_members_are_those_who_were_heard_of_lately(new_log, monkeypatch):
    shorten(monkeypatch, members_ms=300)
    log, other = new_log(), new_log()

    alone = await log.members(ROLE)
    both = await other.members(ROLE)
    elsewhere = await other.members("coach-rich")
    left = await log.members(ROLE, leave=True)
    await log.members(ROLE)
    silent = await eventually(lambda: _alone(other))

    assert alone == [log._me]
    assert both == sorted([log._me, other._me])
    assert elsewhere == left == silent == [other._me]


async def _alone(log) -> list[str]:
    members = await log.members(ROLE)
    return members if len(members) == 1 else []
