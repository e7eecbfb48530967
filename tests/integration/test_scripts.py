"""The log on real servers that forget, refuse, are full or are emptied: what its scripts and its client make of it."""

import asyncio
import contextlib
import time

import pytest
import redis as redis_py

from oimon import codec
from oimon.bus import Entry, Pulse, Use
from oimon.bus.log import NEVER, TWO_DAYS_MS, Draft, Kept, Lease, Retention, Taken
from oimon.bus.redis import RedisLog
from oimon.errors import BusDown, ConfigError
from oimon.messages import ANALYSIS, OUTBOX, TICKS
from oimon.terms import FeedState, MarketState
from tests.eventually import eventually
from tests.integration.conftest import SERVERS, flush

PULSE = Pulse(run="run-1", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=0)
ROLE = "analytics"
OWN = "oi.own:{NIFTY}:analytics"
REAL = ("redis", "plain-redis")


@pytest.fixture(params=REAL)
def url(request) -> str:
    """Address of an empty server of its own kind."""
    found = request.getfixturevalue(SERVERS[request.param])
    flush(found)
    return found


@pytest.fixture
def server(url):
    """A plain connection to the server."""
    with redis_py.Redis.from_url(url, protocol=2, decode_responses=True) as client:
        yield client


@pytest.fixture
async def new_log(url):
    """Give one more replica's log."""
    made = []

    def make(**options) -> RedisLog:
        made.append(RedisLog(url, f"replica-{len(made)}", **options))
        return made[-1]

    yield make
    for log in made:
        await log.close()


async def take(log: RedisLog, role: str = ROLE) -> Lease:
    return (await log.acquire(role, "NIFTY", TICKS if role == ROLE else None)).lease


async def feed(log: RedisLog, count: int = 3) -> list[Entry]:
    lease = await take(log, "ingest")
    await log.publish(lease, TICKS, 1, [("gap", b"%d" % i) for i in range(count)], PULSE)
    return list(await log.read(TICKS, "NIFTY", NEVER, 10_000, 0))


# --- the server forgets --------------------------------------------------------------------------------------------------


async def test_a_server_that_forgot_its_scripts_is_sent_them_again_and_writes_once(new_log, server):
    log = new_log()
    entries = await feed(log)
    lease = await take(log)
    lease, _ = await log.commit(lease, TICKS, ANALYSIS, entries[0], [])

    server.script_flush()
    await log.commit(lease, TICKS, ANALYSIS, entries[1], [Draft(entries[1].id, "text", b"x")])
    server.script_flush()
    await log.publish(await take(log, "ingest"), TICKS, 2, [("gap", b"4")], PULSE)

    assert [e.n for e in await log.read(ANALYSIS, "NIFTY", NEVER, 10, 0)] == [1]
    assert [e.n for e in await log.read(TICKS, "NIFTY", NEVER, 10, 0)] == [1, 2, 3, 4]


async def test_leases_that_are_renewed_in_one_moment_need_one_connection(new_log, server):
    log = new_log()
    names = [f"U{number}" for number in range(40)]
    before = len(server.client_list())

    taken = await asyncio.gather(*(log.acquire(ROLE, name, TICKS) for name in names))
    server.script_flush()
    held = await asyncio.gather(*(log.acquire(ROLE, name, TICKS) for name in names))

    assert len(server.client_list()) == before + 1
    assert [grant.lease for grant in held] == [grant.lease for grant in taken]
    assert {grant.taken for grant in held} == {Taken.HELD}


async def test_a_connection_that_was_cut_costs_one_answer_and_no_write(new_log, server):
    log = new_log()
    lease = await take(log, "ingest")

    for pseq in range(1, 11):
        server.client_kill_filter(_type="normal", skipme=True)
        await eventually(lambda pseq=pseq: _published(log, lease, pseq))

    assert [e.n for e in await log.read(TICKS, "NIFTY", NEVER, 100, 0)] == list(range(1, 11))


async def _published(log: RedisLog, lease: Lease, pseq: int) -> bool:
    try:
        await log.publish(lease, TICKS, pseq, [("gap", b"x")], PULSE)
    except BusDown:
        return False
    return True


async def test_who_joins_a_group_forgets_nobody_who_was_heard_of_lately(new_log, server):
    log, other, people = new_log(), new_log(), new_log()
    entries = await feed(log)
    await log.group_done("db", await log.group_read("db", [TICKS], "NIFTY", 10, 0))

    await other.group_read("db", [TICKS], "NIFTY", 10, 0)
    await people.redeliver("db", entries[0])

    members = server.xinfo_consumers(f"{TICKS}:{{NIFTY}}", "db")
    assert {(each["name"], each["pending"]) for each in members} >= {(log._me, 0), ("redelivered", 1)}  # fmt: skip


async def test_a_group_whose_log_was_emptied_begins_anew(new_log, url):
    log, other = new_log(), new_log()
    entries = await feed(log, 1)
    await log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 0)
    waiting = asyncio.create_task(log.group_read("db", [TICKS, ANALYSIS], "NIFTY", 10, 1000))
    await other.newest(TICKS, "NIFTY")

    flush(url)
    with contextlib.suppress(BusDown):  # Redis 7.0 tells whoever waits
        assert await waiting == ()
    assert await log.group_claim("db", [TICKS, ANALYSIS], "NIFTY", 10) == []
    flush(url)
    assert await log.group_claim("db", [TICKS, ANALYSIS], "NIFTY", 10) == []
    await log.group_done("db", entries)
    flush(url)
    await log.group_park("db", entries[0], "why", 4)
    new = await feed(other, 2)

    assert await eventually(lambda: log.group_read("db", [TICKS], "NIFTY", 10, 0)) == new
    assert await log.parked("db", "NIFTY") == []


# --- the server cannot write ---------------------------------------------------------------------------------------------


@contextlib.contextmanager
def full(server):
    """Have the server refuse everything that needs memory."""
    before = server.config_get("maxmemory")["maxmemory"]
    server.config_set("maxmemory", "1mb")
    try:
        yield
    finally:
        server.config_set("maxmemory", before)


@contextlib.contextmanager
def read_only(server):
    """Make the server the copy of one that is not there."""
    server.replicaof("127.0.0.1", 1)
    try:
        yield
    finally:
        server.replicaof("NO", "ONE")


@contextlib.contextmanager
def alone(server):
    """Have the server ask for a copy that it does not have."""
    server.config_set("min-replicas-to-write", 1)
    try:
        yield
    finally:
        server.config_set("min-replicas-to-write", 0)


async def test_who_waits_for_entries_as_the_server_becomes_a_copy_is_told_of_an_outage(
    new_log, server
):
    log = new_log()
    await feed(log)
    reads = (
        log.read(ANALYSIS, "NIFTY", NEVER, 10, 1000),
        log.read_any({ANALYSIS: NEVER}, "NIFTY", 10, 1000),
        log.group_read("db", [ANALYSIS], "NIFTY", 10, 1000),
    )
    waiting = [asyncio.ensure_future(each) for each in reads]
    await eventually(lambda: server.info("clients")["blocked_clients"] == len(waiting))

    with read_only(server):
        told = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(each) for each in told] == [BusDown] * len(waiting)


@pytest.mark.parametrize("trouble", [full, read_only, alone])
async def test_a_server_that_cannot_write_is_waited_for_and_writes_nothing_by_halves(
    new_log, server, trouble
):
    log = new_log()
    entries = await feed(log)
    producer, lease = await take(log, "ingest"), await take(log)
    await log.group_read("db", [TICKS], "NIFTY", 10, 0)
    before = server.hgetall(OWN)
    writes = (
        lambda: log.publish(producer, TICKS, 2, [("gap", b"x")], PULSE),
        lambda: log.commit(
            lease, TICKS, ANALYSIS, entries[0], [Draft(e.id, "text", b"x") for e in entries], b"s"
        ),
        lambda: log.commit(lease, TICKS, ANALYSIS, entries[0], []),
        lambda: log.park(lease, entries[0], "why"),
        lambda: log.attempt(lease, entries[0].id),
        lambda: log.acquire(ROLE, "NIFTY", TICKS),
        lambda: log.enqueue("telegram", OUTBOX, "name", "text", b"x"),
        lambda: log.mark(lease, entries[0].id, "sending"),
        lambda: log.spend("llm", "20261126", "minimal", Use(calls=1)),
        lambda: log.group_park("db", entries[0], "why", 4),
        lambda: log.put_status("ingest", "one", {}),
        lambda: log.declare(["NIFTY"]),
    )

    told = []
    with trouble(server):
        for write in writes:
            with pytest.raises(BusDown, match="cannot write now") as error:
                await write()
            told.append(error)

    assert len(told) == len(writes)
    assert server.hgetall(OWN) == before
    assert server.exists("oi.analysis.v1:{NIFTY}", "oi.dead.v1:{NIFTY}:analytics", "oi.dead.v1:{NIFTY}:db", "oi.outbox.v1:{telegram}") == 0  # fmt: skip
    assert [e.n for e in await log.read(TICKS, "NIFTY", NEVER, 10, 0)] == [1, 2, 3]
    for write in writes[:2]:
        await write()
    assert [e.n for e in await log.read(ANALYSIS, "NIFTY", NEVER, 10, 0)] == [1, 2, 3]
    assert [e.n for e in await log.read(TICKS, "NIFTY", NEVER, 10, 0)] == [1, 2, 3, 4]


@pytest.mark.parametrize("url", ["plain-redis"], indirect=True)  # nobody watches that one
async def test_a_server_busy_with_a_script_is_waited_for(new_log, server, url):
    log = new_log()
    await log.newest(TICKS, "NIFTY")
    slow = """
        local from = redis.call('TIME')
        repeat local now = redis.call('TIME') until (now[1] - from[1]) * 1000000 + now[2] - from[2] > 300000
        """
    server.config_set("busy-reply-threshold", 10)

    async def is_refused() -> bool:
        try:
            await log.newest(TICKS, "NIFTY")
        except BusDown as error:
            return "BUSY" in str(error)
        return False

    try:
        working = asyncio.create_task(asyncio.to_thread(server.eval, slow, 0))
        await eventually(is_refused)
        await working
    finally:
        server.config_set("busy-reply-threshold", 5000)

    assert await log.newest(TICKS, "NIFTY") is None


async def test_a_wrong_login_to_a_cluster_is_told_and_not_waited_out(cluster_url):
    log = RedisLog(cluster_url.replace("//", "//nobody:secret@"), "x")

    with pytest.raises(ConfigError, match="refused its user 'nobody'") as error:
        await log.partitions()

    await log.close()
    assert "secret" not in str(error.value)


# --- what is kept --------------------------------------------------------------------------------------------------------


async def test_what_is_too_old_is_dropped_with_the_next_writes(new_log, server):
    log = new_log(retention=Retention(ticks_s=60))
    for i in range(1, 251):
        for stream in (TICKS, ANALYSIS):
            server.xadd(f"{stream}:{{NIFTY}}", {"t": "gap", "v": 1, "n": i, "d": ""}, id=f"{i}-0")

    await log.publish(await take(log, "ingest"), TICKS, 1, [("gap", b"x")] * 16, PULSE)
    entries = await log.read(TICKS, "NIFTY", "1000-0", 100, 0)
    answers = [Draft(e.id, "text", b"x") for e in entries]
    await log.commit(await take(log), TICKS, ANALYSIS, entries[-1], answers)

    for stream in (TICKS, ANALYSIS):  # the server drops whole blocks of a hundred
        assert server.xlen(f"{stream}:{{NIFTY}}") <= 250 + 16 - 200


class Few(Retention):
    """A belt that is soon too short."""

    def of(self, stream: str, partitions: int = 1) -> Kept:
        return Kept(entries=100)


async def test_ticks_have_a_belt_however_young_they_are(new_log, server):
    log = new_log(retention=Few())
    lease = await take(log, "ingest")

    for pseq in range(1, 31):
        await log.publish(lease, TICKS, pseq, [("gap", b"x")] * 16, PULSE)

    assert server.xlen(f"{TICKS}:{{NIFTY}}") <= 100 + 16 + 100  # whole blocks of a hundred


async def test_where_few_large_answers_are_kept_there_are_hardly_more(new_log, server):
    log = new_log(retention=Retention(analyses=10))
    await log.publish(await take(log, "ingest"), TICKS, 1, [("gap", b"x")] * 15, PULSE)
    lease = await take(log)

    for entry in await log.read(TICKS, "NIFTY", NEVER, 15, 0):
        answer = Draft(
            entry.id, "text", bytes(20_000)
        )  # each fills a block of its own, as an analysis does
        lease, _ = await log.commit(lease, TICKS, ANALYSIS, entry, [answer])

    assert server.xlen(f"{ANALYSIS}:{{NIFTY}}") == 10


async def test_many_underlyings_share_the_room_that_analyses_have(new_log, server, monkeypatch):
    monkeypatch.setattr("oimon.bus.log.ANALYSES_TOGETHER", 40)
    log = new_log()
    await log.declare(["BANKNIFTY", "FINNIFTY", "NIFTY", "SENSEX"])
    await log.partitions()
    await log.publish(await take(log, "ingest"), TICKS, 1, [("gap", b"x")] * 15, PULSE)
    lease = await take(log)

    for entry in await log.read(TICKS, "NIFTY", NEVER, 15, 0):
        answer = Draft(entry.id, "text", bytes(20_000))
        lease, _ = await log.commit(lease, TICKS, ANALYSIS, entry, [answer])

    assert server.xlen(f"{ANALYSIS}:{{NIFTY}}") == 10


async def test_the_names_of_what_was_enqueued_are_kept_as_long_as_the_messages(new_log, server):
    log = new_log()
    now_ms = server.time()[0] * 1000
    seen = f"oi.seen:{{telegram}}:{OUTBOX}"
    server.zadd(seen, {"old": now_ms - TWO_DAYS_MS - 60_000, "recent": now_ms - TWO_DAYS_MS + 60_000})  # fmt: skip

    await log.enqueue("telegram", OUTBOX, "new", "text", b"x")

    assert server.zrange(seen, 0, -1) == ["recent", "new"]
    assert not await log.enqueue("telegram", OUTBOX, "recent", "text", b"x")


async def test_of_an_entry_that_is_too_large_all_but_its_data_is_parked(new_log, server):
    log = new_log()
    data = "x" * (codec.MAX_BYTES + 1)
    server.xadd(f"{TICKS}:{{NIFTY}}", {"n": 1, "v": 1, "t": "gap", "d": data})
    (entry,) = await log.read(TICKS, "NIFTY", NEVER, 10, 0)

    await log.park(await take(log), entry, "too large")
    await log.group_read("db", [TICKS], "NIFTY", 10, 0)
    await log.group_park("db", entry, "too large")

    for role in (ROLE, "db"):
        (parked,) = await log.parked(role, "NIFTY")
        assert (parked.entry.id, parked.entry.kind, parked.entry.n) == (entry.id, "gap", 1)
        assert parked.entry.data == b""


# --- clocks and time ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["t", "v", "n", "at"])
async def test_an_entry_with_a_field_that_is_none_of_ours_is_read_as_without_it(
    new_log, server, field
):
    log, ours = new_log(), {"t": "gap", "v": 1, "n": 1, "at": 5, "d": "{}"}
    server.xadd(f"{TICKS}:{{NIFTY}}", ours | {field: b"\xff"}, id="5-5")
    read = {"t": "\ufffd", "v": 0, "n": 0, "at": 0}

    (entry,) = await log.read(TICKS, "NIFTY", NEVER, 10, 0)
    (given,) = await log.group_read("db", [TICKS], "NIFTY", 10, 0)

    found = {"t": entry.kind, "v": entry.version, "n": entry.n, "at": entry.at_ms, "d": "{}"}
    assert found == ours | {field: read[field]}
    assert given == entry


async def test_members_of_before_the_server_s_clock_was_set_back_are_forgotten(new_log, server):
    log = new_log()
    server.zadd("oi.members:{analytics}", {"ghost": server.time()[0] * 1000 + 3_600_000})

    assert await log.members(ROLE) == [log._me]


async def test_a_reader_that_is_cancelled_does_not_sit_out_its_wait(new_log):
    log, longest_s = new_log(), 0.0

    for turns in range(1, 13):  # one of them meets the moment in which the command leaves
        await log.read(TICKS, "NIFTY", NEVER, 10, 0)
        waiting = asyncio.create_task(log.read(TICKS, "NIFTY", NEVER, 10, 1000))
        for _ in range(turns):
            await asyncio.sleep(0)
        began = time.monotonic()
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        longest_s = max(longest_s, time.monotonic() - began)

    assert longest_s < 0.5


async def test_answers_of_different_age_are_not_mixed_up_when_readers_are_cancelled(new_log):
    log = new_log()
    entries = await feed(log, 50)

    async def read(place: int) -> list[Entry]:
        return list(await log.read(TICKS, "NIFTY", entries[place].id, 1, 1000))

    for place in range(48):
        hasty = asyncio.create_task(read(place))
        for _ in range(place % 7):
            await asyncio.sleep(0)
        hasty.cancel()
        await asyncio.gather(hasty, return_exceptions=True)
        assert await read(place) == [entries[place + 1]]
