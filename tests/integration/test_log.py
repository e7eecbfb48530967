"""What a log must do for the engine, asked of every log and of every server."""

import asyncio
import contextlib
import itertools
from dataclasses import replace

import pytest

from oimon.bus import Entry, Pulse
from oimon.bus.log import HELD_BACK_US, LEASE_TTL_MS, NEVER, Draft, Lease, Taken, stamp
from oimon.errors import LostOwnership
from oimon.messages import ADVICE_RICH, ANALYSIS, OUTBOX, TICKS
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.integration.hand import Hand, in_spite_of_hanging_up, shorten

PULSE = Pulse(run="run-1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)
ROLE = "analytics"


@pytest.fixture
def hand(replicas):
    with contextlib.closing(Hand(replicas.behind)) as made:
        yield made


@pytest.fixture
def new_log(replicas):
    """Give one more replica's log; the name of the replica is ``log._me``."""
    return lambda **options: replicas(**options)._log


async def take(log, role: str = ROLE, reads: str | None = TICKS) -> Lease:
    return (await log.acquire(role, "NIFTY", reads)).lease


async def feed(log, count: int = 3) -> list[Entry]:
    """Publish a few entries, as a producer does, and return all there are."""
    lease = await take(log, "ingest", None)
    await log.publish(lease, TICKS, 1, [("gap", b"%d" % i) for i in range(count)], PULSE)
    await log.release(lease)
    return list(await log.read(TICKS, "NIFTY", NEVER, 1000, 0))


def draft(entry: Entry, data: bytes = b"out") -> Draft:
    return Draft(entry.id, "text", data)


async def answer(log, lease: Lease, entry: Entry, snapshot: bytes | None = None) -> Lease:
    lease, _ = await log.commit(lease, TICKS, ANALYSIS, entry, [draft(entry)], snapshot)
    return lease


# --- ownership ---------------------------------------------------------------------------------------------------------


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

    refused = 0
    for call in (
        lambda: log.publish(lease, ANALYSIS, 1, [], PULSE),
        lambda: log.commit(lease, TICKS, ANALYSIS, entries[0], [draft(entries[0])], b"state"),
        lambda: log.attempt(lease, entries[0].id),
        lambda: log.park(lease, entries[0], "why"),
    ):
        with pytest.raises(LostOwnership, match="FENCED"):
            await in_spite_of_hanging_up(call)
        refused += 1
    await in_spite_of_hanging_up(lambda: log.release(lease, b"state"))

    assert refused == 4
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

    for call in (
        lambda: log.publish(old, ANALYSIS, 1, [], PULSE),
        lambda: log.commit(old, TICKS, ANALYSIS, entries[0], [draft(entries[0])], b"state"),
        lambda: log.attempt(old, entries[0].id),
        lambda: log.park(old, entries[0], "why"),
    ):
        with pytest.raises(LostOwnership, match="FENCED"):
            await in_spite_of_hanging_up(call)
    await in_spite_of_hanging_up(lambda: log.release(old, b"state"))

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


# --- writes ------------------------------------------------------------------------------------------------------------


async def test_a_new_epoch_counts_its_writes_from_one_and_goes_on_after_the_last_beat(new_log):
    log, other = new_log(), new_log()
    lease = await take(log, "ingest", None)
    for pseq in (1, 2):
        await log.publish(lease, TICKS, pseq, [], replace(PULSE, event_us=pseq * 1_000_000))
    await log.release(lease)

    grant = await other.acquire("ingest", "NIFTY")
    again = await other.publish(grant.lease, TICKS, 1, [], replace(PULSE, event_us=2_000_000))
    new = await other.publish(grant.lease, TICKS, 2, [], replace(PULSE, event_us=3_000_000))

    assert (grant.run, grant.beat_us) == ("run-1", 2_000_000)
    assert (again, new) == (False, True)
    assert [e.n for e in await log.read(TICKS, "NIFTY", NEVER, 10, 0)] == [1, 2, 3]


async def test_a_commit_writes_answers_place_and_state_in_one(new_log):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await take(log)

    lease, refused = await log.commit(
        lease, TICKS, ANALYSIS, entries[1], [draft(entries[0], b"a"), draft(entries[1], b"b")], b"s"
    )

    found = await other.read(ANALYSIS, "NIFTY", NEVER, 10, 0)
    assert [(e.id, e.n, e.kind, e.data) for e in found] == [
        (entries[0].id, 1, "text", b"a"),
        (entries[1].id, 2, "text", b"b"),
    ]
    assert refused == 0
    assert (lease.cursor, lease.in_n) == (entries[1].id, entries[1].n)
    assert (await log.acquire(ROLE, "NIFTY", TICKS)).lease == lease
    assert await other.snapshot(ROLE, "NIFTY") == b"s"


async def test_a_commit_without_answers_or_state_moves_the_place_alone(new_log):
    log = new_log()
    entries = await feed(log)
    lease = await answer(log, await take(log), entries[0], b"old state")

    lease, refused = await log.commit(lease, TICKS, ANALYSIS, entries[2], [])

    assert refused == 0
    assert (await log.acquire(ROLE, "NIFTY", TICKS)).lease.cursor == entries[2].id
    assert (await log.newest(ANALYSIS, "NIFTY")).id == entries[0].id
    assert await log.snapshot(ROLE, "NIFTY") == b"old state"


async def test_an_answer_that_is_there_is_refused_and_the_others_are_kept(new_log):
    log = new_log()
    entries = await feed(log)
    lease = await take(log)
    lease, _ = await log.commit(lease, TICKS, ANALYSIS, entries[0], [draft(entries[1], b"first")])

    lease, refused = await log.commit(
        lease, TICKS, ANALYSIS, entries[2], [draft(entries[1], b"again"), draft(entries[2])]
    )

    found = await log.read(ANALYSIS, "NIFTY", NEVER, 10, 0)
    assert refused == 1
    assert [(e.id, e.n, e.data) for e in found] == [
        (entries[1].id, 1, b"first"),
        (entries[2].id, 2, b"out"),
    ]


async def test_who_remembers_another_place_than_the_log_does_cannot_write(new_log):
    log, other = new_log(), new_log()
    entries = await feed(log)
    old = await take(log)
    await answer(log, old, entries[0])

    with pytest.raises(LostOwnership, match=f"DIVERGED cursor is {entries[0].id}"):
        await answer(log, old, entries[1])
    with pytest.raises(LostOwnership, match=f"DIVERGED cursor is {entries[0].id}"):
        await in_spite_of_hanging_up(lambda: log.park(old, entries[1], "why"))

    assert [e.id for e in await other.read(ANALYSIS, "NIFTY", NEVER, 10, 0)] == [entries[0].id]
    assert await other.parked(ROLE, "NIFTY") == []


async def test_an_answer_to_an_entry_that_the_log_has_lost_is_refused(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await take(log)
    hand.lose(TICKS)

    with pytest.raises(LostOwnership, match="not in the log"):
        await answer(log, lease, entries[0], b"state")

    assert await other.newest(ANALYSIS, "NIFTY") is None
    assert await other.snapshot(ROLE, "NIFTY") is None


async def test_giving_back_leaves_the_state(new_log):
    log, other = new_log(), new_log()
    lease = await take(log)

    before = await other.snapshot(ROLE, "NIFTY")
    await log.release(lease, b"\x00 state \xff")
    grant = await other.acquire(ROLE, "NIFTY", TICKS)
    await other.release(grant.lease)

    assert before is None
    assert await other.snapshot(ROLE, "NIFTY") == b"\x00 state \xff"
    assert await other.snapshot("coach-rich", "NIFTY") is None


async def test_a_state_of_before_a_rollback_is_not_left(new_log, hand):
    log = new_log()
    entries = await feed(log)
    lease = await answer(log, await take(log), entries[0])
    hand.lose(TICKS)
    await log.acquire(ROLE, "NIFTY", TICKS)

    await log.release(lease, b"of what the log has lost")

    assert await log.snapshot(ROLE, "NIFTY") is None
    assert (await log.records(ROLE, ["NIFTY"]))["NIFTY"].owner == ""


async def test_tries_are_counted_of_one_entry_at_a_time_whoever_makes_them(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await take(log)

    counts = [await log.attempt(lease, entries[0].id) for _ in range(2)]
    hand.end_lease()
    lease = await take(other)
    counts.append(await other.attempt(lease, entries[0].id))
    counts.append(await other.attempt(lease, entries[1].id))

    assert counts == [1, 2, 3, 1]


async def test_what_is_parked_is_kept_with_its_reason_and_passed_by(new_log):
    log, other = new_log(), new_log()
    entries = await feed(log)
    lease = await take(log)

    lease = await log.park(lease, entries[0], "cannot be read", 3)
    lease = await answer(log, lease, entries[1])
    lease = await log.park(lease, entries[2], "is a lie")
    parked = await other.parked(ROLE, "NIFTY")

    assert [(p.role, p.why, p.tries, p.entry) for p in parked] == [
        (ROLE, "cannot be read", 3, entries[0]),
        (ROLE, "is a lie", 1, entries[2]),
    ]
    assert all(stamp(p.entry.id)[0] <= p.at_ms for p in parked)
    assert (await log.acquire(ROLE, "NIFTY", TICKS)).lease == lease
    assert (lease.cursor, lease.in_n) == (entries[2].id, entries[2].n)
    assert await other.parked("coach-rich", "NIFTY") == []

    for _ in range(2):  # what is off the list stays off
        await other.unpark(parked[0])
        assert [p.entry.id for p in await log.parked(ROLE, "NIFTY")] == [entries[2].id]


async def test_what_is_parked_again_after_a_rollback_is_kept_once(new_log, hand):
    log = new_log()
    lease = await take(log)
    first = Entry(TICKS, "NIFTY", "5-1", "gap", 1, b"x", 1)
    lease = await log.park(lease, first, "why", 1)
    rolled_back = await log.acquire(ROLE, "NIFTY", TICKS)

    lease = await log.park(rolled_back.lease, first, "why", 1)

    assert rolled_back.is_rolled_back
    assert lease.cursor == "5-1"
    assert len(await log.parked(ROLE, "NIFTY")) == 1


async def test_many_parked_entries_are_all_found(new_log):
    log = new_log()
    entries = await feed(log, 230)
    lease = await take(log)
    for entry in entries:
        lease = await log.park(lease, entry, "why")

    found = await log.parked(ROLE, "NIFTY")
    await log.unpark(found[210])

    assert [p.entry for p in found] == entries
    assert [p.entry for p in await log.parked(ROLE, "NIFTY")] == entries[:210] + entries[211:]


async def test_a_message_of_a_name_is_enqueued_once(new_log):
    log, other = new_log(), new_log()

    new = [
        await one.enqueue("telegram", OUTBOX, name, "text", data)
        for one, name, data in (
            (log, "a", b"1"), (other, "a", b"2"), (other, "b", b"3"), (log, "a", b"4"), (log, "c", b"5"),
        )
    ]  # fmt: skip

    found = await log.read(OUTBOX, "telegram", NEVER, 10, 0)
    assert new == [True, False, True, False, True]
    assert [(e.n, e.kind, e.data) for e in found] == [
        (1, "text", b"1"),
        (2, "text", b"3"),
        (3, "text", b"5"),
    ]


# --- reads -------------------------------------------------------------------------------------------------------------


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


# --- groups ------------------------------------------------------------------------------------------------------------


async def test_a_group_s_members_are_given_each_entry_once(new_log):
    log, other = new_log(), new_log()
    entries = await feed(log, 4)

    first = await log.group_read("db", [TICKS], "NIFTY", 2, 0)
    second = await other.group_read("db", [TICKS], "NIFTY", 10, 0)
    third = await log.group_read("db", [TICKS], "NIFTY", 10, 0)
    another = await log.group_read("file", [TICKS], "NIFTY", 10, 0)

    assert (first, second, third) == (entries[:2], entries[2:], [])
    assert another == entries


async def test_a_member_of_a_group_waits_for_the_first_new_entry(new_log):
    log, other = new_log(), new_log()

    in_vain = await log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 20)
    waiting = asyncio.create_task(  # more than once: the stand-in may answer none at once
        eventually(lambda: log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 5000))
    )
    entries = await feed(other, 1)

    assert in_vain == []
    assert await asyncio.wait_for(waiting, 3) == entries


async def test_what_a_dead_member_left_is_taken_over_with_the_count_of_its_deaths(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log, 3)
    await log.group_read("db", [TICKS], "NIFTY", 10, 0)
    await log.group_done("db", [entries[1]])

    too_early = await other.group_claim("db", [TICKS, ANALYSIS], "NIFTY", 10)
    hand.leave_idle("db", entries[0])
    first = await other.group_claim("db", [TICKS, ANALYSIS], "NIFTY", 10)
    hand.leave_idle("db", entries[0])
    hand.leave_idle("db", entries[2])
    second = await log.group_claim("db", [TICKS, ANALYSIS], "NIFTY", 10)

    assert too_early == []
    assert first == [(entries[0], 1)]
    assert second == [(entries[0], 2), (entries[2], 1)]


async def test_who_joins_a_group_forgets_the_dead_who_left_nothing(new_log, hand, monkeypatch):
    monkeypatch.setattr("oimon.bus.redis.groups.CLAIM_IDLE_MS", 20)
    monkeypatch.setattr("oimon.bus.memory.log.CLAIM_IDLE_MS", 20)
    done, busy, newcomer = new_log(), new_log(), new_log()
    entries = await feed(done, 2)
    await done.group_done("db", await done.group_read("db", [TICKS], "NIFTY", 1, 0))
    await busy.group_read("db", [TICKS], "NIFTY", 1, 0)
    before = hand.members_of("db", TICKS)

    await asyncio.sleep(0.05)  # the dead are told from the living by the time alone
    nothing = await newcomer.group_read("db", [TICKS], "NIFTY", 1, 0)
    after = hand.members_of("db", TICKS)

    assert nothing == []
    assert before.keys() | {done._me} == {done._me, busy._me}  # on lists, who has nothing is nobody
    assert after.keys() - {newcomer._me} == {busy._me}
    assert after[busy._me] == 1
    assert await newcomer.group_claim("db", [TICKS], "NIFTY", 10) == [(entries[1], 1)]


async def test_what_a_group_has_parked_is_done_and_kept_once(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log, 2)
    lease = await answer(log, await take(log), entries[0])
    await log.release(lease)
    given = await log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 0)
    later, earlier = entries[1], entries[0]

    for entry in (later, earlier, earlier):  # a group parks in any order, and may repeat itself
        await log.group_park("db", entry, f"breaks {entry.n}", 4)
    await log.group_done("db", given)

    parked = await other.parked("db", "NIFTY")
    assert [(p.role, p.why, p.tries, p.entry) for p in parked] == [
        ("db", "breaks 1", 4, earlier),
        ("db", "breaks 2", 4, later),
    ]
    await other.unpark(parked[0])
    assert [p.entry for p in await other.parked("db", "NIFTY")] == [later]


@pytest.mark.parametrize("place", [0, 1])
async def test_of_two_parked_entries_with_one_id_the_one_that_is_meant_is_taken_off(new_log, place):
    log = new_log()
    (asked,) = await feed(log, 1)
    await answer(log, await take(log), asked)
    given = await log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 0)
    for entry in given:
        await log.group_park("db", entry, "why")

    both = await log.parked("db", "NIFTY")
    await log.unpark(both[place])

    assert {(p.entry.stream, p.entry.id) for p in both} == {(TICKS, asked.id), (ANALYSIS, asked.id)}
    assert await log.parked("db", "NIFTY") == [both[1 - place]]


async def test_a_parked_entry_can_be_handed_out_again(new_log, hand):
    log, other = new_log(), new_log()
    entries = await feed(log, 2)
    await log.group_read("db", [TICKS], "NIFTY", 10, 0)
    await log.group_park("db", entries[0], "why", 4)
    await log.group_done("db", entries)

    is_kept = await other.redeliver("db", entries[0])
    lost = await other.redeliver("db", Entry(TICKS, "NIFTY", "5-5", "gap", 1, b""))
    claimed = await log.group_claim("db", [TICKS], "NIFTY", 10)
    again = await log.group_claim("db", [TICKS], "NIFTY", 10)

    assert (is_kept, lost) == (True, False)
    assert claimed == [(entries[0], 0)]
    assert again == []


# --- the rest ----------------------------------------------------------------------------------------------------------


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


# --- a beat by batch -----------------------------------------------------------------------------------------------

LIVE = replace(PULSE, event_us=None)


async def test_where_each_batch_is_a_beat_none_comes_before_the_last_is_answered(new_log):
    log = new_log(beat_ms=0)
    producer = await take(log, "ingest", None)
    analyst = await take(log)
    assert await log.publish(producer, TICKS, 1, [], LIVE)
    [beat] = await log.read(TICKS, "NIFTY", NEVER, 9, 0)

    assert not await log.publish(producer, TICKS, 2, [("gap", b"1")], LIVE)
    await answer(log, analyst, beat)
    assert await log.publish(producer, TICKS, 3, [("gap", b"2")], LIVE)

    kinds = [entry.kind for entry in await log.read(TICKS, "NIFTY", NEVER, 9, 0)]
    assert kinds == ["beat", "gap", "gap", "beat"]


async def test_a_beat_is_held_back_for_a_second_at_most(new_log):
    log = new_log(beat_ms=0)
    producer = await take(log, "ingest", None)
    await take(log)
    pseqs = itertools.count(1)

    def publish():
        return log.publish(producer, TICKS, next(pseqs), [], LIVE)

    assert await publish()
    assert not await publish()
    await eventually(publish)

    first, second = (e.message.ts_us for e in await log.read(TICKS, "NIFTY", NEVER, 9, 0))
    assert second - first >= HELD_BACK_US
