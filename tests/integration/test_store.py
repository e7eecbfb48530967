import asyncio
import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import tempfile

import orjson
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from notifier import store as store_module
from notifier.rows import unpacked
from notifier.store import Store, address
from notifier.tables import SCHEMA, TABLES, metadata
from oimon import codec
from oimon.bus.log import Draft
from oimon.bus.memory import MemoryBus
from oimon.errors import ConfigError, PoisonMessage, TransientError
from oimon.messages import ADVICE_MINIMAL, TICKS
from tests.unit.notifier.samples import (
    NOW_US,
    make_advice,
    make_analysis,
    make_board,
    make_entry,
    make_gap,
    make_rich_advice,
    make_session,
    make_trade,
)

HAS_POSTGRES = shutil.which("initdb") is not None and os.name == "posix"
KINDS = ["sqlite", "postgres"] if HAS_POSTGRES else ["sqlite"]

TEXT = {
    "id": "oi.advice-minimal.v1:NIFTY/1-0/42",
    "ts_us": NOW_US,
    "ist": "2026-08-18 12:41:07",
    "underlying": "NIFTY",
    "mode": "REPLAY",
    "run": "r1",
    "kind": "decision",
    "recipient": "42",
    "outcome": "sent",
    "why": None,
    "text": "⚡ NIFTY",
}


@pytest.fixture(scope="session")
def postgres_url():
    """A Postgres of the test run's own; the server refuses root, so root starts it as another user.

    Its folder is none of pytest's: each run of pytest shuts the others out of those. It has a socket in it and no port, so that
    nobody can have taken that.
    """
    user = "postgres" if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="oi-postgres-") as home:
        if user is not None:
            shutil.chown(home, user)
        data, log = f"{home}/data", f"{home}/log"

        def run(*command: str) -> None:
            done = subprocess.run(
                command, user=user, cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"

        run("initdb", "-D", data, "-U", "oim", "-A", "trust", "-N")
        options = f"-k {home} -c listen_addresses= -c fsync=off"
        run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")
        try:
            yield f"postgresql://oim@/postgres?host={home}"
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "stop")


@pytest.fixture(params=KINDS)
async def url(request, tmp_path):
    """Address of an empty database of each kind."""
    if request.param == "sqlite":
        return address(None, tmp_path / "data")
    made = address(request.getfixturevalue("postgres_url"), tmp_path)
    engine = create_async_engine(made)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
    await engine.dispose()
    return made


@contextlib.asynccontextmanager
async def opened(url):
    store = Store(url)
    try:
        yield store
    finally:
        await store.close()


async def rows_of(url, table):
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        found = (await connection.execute(sa.select(TABLES[table]).order_by("id"))).mappings()
        rows = [dict(row) for row in found]
    await engine.dispose()
    return rows


async def test_every_message_becomes_a_row_with_what_a_person_asks_for(url):
    entries = [
        make_entry(make_session()),
        make_entry(make_gap()),
        make_entry(make_analysis()),
        make_entry(make_board()),
        make_entry(make_advice()),
        make_entry(make_rich_advice()),
        make_entry(make_trade()),
    ]

    async with opened(url) as store:
        await store.write(entries)

        assert store.rows_written == 7
    analysis, board = await rows_of(url, "analyses")
    assert analysis["id"] == f"oi.analysis.v1:NIFTY/{NOW_US // 1000}-0"
    assert (analysis["ist"], analysis["mode"]) == ("2026-08-18 12:41:07", "REPLAY")
    assert (analysis["pcr"], analysis["max_pain"], analysis["support"]) == (1.18, 24_450, 24_400)
    assert (analysis["direction"], analysis["is_stale"]) == ("BULLISH", False)
    assert (board["kind"], board["underlying"], board["pcr"]) == ("quotes", "SILVERMIC", None)
    minimal, rich = await rows_of(url, "advice")
    assert (minimal["coach"], minimal["action"], minimal["by_why"]) == ("minimal", "WAIT", "no_key")
    assert (rich["coach"], rich["side"], rich["decided_by"]) == ("rich", "CE", "model")
    assert orjson.loads(rich["body"])["transcript"]["model"] == "qwen/qwen-2.5-72b-instruct"
    assert [row["price"] for row in await rows_of(url, "trades")] == ["186.60"]
    assert [row["quotes_assumed"] for row in await rows_of(url, "sessions")] == [0.003]
    assert [row["why"] for row in await rows_of(url, "gaps")] == ["socket closed"]


async def test_the_body_holds_the_whole_analysis(url):
    entry = make_entry(make_analysis())

    async with opened(url) as store:
        await store.write([entry])

    [row] = await rows_of(url, "analyses")
    assert unpacked(row["body"]) == entry.data


async def test_a_repeat_changes_nothing(url):
    entries = [make_entry(make_analysis()), make_entry(make_advice())]

    async with opened(url) as store:
        await store.write(entries)
        await store.write([*entries, make_entry(make_advice(), f"{NOW_US // 1000 + 1}-0")])

        assert store.rows_written == 3
    assert len(await rows_of(url, "analyses")) == 1
    assert len(await rows_of(url, "advice")) == 2


async def test_a_session_that_is_said_again_stays_one_row(url):
    again = [make_entry(make_session(), f"{NOW_US // 1000 + n}-0") for n in range(3)]
    grown = make_entry(make_session(table="ffffffffffffffff"), f"{NOW_US // 1000 + 9}-0")

    async with opened(url) as store:
        await store.write([*again, grown])

    hashes = [row["table_hash"] for row in await rows_of(url, "sessions")]
    assert hashes == ["00112233aabbccdd", "ffffffffffffffff"]


async def test_the_rows_of_a_stream_are_named_from_an_entry_on_with_the_entry_of_each(url):
    before, at, after = (f"{NOW_US // 1000 + n}-0" for n in (-1, 0, 1))
    advice = [make_entry(make_advice(), entry_id) for entry_id in (before, at, after)]
    other = make_entry(make_advice(), at, partition="NIFTY_")  # LIKE's own signs must not match
    said = [make_entry(make_session(), entry_id) for entry_id in (before, after)]
    async with opened(url) as store:
        await store.write([*advice, other, *said, make_entry(make_gap(), at)])

        minimal = await store.row_names(ADVICE_MINIMAL, "NIFTY", at)
        ticks = await store.row_names(TICKS, "NIFTY", at)

    assert minimal == {advice[1].key: at, advice[2].key: after}
    assert ticks == {store.row_name(said[0]): before, f"{TICKS}:NIFTY/{at}": at}


async def test_ticks_and_beats_are_no_rows_and_are_not_even_decoded(url):
    entry = make_entry(make_gap())
    noise = [make_entry(make_gap(), kind=kind, data=b"?") for kind in ("ticks", "beat")]

    async with opened(url) as store:
        await store.write([*noise, entry])

        assert (store.rows_written, store.rows_refused) == (1, 0)


async def test_a_batch_with_an_entry_that_cannot_be_decoded_leaves_nothing_and_is_told(url):
    good, bad = make_entry(make_advice()), make_entry(make_advice(), "1-0", data=b"{")

    async with opened(url) as store:
        with pytest.raises(PoisonMessage, match="not a message of kind advice"):
            await store.write([good, bad])

        assert (store.rows_written, store.rows_refused) == (0, 0)
        with pytest.raises(PoisonMessage):
            await store.write([bad])
        assert (store.rows_written, store.rows_refused) == (0, 1)


async def test_the_bus_parks_what_can_have_no_row_and_the_others_have_theirs(url):
    bus = MemoryBus()
    await bus.declare(["NIFTY"])
    queue = bus.store.own("queue", "NIFTY")
    advice = codec.encode(make_advice())
    for data in (advice, b"{", advice):
        bus.store.append(ADVICE_MINIMAL, "NIFTY", queue, Draft("", "advice", data))
    async with opened(url) as store:
        await bus.stop()  # a stopped bus hands over what is there, and returns

        await bus.share("db", [ADVICE_MINIMAL], store.write)

        assert (store.rows_written, store.rows_refused) == (2, 1)
    [parked] = await bus._log.parked("db", "NIFTY")
    assert (parked.entry.data, parked.why[:14]) == (b"{", "PoisonMessage:")


async def test_stores_of_several_partitions_write_at_once(url):
    async with opened(url) as store, asyncio.TaskGroup() as tasks:
        for partition in ("NIFTY", "SENSEX", "BANKNIFTY"):
            tasks.create_task(
                store.write(
                    [make_entry(make_advice(), f"{n}-0", partition=partition) for n in range(1, 51)]
                )
            )

    assert len(await rows_of(url, "advice")) == 150


async def test_what_became_of_a_text_is_a_row(url):
    async with opened(url) as store:
        await store.write_text(TEXT)

    assert await rows_of(url, "texts") == [TEXT]


async def test_a_text_that_had_failed_and_went_out_since_is_said_to_have_been_sent(url):
    columns = TEXT | {"outcome": "failed", "why": "Chat not found"}
    sent = TEXT | {"outcome": "sent", "why": None}
    counts = []

    async with opened(url) as store:
        for each in (columns, columns, sent, sent, columns):
            await store.write_text(each)
            counts.append(store.rows_written)

    assert await rows_of(url, "texts") == [sent]
    assert counts == [1, 1, 2, 2, 2]


async def test_tables_of_another_version_are_refused_and_named(url):
    async with opened(url) as store:
        await store.prepare()
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(sa.text("UPDATE schema SET version = 99"))
    await engine.dispose()

    async with opened(url) as store:
        with pytest.raises(ConfigError, match=rf"version 99, this program needs {SCHEMA}"):
            await store.prepare()


async def test_two_services_may_make_the_tables_at_once(url):
    async with opened(url) as one, opened(url) as other:
        await asyncio.gather(one.prepare(), other.prepare())

        await other.write([make_entry(make_advice())])

    assert len(await rows_of(url, "advice")) == 1


async def test_another_that_makes_the_same_new_file_is_waited_for(tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "oimon.db", isolation_level=None)) as other:
        other.executescript("BEGIN IMMEDIATE; CREATE TABLE a (x);")
        async with opened(address(None, tmp_path)) as store:
            preparing = asyncio.ensure_future(store.prepare())
            done, _ = await asyncio.wait({preparing}, timeout=0.3)
            assert not done  # SQLite itself would have given up at once

            other.execute("COMMIT")
            await preparing


async def test_a_database_that_is_locked_from_the_start_is_a_passing_trouble(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_MS", 50)
    with contextlib.closing(sqlite3.connect(tmp_path / "oimon.db", isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        async with opened(address(None, tmp_path)) as store:
            with pytest.raises(TransientError, match="database is locked"):
                await store.prepare()
            other.execute("ROLLBACK")

            await store.prepare()


async def test_sqlite_can_be_read_while_it_is_written(tmp_path):
    async with opened(address(None, tmp_path)) as store:
        await store.prepare()

    with contextlib.closing(sqlite3.connect(tmp_path / "oimon.db")) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_locked_database_is_a_passing_trouble_and_nothing_is_lost(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "BUSY_MS", 50)
    url = address(None, tmp_path)
    entry = make_entry(make_advice())
    async with opened(url) as store:
        await store.prepare()
        blocker = sqlite3.connect(tmp_path / "oimon.db", isolation_level=None)
        blocker.execute("BEGIN EXCLUSIVE")

        for entries in ([entry], []):
            with pytest.raises(TransientError, match="database is locked"):
                await store.write(entries)
        blocker.execute("ROLLBACK")
        blocker.close()
        await store.write([entry])

    assert len(await rows_of(url, "advice")) == 1


async def test_a_server_that_is_away_is_a_passing_trouble_and_its_password_is_not_told():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    async with opened(address(f"postgresql://oim:s3cret@127.0.0.1:{port}/x", None)) as store:
        with pytest.raises(TransientError, match=r"database postgresql.*127\.0\.0\.1") as caught:
            await store.write([make_entry(make_advice())])

    assert "s3cret" not in str(caught.value)


@pytest.mark.skipif(not HAS_POSTGRES, reason="needs Postgres' programs on the PATH")
async def test_a_row_that_postgres_refuses_is_told(postgres_url, tmp_path):
    nul = make_entry(make_advice(by_why="a\x00b"), "1-0")  # Postgres has no NUL in a text

    async with opened(address(postgres_url, tmp_path)) as store:
        with pytest.raises(PoisonMessage, match="the database refuses its row"):
            await store.write([nul])
        await store.write([make_entry(make_advice(), "7-7")])

        assert (store.rows_written, store.rows_refused) == (1, 1)
    ids = {row["id"] for row in await rows_of(address(postgres_url, tmp_path), "advice")}
    assert "oi.advice-minimal.v1:NIFTY/7-7" in ids
    assert "oi.advice-minimal.v1:NIFTY/1-0" not in ids


@pytest.mark.skipif(not HAS_POSTGRES, reason="needs Postgres' programs on the PATH")
async def test_a_connection_that_the_server_cut_is_replaced(postgres_url, tmp_path):
    url = address(postgres_url, tmp_path)
    async with opened(url) as store:
        await store.prepare()
        engine = create_async_engine(url)
        async with engine.connect() as connection:
            await connection.execute(
                sa.text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
                )
            )
        await engine.dispose()

        await store.write([make_entry(make_advice(), "8-8")])

        assert store.rows_written == 1


def test_common_addresses_get_the_driver_that_is_used(tmp_path):
    assert address(None, tmp_path).render_as_string() == f"sqlite+aiosqlite:///{tmp_path}/oimon.db"
    assert address("postgresql://u@h/d", tmp_path).drivername == "postgresql+asyncpg"
    assert address("postgres://u@h/d", tmp_path).drivername == "postgresql+asyncpg"
    assert address("sqlite:///x.db", tmp_path).drivername == "sqlite+aiosqlite"


@pytest.mark.parametrize("wrong", ["mysql://u:pw@h/d", "not an address"])
def test_an_address_of_another_kind_is_refused_without_its_password(wrong, tmp_path):
    with pytest.raises(ConfigError, match="DATABASE_URL") as caught:
        address(wrong, tmp_path)

    assert "pw" not in str(caught.value)
