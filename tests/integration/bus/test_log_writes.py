"""What a write leaves, asked of every log and of every server."""

import asyncio
import itertools
from dataclasses import replace

import pytest

from oimon.bus import Entry
from oimon.bus.log import HELD_BACK_US, NEVER, stamp
from oimon.errors import LostOwnership
from oimon.messages import ANALYSIS, OUTBOX, TICKS
from oimon.terms import MarketState
from tests.eventually import eventually
from tests.integration.bus.log_work import answer, draft, feed, take
from tests.integration.hand import ROLE, in_spite_of_hanging_up
from tests.summing import PULSE


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
    assert (again, new) == (0, 3_000_000)
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


async def test_tries_are_counted_of_one_entry_at_a_time_and_of_each_owner_once(new_log, hand):
    log, other, third = new_log(), new_log(), new_log()
    entries = await feed(log)
    counts = []
    for one, number in ((log, 0), (log, 0), (other, 0), (third, 0), (third, 1)):
        hand.end_lease()
        counts.append(await one.attempt(await take(one), entries[number].id))

    assert counts == [1, 1, 2, 3, 1]


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


async def test_what_is_parked_after_a_rollback_is_kept_though_a_later_entry_was_parked_before(
    new_log, hand
):
    log = new_log()
    first, second, third = (await feed(log))[:3]
    lease = await log.park(await take(log), third, "late", 1)
    for _ in range(2):  # the second time they are there already
        hand.set_cursor(NEVER, 0)
        lease = await log.park(replace(lease, cursor=NEVER, in_n=0), first, "early", 1)
        lease = await log.park(lease, second, "early", 1)

    parked = await log.parked(ROLE, "NIFTY")
    assert [p.entry.id for p in parked] == [first.id, second.id, third.id]
    assert [p.why for p in parked] == ["early", "early", "late"]
    await log.unpark(parked[0])
    assert [p.entry.id for p in await log.parked(ROLE, "NIFTY")] == [second.id, third.id]


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


CLOSED = replace(LIVE, market=MarketState.CLOSED, age_ms=None)


async def test_a_market_that_is_closed_and_silent_has_a_beat_a_minute(new_log, hand):
    log = new_log(beat_ms=1)
    producer = await take(log, "ingest", None)
    pseqs = itertools.count(1)

    def publish(pulse):
        return log.publish(producer, TICKS, next(pseqs), [], pulse)

    async def open_again():
        return await publish(LIVE)

    first = await publish(CLOSED)
    await asyncio.sleep(0.002)  # the next millisecond, in which an open market has a beat
    silent = [await publish(replace(CLOSED, age_ms=age_ms)) for age_ms in (None, 60_001)]
    trading = await eventually(open_again)
    hand.age_beat(59)
    too_soon = await publish(CLOSED)
    hand.age_beat(1)

    assert first
    assert silent == [0, 0]
    assert trading > first
    assert too_soon == 0
    assert await publish(CLOSED)


async def test_a_market_that_is_closed_by_the_calendar_but_trades_is_not_held_back(new_log):
    log = new_log(beat_ms=1)
    producer = await take(log, "ingest", None)
    pseqs = itertools.count(1)

    async def publish():
        return await log.publish(producer, TICKS, next(pseqs), [], replace(CLOSED, age_ms=60_000))

    assert await publish() < await eventually(publish) < await eventually(publish)
