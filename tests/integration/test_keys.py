"""What the scripts leave in Redis, key by key, and what they leave alone; what they promise is asked in ``bus``."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import redis as redis_py

from oimon import codec
from oimon.bus import Entry, Pulse
from oimon.bus.log import Draft, Lease, Retention
from oimon.bus.redis import RedisLog
from oimon.errors import LostOwnership
from oimon.messages import ADVICE_RICH, ANALYSIS, OUTBOX, TICKS
from oimon.terms import FeedState, MarketState
from tests.integration.conftest import SERVERS, flush

ROLE = "analytics"
TICKS_KEY = f"{TICKS}:{{NIFTY}}"
ANALYSIS_KEY = f"{ANALYSIS}:{{NIFTY}}"
OWN_KEY = f"oi.own:{{NIFTY}}:{ROLE}"
PULSE = Pulse(run="run-1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=7, event_us=0)
EVENT_US = 1_787_000_000_123_456
"""Lua by itself would write it as 1.787e+15."""
YEAR_MS = 365 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Workbench:
    """A replica's log, and a plain client that sees what is behind it."""

    log: RedisLog
    client: Any

    def everything(self) -> Mapping[bytes, bytes]:
        """Return each key's whole value."""
        return {key: self.client.dump(key) for key in self.client.scan_iter()}

    def record(self) -> Mapping[str, str]:
        return {k.decode(): v.decode() for k, v in self.client.hgetall(OWN_KEY).items()}

    def entries(self, key: str) -> list[tuple[str, list[tuple[str, bytes]]]]:
        """Return a stream's ids and fields, the fields in their order."""
        return [
            (id_.decode(), [(name.decode(), value) for name, value in fields.items()])
            for id_, fields in self.client.xrange(key)
        ]

    def add(self, key: str, entry_id: str) -> Entry:
        """Append an input that nobody published."""
        fields = {"n": 1, "v": 1, "t": "gap", "d": b"{}"}
        self.client.xadd(key, fields, id=entry_id)
        return Entry(key.partition(":")[0], "NIFTY", entry_id, "gap", 1, b"{}", 1)

    def now_ms(self) -> int:
        told = self.client.time()
        seconds, micros = told if isinstance(told, tuple) else next(iter(told.values()))
        return seconds * 1000 + micros // 1000


@pytest.fixture(params=[name for name in SERVERS if name != "stand-in"])
async def bench(request):
    url = request.getfixturevalue(SERVERS[request.param])
    flush(url)
    plain = url.replace("+cluster", "")
    kind = redis_py.Redis if plain == url else redis_py.RedisCluster
    with contextlib.closing(kind.from_url(plain, protocol=2)) as client:
        log = RedisLog(url, "replica-1", retention=Retention(analyses=100))
        try:
            yield Workbench(log, client)
        finally:
            await log.close()


async def take(bench: Workbench, role: str = ROLE, reads: str | None = None) -> Lease:
    return (await bench.log.acquire(role, "NIFTY", reads)).lease


def at(event_us: int) -> Pulse:
    """Return the pulse of an event second that has come."""
    return replace(PULSE, event_us=event_us)


# --- what is written ---------------------------------------------------------------------------------------------------


async def test_an_entry_has_the_contract_s_fields_and_the_beat_comes_last(bench):
    lease = await take(bench)
    before_ms = bench.now_ms()

    await bench.log.publish(lease, TICKS, 1, [("gap", b"\x00\xff")], at(EVENT_US))

    (_, gap), (_, beat) = bench.entries(TICKS_KEY)
    assert (
        [name for name, _ in gap] == [name for name, _ in beat] == ["n", "at", "w", "v", "t", "d"]
    )
    gap, beat = dict(gap), dict(beat)
    schema = b"%d" % codec.SCHEMA
    assert (gap["n"], gap["w"], gap["v"], gap["t"], gap["d"]) == (
        b"1",
        b"replica-1",
        schema,
        b"gap",
        b"\x00\xff",
    )
    assert (beat["n"], beat["t"]) == (b"2", b"beat")
    assert before_ms <= int(gap["at"]) <= bench.now_ms()
    message = codec.decode("beat", codec.SCHEMA, beat["d"])
    assert beat["d"] == codec.encode(message)
    assert (message.ts_us, message.age_ms) == (EVENT_US, 7)


async def test_a_record_says_whose_it_is_and_how_far_it_got(bench):
    lease = await take(bench)

    await bench.log.publish(lease, TICKS, 4, [], at(EVENT_US))

    record = bench.record()
    assert 0 < int(record.pop("until")) - bench.now_ms() <= 3000
    assert record == {
        "owner": "replica-1",
        "epoch": lease.epoch,
        "pseq": "4",
        "stuck": "0",
        "stuck_at": "",
        "out_n": "1",
        "run": "run-1",
        "beat": str(EVENT_US),
        "beat_n": "1",
        "pbeat": str(EVENT_US),
    }


async def test_what_an_owner_writes_is_of_the_server_s_time_and_extends_its_lease(bench):
    entry, other = bench.add(TICKS_KEY, "5-1"), bench.add(TICKS_KEY, "5-2")
    lease, before_ms = await take(bench), bench.now_ms()
    deadlines = []

    async def deadline_after(call) -> Lease:
        bench.client.hset(OWN_KEY, "until", 0)
        moved = await call
        deadlines.append(int(bench.record()["until"]) - 3000)
        return moved

    log, answer = bench.log, [Draft("5-1", "t", b"d")]
    lease, _ = await deadline_after(log.commit(lease, TICKS, ANALYSIS, entry, answer))
    await deadline_after(log.mark(lease, "5-1", "sent"))
    await deadline_after(log.park(lease, other, "why"))
    await log.enqueue("NIFTY", OUTBOX, "name", "text", b"{}")

    written = [ANALYSIS_KEY, f"{OUTBOX}:{{NIFTY}}", f"oi.dead.v1:{{NIFTY}}:{ROLE}"]
    times = [int(dict(bench.entries(key)[0][1])["at"]) for key in written]
    assert before_ms <= min(*times, *deadlines) <= max(*times, *deadlines) <= bench.now_ms()


async def test_an_epoch_is_the_time_unless_the_clock_was_set_back(bench):
    before_ms = bench.now_ms()
    first = await take(bench)
    ahead = bench.now_ms() + YEAR_MS
    bench.client.hset(OWN_KEY, mapping={"owner": "", "epoch": ahead})

    second = await take(bench)

    assert before_ms <= int(first.epoch) <= bench.now_ms()
    assert second.epoch == str(ahead + 1)


async def test_ids_are_compared_as_numbers_when_a_rollback_is_looked_for(bench):
    lease = await take(bench)
    at_ten = bench.add(TICKS_KEY, "5-10")
    await bench.log.commit(lease, TICKS, ANALYSIS, at_ten, [])

    level = await bench.log.acquire(ROLE, "NIFTY", TICKS)
    bench.client.xtrim(TICKS_KEY, maxlen=0)
    emptied = await bench.log.acquire(ROLE, "NIFTY", TICKS)
    bench.client.delete(TICKS_KEY)
    bench.add(TICKS_KEY, "5-9")
    cut_back = await bench.log.acquire(ROLE, "NIFTY", TICKS)

    assert not level.is_rolled_back
    assert not emptied.is_rolled_back
    assert cut_back.is_rolled_back
    assert (bench.record()["cursor"], bench.record()["in_n"]) == ("0-0", "0")


async def test_answers_are_trimmed_by_their_number(bench):
    lease = await take(bench)

    for i in range(1, 400):
        entry = bench.add(TICKS_KEY, f"{bench.now_ms()}-{i}")
        lease, _ = await bench.log.commit(
            lease, TICKS, ANALYSIS, entry, [Draft(entry.id, "t", b"d")]
        )

    assert 100 <= bench.client.xlen(ANALYSIS_KEY) < 300
    assert bench.record()["out_n"] == "399"


async def test_answers_of_long_ago_are_trimmed(bench):
    lease = await take(bench)

    for i in range(1, 250):
        entry = bench.add(TICKS_KEY, f"5-{i}")
        answer = [Draft(entry.id, "t", b"d")]
        lease, _ = await bench.log.commit(lease, TICKS, ADVICE_RICH, entry, answer)

    assert bench.client.xlen(f"{ADVICE_RICH}:{{NIFTY}}") < 120


async def test_names_of_messages_are_forgotten_with_them(bench):
    seen, two_days_ms = f"oi.seen:{{NIFTY}}:{OUTBOX}", 2 * 24 * 3600 * 1000
    oldest_ms = bench.now_ms() - two_days_ms
    bench.client.zadd(seen, {"long ago": oldest_ms - 1, "of late": oldest_ms + 60_000})

    await bench.log.enqueue("NIFTY", OUTBOX, "new", "text", b"{}")

    assert bench.client.zrange(seen, 0, -1) == [b"of late", b"new"]
    assert not await bench.log.enqueue("NIFTY", OUTBOX, "of late", "text", b"{}")


# --- what is refused ---------------------------------------------------------------------------------------------------


async def test_a_refused_write_changes_nothing(bench):
    entry = bench.add(TICKS_KEY, "5-1")
    mine = await take(bench)
    before = bench.everything()
    old = Lease(ROLE, "NIFTY", str(int(mine.epoch) - 1), mine.cursor, 0)
    elsewhere = Lease(ROLE, "NIFTY", mine.epoch, "4-1", 0)
    lost = Entry(TICKS, "NIFTY", "5-2", "gap", 1, b"{}", 2)
    answer = [Draft(entry.id, "t", b"d")]
    log = bench.log
    calls = [
        (lambda: log.publish(old, ANALYSIS, 9, [("gap", b"{}")], PULSE), "FENCED"),
        (lambda: log.commit(old, TICKS, ANALYSIS, entry, answer, b"state"), "FENCED"),
        (lambda: log.attempt(old, entry.id), "FENCED"),
        (lambda: log.park(old, entry, "why"), "FENCED"),
        (lambda: log.commit(elsewhere, TICKS, ANALYSIS, entry, answer, b"state"), "DIVERGED"),
        (lambda: log.commit(mine, TICKS, ANALYSIS, lost, answer, b"state"), "DIVERGED"),
        (lambda: log.park(elsewhere, entry, "why"), "DIVERGED"),
    ]

    for call, why in calls:
        with pytest.raises(LostOwnership, match=why):
            await call()
        assert bench.everything() == before
    await log.release(old, b"state")
    assert bench.everything() == before


async def test_a_write_whose_reply_was_lost_adds_nothing_when_it_is_repeated(bench):
    entry = bench.add(TICKS_KEY, "5-1")
    lease = await take(bench)
    answer = [Draft(entry.id, "t", b"d")]
    await bench.log.publish(lease, ANALYSIS, 1, [], PULSE)
    await bench.log.commit(lease, TICKS, ANALYSIS, entry, answer, b"state")
    written = bench.everything()

    is_beat = await bench.log.publish(lease, ANALYSIS, 1, [("gap", b"{}")], PULSE)
    with pytest.raises(LostOwnership, match="DIVERGED"):
        await bench.log.commit(lease, TICKS, ANALYSIS, entry, answer, b"other")

    assert not is_beat
    assert bench.everything() == written


async def test_a_commit_that_failed_midway_is_made_good_by_the_next(bench):
    entry = bench.add(TICKS_KEY, "5-1")
    lease = await take(bench)
    good, bad = Draft("5-1", "t", b"d"), Draft("not an id", "t", b"d")

    with pytest.raises(redis_py.ResponseError, match="Invalid stream ID"):
        await bench.log.commit(lease, TICKS, ANALYSIS, entry, [good, bad], b"state")
    half = bench.record()
    more = Draft("5-2", "t", b"d")
    moved, refused = await bench.log.commit(lease, TICKS, ANALYSIS, entry, [good, more], b"state")

    assert "cursor" not in half
    assert (moved.cursor, refused) == ("5-1", 1)
    entries = bench.entries(ANALYSIS_KEY)
    assert [(id_, dict(fields)["n"]) for id_, fields in entries] == [("5-1", b"1"), ("5-2", b"2")]
