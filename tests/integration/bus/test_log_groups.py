"""How a group shares what it reads, asked of every log and of every server."""

import asyncio

import pytest

from oimon.bus import Entry
from oimon.messages import ANALYSIS, TICKS
from tests.eventually import eventually
from tests.integration.bus.log_work import answer, feed, take


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
    monkeypatch.setattr("oimon.bus.memory.groups.CLAIM_IDLE_MS", 20)
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
