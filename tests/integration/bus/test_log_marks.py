"""What becomes of messages that leave the house, and what was used of a purse, asked of every log and of every server."""

import pytest

from oimon.bus import Use
from oimon.bus.log import NEVER, SENDER, stamp
from oimon.errors import LostOwnership
from oimon.messages import OUTBOX
from tests.integration.hand import in_spite_of_hanging_up

PURSE = "llm"
DAY = "20261126"


async def take_outbox(log, *names: str):
    """Take the outbox over, with so many texts in it; return the lease and the texts' ids."""
    for name in names:
        await log.enqueue(SENDER, OUTBOX, name, "text", b"x")
    lease = (await log.acquire(SENDER, SENDER, OUTBOX)).lease
    return lease, [entry.id for entry in await log.read(OUTBOX, SENDER, NEVER, 100, 0)]


async def test_what_was_noted_is_told_the_next_time(new_log):
    log = new_log()
    lease, (first, second) = await take_outbox(log, "a", "b")

    told = [
        await log.mark(lease, *note)
        for note in (
            (first, "sending"),
            (first, "sent"),
            (second, "failed Chat not found"),
            (first, "sent"),
        )
    ]

    assert told == ["", "sending", "", "sent"]
    assert await log.marks(SENDER) == {first: "sent", second: "failed Chat not found"}


async def test_only_who_sends_may_note(new_log):
    log, other = new_log(), new_log()
    lease, (first,) = await take_outbox(log, "a")
    assert await other.acquire(SENDER, SENDER, OUTBOX) is None
    await log.release(lease)
    await other.acquire(SENDER, SENDER, OUTBOX)

    with pytest.raises(LostOwnership, match="FENCED"):
        await in_spite_of_hanging_up(lambda: log.mark(lease, first, "sending"))

    assert await other.marks(SENDER) == {}


async def test_what_was_noted_is_kept_for_two_days(new_log):
    log = new_log()
    lease, (first,) = await take_outbox(log, "a")
    for number in range(63):
        await log.mark(lease, f"1-{number}", "sent")

    await log.mark(lease, first, "sent")

    assert await log.marks(SENDER) == {first: "sent"}


async def test_a_purse_gives_until_its_limit_is_reached(new_log):
    log, other = new_log(), new_log()
    limit = Use(calls=3, usd=1.0)
    use = Use(calls=1, tokens=10, usd=0.25)

    told = [await one.spend(PURSE, DAY, "minimal", use, limit) for one in (log, other, log, other)]

    assert [given for given, _ in told] == [True, True, True, False]
    assert told[-1][1] == Use(calls=3, tokens=30, usd=0.75)


async def test_a_purse_of_money_is_empty_when_the_money_is_gone(new_log):
    log = new_log()
    limit = Use(calls=100, usd=0.5)

    told = [await log.spend(PURSE, DAY, "rich", Use(calls=1, usd=0.3), limit) for _ in range(3)]

    assert [given for given, _ in told] == [True, True, False]


async def test_each_has_a_purse_of_its_own_each_day(new_log):
    log = new_log()
    limit = Use(calls=1, usd=1.0)
    use = Use(calls=1)

    told = [
        await log.spend(PURSE, day, who, use, limit)
        for day, who in ((DAY, "minimal"), (DAY, "rich"), ("20261127", "minimal"), (DAY, "minimal"))
    ]

    assert [given for given, _ in told] == [True, True, True, False]


async def test_what_was_taken_is_corrected_and_never_below_nothing(new_log):
    log = new_log()
    await log.spend(PURSE, DAY, "minimal", Use(calls=1, usd=0.5), Use(calls=9, usd=9.0))

    _, corrected = await log.spend(PURSE, DAY, "minimal", Use(tokens=123, usd=-0.375))
    _, emptied = await log.spend(PURSE, DAY, "minimal", Use(usd=-7.0))

    assert corrected == Use(calls=1, tokens=123, usd=0.125)
    assert emptied == Use(calls=1, tokens=123, usd=0.0)


async def test_the_time_is_that_by_which_ids_are_made(new_log):
    log = new_log()
    before_ms = await log.now_ms()
    _, [text] = await take_outbox(log, "a")

    assert before_ms <= stamp(text)[0] <= await log.now_ms()
