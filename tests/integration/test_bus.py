"""What the bus promises, for every implementation of it."""

import asyncio
import contextlib
import time
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY

from oimon.bus import Entry, Keeping, Output, Pulse, Role
from oimon.bus.log import Retention
from oimon.bus.redis import RedisLog
from oimon.errors import TransientError
from oimon.messages import ADVICE_RICH, ANALYSIS, TICKS, Beat, Gap, Text
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.integration.hand import Hand, shorten

PULSE = Pulse(run="run-1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)


def pulse(second: int, run: str = "run-1") -> Pulse:
    return replace(PULSE, event_us=second * 1_000_000, run=run)


def gap(number: int) -> Gap:
    return Gap(from_us=number, to_us=number, why="test")


def text(words: str) -> Text:
    return Text(
        family="f", kind="news", recipient="r", text=words, loud=False, tag="t", made_ts_us=0
    )


def summing(total: int, entry: Entry) -> tuple[int, list[Output]]:
    """Add up the gaps; say the sum on each beat."""
    match entry.message:
        case Gap(from_us=number):
            return total + number, []
        case Beat(ts_us=ts_us):
            return total, [Output(ANALYSIS, text(f"{ts_us // 1_000_000}: {total}"))]
    raise AssertionError(entry)


SUMS = Role(name="analytics", reads=TICKS, writes=ANALYSIS, start=lambda _: 0, handle=summing)


async def everything(bus, stream: str = ANALYSIS, partition: str = "NIFTY") -> list[Entry]:
    return list(await bus._log.read(stream, partition, "0-0", 10_000, 0))


@contextlib.asynccontextmanager
async def running(work):
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_a_beat_follows_the_batch_once_the_second_is_new(replicas):
    bus = replicas()

    await bus.publish("NIFTY", [gap(1)], pulse(0))
    await bus.publish("NIFTY", [gap(2)], pulse(10))
    await bus.publish("NIFTY", [gap(3)], pulse(10))
    await bus.publish("NIFTY", [], pulse(11))

    entries = await everything(bus, TICKS)
    assert [entry.kind for entry in entries] == ["gap", "gap", "beat", "gap", "beat"]
    assert [e.message.ts_us for e in entries if e.kind == "beat"] == [10_000_000, 11_000_000]
    assert [entry.n for entry in entries] == [1, 2, 3, 4, 5]


async def test_a_new_run_begins_its_own_beats(replicas):
    bus = replicas()

    await bus.publish("NIFTY", [], pulse(10))
    await bus.publish("NIFTY", [], pulse(5, run="run-2"))

    assert [e.message.ts_us for e in await everything(bus, TICKS)] == [10_000_000, 5_000_000]


async def test_the_server_s_clock_makes_at_most_one_beat_a_step(replicas):
    bus = replicas()
    live = replace(PULSE, event_us=None)

    for _ in range(5):
        await bus.publish("NIFTY", [], live)

    beats = [e.message.ts_us for e in await everything(bus, TICKS)]
    assert 1 <= len(beats) <= 2
    assert all(ts_us % 1_000_000 == 0 for ts_us in beats)


async def test_every_batch_is_a_beat_when_the_step_is_nought(replicas):
    bus = replicas(beat_ms=0)
    live = replace(PULSE, event_us=None)

    for _ in range(3):
        await bus.publish("NIFTY", [gap(1)], live)

    assert [e.kind for e in await everything(bus, TICKS)] == ["gap", "beat"] * 3


async def test_an_output_bears_the_id_of_the_entry_it_answers(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)):
        for second in range(1, 6):
            await bus.publish("NIFTY", [gap(second)], pulse(second))
        outputs = await eventually(lambda: _at_least(bus, 5))

    beats = [e.id for e in await everything(bus, TICKS) if e.kind == "beat"]
    assert [e.id for e in outputs] == beats
    assert [e.message.text for e in outputs] == ["1: 1", "2: 3", "3: 6", "4: 10", "5: 15"]


async def _at_least(bus, count: int) -> list[Entry]:
    entries = await everything(bus)
    return entries if len(entries) >= count else []


async def test_a_successor_goes_on_where_the_owner_stopped(replicas):
    bus, successor = replicas(), replicas()
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)) as first:
        await bus.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: _at_least(bus, 1))
        await bus.stop()
        await first
    feeder = replicas()
    await feeder.publish("NIFTY", [gap(2)], pulse(2))
    async with running(successor.own(SUMS)):
        outputs = await eventually(lambda: _at_least(successor, 2))

    assert [e.message.text for e in outputs] == ["1: 1", "2: 3"]


async def test_only_one_of_two_replicas_works_a_partition(replicas):
    bus, other = replicas(), replicas()
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)), running(other.own(SUMS)):
        for second in range(1, 30):
            await bus.publish("NIFTY", [gap(1)], pulse(second))
        outputs = await eventually(lambda: _at_least(bus, 29))
        owners = [held for each in (bus, other) for held in each.held() if held.role == "analytics"]

    assert len(owners) == 1
    assert [e.message.text for e in outputs] == [f"{s}: {s}" for s in range(1, 30)]


async def test_nothing_is_restored_for_an_entry_that_begins_anew(replicas):
    bus, successor, feeder = replicas(), replicas(), replicas()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)) as first:
        await feeder.publish("NIFTY", [gap(7)], pulse(1))
        await eventually(lambda: _at_least(bus, 1))
        await bus.stop()
        await first
    await feeder.publish("NIFTY", [gap(1)], pulse(2))
    asked = []

    def begins(entry, last):
        asked.append((entry.message.from_us, last.message.text))
        return True

    async with running(successor.own(replace(SUMS, begins=begins))):
        outputs = await eventually(lambda: _at_least(successor, 2))

    assert asked == [(1, "1: 7")]
    assert outputs[-1].message.text == "2: 1"


async def test_a_long_restore_keeps_its_lease_and_ends_when_told(replicas, monkeypatch):
    bus, successor, other, feeder = replicas(), replicas(), replicas(), replicas()
    await bus.declare(["NIFTY"])
    async with running(bus.own(SUMS)) as first:
        for second in range(1, 61):
            await feeder.publish("NIFTY", [gap(1)] * 15, pulse(second))
        await eventually(lambda: _at_least(bus, 60))
        await bus.stop()
        await first
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
    async with running(bus.own(role)) as first:
        await feeder.publish("NIFTY", [gap(7)], pulse(1))
        await eventually(lambda: _at_least(bus, 1))
        await bus.stop()
        await first
    await feeder.publish("NIFTY", [gap(1)], pulse(2))

    async with running(successor.own(role)):
        outputs = await eventually(lambda: _at_least(successor, 2))

    assert given == [("NIFTY", "1: 7", "beat")]
    assert outputs[-1].message.text == "2: 8"


async def test_a_late_answer_may_name_the_entry_it_was_asked_about(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def late(asked, entry):
        answer = [Output(ANALYSIS, text("late"), id=asked)] if asked else []
        return entry.id, answer

    role = Role(name="coach-rich", reads=TICKS, writes=ANALYSIS, start=lambda _: None, handle=late)
    async with running(bus.own(role)):
        await bus.publish("NIFTY", [gap(1), gap(2), gap(3)], PULSE)
        outputs = await eventually(lambda: _at_least(bus, 2))

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


async def test_an_entry_that_cannot_be_decoded_is_parked_at_once(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])
    lease = (await bus._log.acquire("ingest", "NIFTY")).lease
    await bus._log.publish(lease, TICKS, 1, [("gap", b"{not json"), ("nonsense", b"{}")], pulse(1))

    async with running(bus.own(SUMS)):
        outputs = await eventually(lambda: _at_least(bus, 1))
        errors = [held.last_error for held in bus.held() if held.role == "analytics"]

        parked = await bus._log.parked("analytics", "NIFTY")

    assert [e.message.text for e in outputs] == ["1: 0"]
    assert [(p.entry.kind, p.entry.data, p.entry.n) for p in parked] == [
        ("gap", b"{not json", 1),
        ("nonsense", b"{}", 2),
    ]
    assert "unknown kind" in parked[1].why
    assert "parked" in errors[0]


async def test_an_answer_that_is_too_large_is_left_out_and_told(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def answer(state, entry):
        words = "x" * 300_000 if entry.message.ts_us == 1_000_000 else "fits"
        return state, [Output(ANALYSIS, text(words))]

    async with running(bus.own(replace(SUMS, handle=answer))):
        await bus.publish("NIFTY", [], pulse(1))
        await bus.publish("NIFTY", [], pulse(2))
        outputs = await eventually(lambda: _at_least(bus, 1))
        errors = [held.last_error for held in bus.held() if held.role == "analytics"]

    assert [e.message.text for e in outputs] == ["fits"]
    assert "may have 262144 bytes" in errors[0]


async def test_a_repeat_with_the_same_number_adds_nothing(replicas):
    bus = replicas()
    lease = (await bus._log.acquire("ingest", "NIFTY")).lease

    first = await bus._log.publish(lease, TICKS, 1, [], pulse(1))
    again = await bus._log.publish(lease, TICKS, 1, [], pulse(2))

    assert (first, again) == (True, False)
    assert len(await everything(bus, TICKS)) == 1


async def test_a_sink_is_given_every_entry_also_those_of_before_it_began(replicas):
    bus, feeder = replicas(), replicas()
    await bus.declare(["NIFTY", "SENSEX"])
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    rows = []

    async def sink(entries):
        rows.extend(entry.key for entry in entries)

    async with running(bus.share("db", [TICKS, ANALYSIS], sink)):
        await feeder.publish("SENSEX", [gap(2)], PULSE)
        await feeder.publish("NIFTY", [gap(3)], PULSE)
        await eventually(lambda: len(rows) >= 3)

    assert len(rows) == len(set(rows)) == 3


async def test_a_sink_that_is_away_gets_the_same_entries_again(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])
    calls = []

    async def sink(entries):
        calls.append([entry.id for entry in entries])
        if len(calls) < 3:
            raise TransientError("the database is away")

    async with running(bus.share("db", [TICKS], sink)):
        await bus.publish("NIFTY", [gap(1)], PULSE)
        await eventually(lambda: len(calls) >= 3)

    assert calls[0] == calls[1] == calls[2]


async def test_a_stopping_sink_drains_what_is_left(replicas):
    bus, feeder = replicas(), replicas()
    await bus.declare(["NIFTY"])
    rows = []

    async def sink(entries):
        rows.extend(entries)

    sharing = asyncio.ensure_future(bus.share("db", [TICKS], sink))
    await feeder.publish("NIFTY", [gap(1)], PULSE)
    await eventually(lambda: rows)
    for _ in range(200):
        await feeder.publish("NIFTY", [gap(1)], PULSE)
    await bus.stop()
    await sharing

    assert len(rows) == 201


async def test_a_subscriber_sees_the_newest_and_then_what_comes(replicas):
    bus, feeder = replicas(), replicas()
    await feeder.publish("NIFTY", [gap(1), gap(2)], PULSE)
    seen = []

    async def watch():
        async for entry in bus.subscribe([TICKS], "NIFTY"):
            seen.append(entry.message.from_us)  # noqa: PERF401 - looked at while it grows

    async with running(watch()):
        await eventually(lambda: seen)
        await feeder.publish("NIFTY", [gap(3)], PULSE)
        await eventually(lambda: len(seen) > 1)

    assert seen == [2, 3]


async def test_what_is_kept_is_bounded(replicas):
    bus = replicas(retention=Retention(analyses=100))
    await bus.declare(["NIFTY"])

    async with running(bus.own(SUMS)):
        for second in range(1, 1500):
            await bus.publish("NIFTY", [], pulse(second))
        await eventually(lambda: _newest_is(bus, "1499: 0"))

    assert len(await everything(bus)) < 1400


async def _newest_is(bus, words: str) -> bool:
    newest = await bus.latest(ANALYSIS, "NIFTY")
    return newest is not None and newest.message.text == words


async def test_statuses_of_all_replicas_are_read_from_the_bus(replicas):
    bus, other = replicas(), replicas()

    await bus.put_status("ingest", "one", {"service": "ingest"})
    await other.put_status("analytics", "two", {"service": "analytics"})

    assert sorted(s["service"] for s in await bus.statuses()) == ["analytics", "ingest"]


@pytest.mark.parametrize("name", ["nifty", "NIF TY", "", "N" * 33])
async def test_a_partition_s_name_is_checked(redis_url, name):
    log = RedisLog(redis_url, "me")

    with pytest.raises(ValueError, match="partition"):
        await log.newest(TICKS, name)
    await log.close()


class Killed(BaseException):
    """Ends a task as a kill ends a process: nothing is given back, nothing is parked."""


async def test_an_entry_that_kills_is_parked_and_the_rest_goes_on(replicas, monkeypatch):
    shorten(monkeypatch, leases_ms=150, members_ms=400)
    feeder = replicas()
    await feeder.declare(["NIFTY"])
    await feeder.publish("NIFTY", [gap(1), gap(13), gap(2)], pulse(1))
    deaths = 0

    def deadly(total, entry):
        if isinstance(entry.message, Gap) and entry.message.from_us == 13:
            raise Killed
        return summing(total, entry)

    while not await everything(feeder) and deaths < 9:
        bus = replicas()
        try:
            with contextlib.suppress(BaseExceptionGroup):
                async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
                    owning = tasks.create_task(bus.own(replace(SUMS, handle=deadly)))
                    await eventually(lambda: _at_least(feeder, 1))
                    owning.cancel()
        except Killed:
            deaths += 1

    parked = await feeder._log.parked("analytics", "NIFTY")
    assert [e.message.text for e in await everything(feeder)] == ["1: 3"]
    assert [(p.entry.message.from_us, p.tries) for p in parked] == [(13, 3)]
    assert deaths <= 5


async def test_an_entry_on_which_the_role_fails_is_parked_and_its_half_change_undone(replicas):
    bus = replicas()
    await bus.declare(["NIFTY"])

    def failing(state, entry):
        if isinstance(entry.message, Gap):
            state.append(entry.message.from_us)
            if entry.message.from_us == 13:
                raise ZeroDivisionError("half way")
            return state, []
        return state, [Output(ANALYSIS, text(f"{sum(state)}"))]

    role = replace(SUMS, start=lambda _: [], handle=failing)
    async with running(bus.own(role)):
        await bus.publish("NIFTY", [gap(1), gap(13), gap(2)], pulse(1))
        outputs = await eventually(lambda: _at_least(bus, 1))

    parked = await bus._log.parked("analytics", "NIFTY")
    assert [e.message.text for e in outputs] == ["3"]
    assert [p.why for p in parked] == ["ZeroDivisionError: half way"]


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
        await eventually(lambda: _at_least(feeder, 2))
        await first.stop()
        await owning
    await feeder.publish("NIFTY", [gap(3)], pulse(3))
    async with running(second.own(replace(SUMS, keeping=keeping, handle=noting))):
        outputs = await eventually(lambda: _at_least(feeder, 3))

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
        outputs = await eventually(lambda: _at_least(feeder, 1))
        errors = [held.last_error for held in second.held()]

    assert outputs[-1].message.text == "3: 4"
    assert "checksum" in errors[0]


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


async def test_who_publishes_leads_and_the_other_stands_by_until_it_leaves(replicas):
    first, second = replicas(), replicas()
    led = []

    async def work(name, bus):
        led.append((name, (await bus.place("NIFTY")).beat_us))
        while True:
            await bus.publish("NIFTY", [], pulse(len(led)))
            await asyncio.sleep(0.01)

    async with running(first.lead(lambda: work("first", first))) as leading:
        await eventually(lambda: led)
        async with running(second.lead(lambda: work("second", second))):
            await asyncio.sleep(0.3)
            assert [name for name, _ in led] == ["first"]
            await first.stop()
            await leading
            await eventually(lambda: len(led) == 2)

    assert led == [("first", 0), ("second", 1_000_000)]


# --- leases that run out while nothing comes -----------------------------------------------------------------------------


@pytest.fixture
def hasty(monkeypatch):
    """Leases that have run out at each renewal."""
    shorten(monkeypatch, leases_ms=100)
    monkeypatch.setattr("oimon.bus.seat.BLOCK_MS", 250)


@pytest.fixture
async def idle(replicas, hasty):
    """Give an owner that has answered a beat and has nothing to do, and how often it has begun anew."""
    bus, feeder, begun = replicas(), replicas(), []

    def start(partition):
        begun.append(partition)
        return 0

    await feeder.declare(["NIFTY"])
    async with running(bus.own(replace(SUMS, start=start))):
        await feeder.publish("NIFTY", [gap(1)], pulse(1))
        await eventually(lambda: _at_least(bus, 1))
        yield bus, begun
        await bus.stop()


@pytest.fixture
def hand(replicas):
    with contextlib.closing(Hand(replicas.behind)) as made:
        yield made


def epoch_of(bus) -> int:
    return next((held.epoch for held in bus.held() if held.role == "analytics"), 0)


def told_epoch() -> float | None:
    labels = {"role": "analytics", "partition": "NIFTY"}
    return REGISTRY.get_sample_value("oi_bus_owner_epoch", labels)


def rollbacks() -> float:
    return REGISTRY.get_sample_value("oi_bus_rollback_total")


async def test_who_finds_its_lease_run_out_and_untaken_goes_on_with_what_it_knows(idle, replicas):
    bus, begun = idle
    first, feeder = epoch_of(bus), replicas()

    await eventually(lambda: epoch_of(bus) > first)
    told = told_epoch()
    await feeder.publish("NIFTY", [gap(2)], pulse(2))
    outputs = await eventually(lambda: _at_least(bus, 2))

    assert [e.message.text for e in outputs] == ["1: 1", "2: 3"]
    assert begun == ["NIFTY"]
    assert told > first


async def test_who_finds_that_another_has_had_its_partition_begins_anew(idle, replicas):
    bus, begun = idle
    other = replicas()

    grant = await eventually(lambda: other._log.acquire("analytics", "NIFTY", TICKS))
    await other._log.release(grant.lease)
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: epoch_of(bus) > int(grant.lease.epoch))

    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_its_place_further_on_than_it_went_begins_anew(idle, hand):
    bus, begun = idle
    before = rollbacks()

    moved_to = hand.move_on()
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: any(held.cursor == moved_to for held in bus.held()))

    assert rollbacks() == before
    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_its_place_set_back_begins_anew_from_there_and_counts_it(idle, hand):
    bus, begun = idle
    first, last = await everything(bus, TICKS)
    before = rollbacks()

    hand.set_cursor(first.id, first.n)
    await eventually(lambda: len(begun) == 2)
    await eventually(lambda: any(held.cursor == last.id for held in bus.held()))

    assert rollbacks() > before
    assert [e.message.text for e in await everything(bus)] == ["1: 1"]


async def test_who_finds_the_end_of_its_input_lost_begins_anew_and_counts_it(idle, hand):
    _, begun = idle
    before = rollbacks()

    hand.lose(TICKS)
    await eventually(lambda: len(begun) == 2)

    assert rollbacks() > before
