"""Every message a row: SQLite in the data folder, or Postgres by ``DATABASE_URL``.

The only module that knows SQLAlchemy, with ``tables`` (and the ledger, when there is one). Tables are made at the start; those
of another shape than this program's are refused, and nothing is written.
"""

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import AdaptedConnection
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from notifier.rows import Row, row_name, row_of, session_name
from notifier.tables import (
    OF_STREAM,
    SCHEMA,
    TABLES,
    metadata,
    naming_columns,
    schema,
    sessions,
    texts,
)
from oimon import metrics
from oimon.bus import Entry
from oimon.bus.sending import FAILED
from oimon.errors import ConfigError, PoisonMessage, TransientError, inside

BUSY_MS = 5_000
WAL_AGAIN_S = 0.02
POSTGRES_LIMITS_S = {"timeout": 5, "command_timeout": 20}
_LOCKS = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(65793)"}
_BAD_ROW = ("22", "23")
"""Classes of SQLSTATE that blame the data. Source: PostgreSQL documentation, appendix A."""


def address(database_url: str | None, data_dir: Path) -> sa.URL:
    """Return where the database is, with the driver that is used for it.

    Raises:
        ConfigError: not the address of a SQLite or Postgres database.
    """
    if database_url is None:
        return sa.URL.create("sqlite+aiosqlite", database=str(data_dir / "oimon.db"))
    try:
        url = sa.make_url(database_url)
    except SQLAlchemyError as error:
        raise ConfigError(
            "DATABASE_URL: not an address of a database. Write it like "
            "postgresql://user:password@host/name"
        ) from error
    drivers = {
        "postgresql": "postgresql+asyncpg",
        "postgres": "postgresql+asyncpg",
        "sqlite": "sqlite+aiosqlite",
    }
    kind = url.drivername.split("+", maxsplit=1)[0]
    if kind not in drivers:
        raise ConfigError(
            f"DATABASE_URL: must be postgresql:// or sqlite:///, was {url.drivername}://"
        )
    return url.set(drivername=drivers[kind])


class Store:
    """The database, written by this process.

    Args:
        url: from ``address``.
    """

    def __init__(self, url: sa.URL) -> None:
        self.where = url.render_as_string(hide_password=True)
        self.rows_written = 0
        self.rows_refused = 0
        self._is_sqlite = url.get_backend_name() == "sqlite"
        self._engine = _sqlite_engine(url) if self._is_sqlite else _postgres_engine(url)
        self._file = Path(url.database) if self._is_sqlite and url.database else None
        self._lock = _LOCKS[url.get_backend_name()]
        self._is_ready = False
        self._preparing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the tables where they are missing.

        Raises:
            TransientError: the database is away.
            ConfigError: its tables are of another version.
        """
        async with self._preparing:
            if self._is_ready:
                return
            with self._troubles():
                if self._file is not None:
                    self._file.parent.mkdir(parents=True, exist_ok=True)
                async with self._engine.begin() as connection:
                    await connection.exec_driver_sql(self._lock)  # two replicas may start at once
                    await connection.run_sync(metadata.create_all)
                    await self._check_version(connection)
            self._is_ready = True

    async def write(self, entries: Sequence[Entry]) -> None:
        """Write the entries' rows in one transaction; what is there already stays as it is. Given none, only ask whether it can.

        Raises:
            TransientError: the database is away; nothing was written.
            PoisonMessage: one of them can have no row; nothing was written.
        """
        await self.prepare()
        if not entries:
            with self._troubles():
                async with self._engine.begin() as connection:
                    await connection.exec_driver_sql(self._lock)
            return
        try:
            rows = await asyncio.to_thread(_rows, entries)  # compressing would hold up the loop
            await self._insert(rows)
        except PoisonMessage:
            if len(entries) == 1:  # of a batch, each is given again by itself: only then it counts
                self.rows_refused += 1
            raise

    async def write_text(self, columns: dict[str, Any]) -> None:
        """Write what became of a text to a person; of one that had failed, what became of it since.

        Raises:
            TransientError: the database is away.
            PoisonMessage: the database refuses what it says.
        """
        await self.prepare()
        await self._insert([Row("texts", columns)])

    def row_name(self, entry: Entry) -> str | None:
        """Return what the entry's row is known by; ``None`` for an entry that has none."""
        return row_name(entry)

    async def row_names(self, stream: str, partition: str, oldest: str) -> Mapping[str, str]:
        """Return what each row of a stream's entries, from ``oldest`` on, is known by, and the id of its entry.

        Raises:
            TransientError: the database is away, or nobody has made it yet.
        """
        if self._file is not None and not self._file.exists():  # opening it would make it
            raise TransientError(f"database {self.where}: there is no such file")
        prefix, found = f"{stream}:{partition}/", {}
        for table in OF_STREAM[stream]:
            asked = sa.select(*naming_columns(table))
            asked = asked.where(table.c.id.startswith(prefix, autoescape=True))
            if table is not sessions:  # a session's one row may be of long before
                # Milliseconds have as many digits for centuries, so text orders as numbers do.
                asked = asked.where(table.c.id >= prefix + oldest.partition("-")[0])
            with self._troubles():
                async with self._engine.connect() as connection:
                    rows = (await connection.execute(asked)).all()
            for row_id, *naming in rows:
                name = session_name(*naming) if table is sessions else row_id
                found[name] = row_id.removeprefix(prefix)
        return found

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    async def _check_version(self, connection: AsyncConnection) -> None:
        found = (await connection.execute(sa.select(schema.c.version))).scalar_one_or_none()
        if found is None:
            await connection.execute(sa.insert(schema).values(version=SCHEMA))
        elif found != SCHEMA:
            raise ConfigError(
                f"the database {self.where} has tables of version {found}, this program needs "
                f"{SCHEMA}. Use the program that made them, or name another DATABASE_URL or DATA_DIR"
            )

    async def _insert(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        by_table: dict[str, list[dict[str, Any]]] = {}
        for row in rows:
            by_table.setdefault(row.table, []).append(row.columns)
        with self._troubles():
            async with self._engine.begin() as connection:
                written = {
                    table: await self._insert_new(connection, TABLES[table], columns)
                    for table, columns in by_table.items()
                }
        for table, count in written.items():
            metrics.ROWS.labels(table).inc(count)
            self.rows_written += count

    async def _insert_new(
        self, connection: AsyncConnection, table: sa.Table, columns: list[dict[str, Any]]
    ) -> int:
        statement = self._insertion(table).returning(table.c.id)
        # One shape a statement: a column that one row lacks would be missing in all.
        full = [{c.name: given.get(c.name) for c in table.c} for given in columns]
        return len((await connection.execute(statement, full)).all())

    def _insertion(self, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
        new = sqlite.insert(table) if self._is_sqlite else postgresql.insert(table)
        if table is not texts:
            return new.on_conflict_do_nothing()
        is_better = (table.c.outcome == FAILED) & (new.excluded.outcome != FAILED)
        return new.on_conflict_do_update(  # `oi dead replay` puts a text that failed in the outbox again
            index_elements=[table.c.id],
            set_={"outcome": new.excluded.outcome, "why": new.excluded.why},
            where=is_better,
        )

    @contextmanager
    def _troubles(self) -> Iterator[None]:
        """Tell two troubles apart: the data is to blame, or the database is away."""
        try:
            yield
        except (DataError, IntegrityError) as error:
            raise PoisonMessage(f"the database refuses its row: {error.orig}") from error
        except DBAPIError as error:
            if str(getattr(error.orig, "sqlstate", "")).startswith(_BAD_ROW):
                raise PoisonMessage(f"the database refuses its row: {error.orig}") from error
            raise TransientError(f"database {self.where}: {inside(error.orig)}") from error
        except (SQLAlchemyError, OSError) as error:
            raise TransientError(f"database {self.where}: {inside(error)}") from error


def _rows(entries: Sequence[Entry]) -> list[Row]:
    return [row for row in map(row_of, entries) if row is not None]


def _sqlite_engine(url: sa.URL) -> AsyncEngine:
    # One connection, as SQLite has one writer.
    engine = create_async_engine(url, pool_size=1, max_overflow=0)

    @sa.event.listens_for(engine.sync_engine, "connect")
    def set_up(connection: AdaptedConnection, _record: object) -> None:
        connection.run_async(_set_up_sqlite)

    return engine


async def _set_up_sqlite(connection: Any) -> None:
    """Let readers and the writer not wait for each other, and writers wait for each other.

    A new file's switch to WAL is the one thing that ``busy_timeout`` does not cover: where another process makes the same
    database, it fails at once, so it is tried again as long as SQLite would wait. Source: SQLite documentation, "WAL", section 2.
    """
    for pragma in (f"busy_timeout={BUSY_MS}", "synchronous=NORMAL"):
        await connection.execute(f"PRAGMA {pragma}")
    until_s = asyncio.get_running_loop().time() + BUSY_MS / 1000
    while True:
        try:
            await connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            is_busy = (
                error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            )  # or an extended code of it
            if not is_busy or asyncio.get_running_loop().time() > until_s:
                raise
        else:
            return
        await asyncio.sleep(WAL_AGAIN_S)


def _postgres_engine(url: sa.URL) -> AsyncEngine:
    return create_async_engine(url, pool_pre_ping=True, connect_args=POSTGRES_LIMITS_S)
