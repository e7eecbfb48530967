"""The commands that look into the log itself: ``oi audit`` and ``oi dead``."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from oimon import dead
from oimon.audit import report
from oimon.audit.judging import Findings
from oimon.audit.outbox import Texts, of_the_outbox
from oimon.audit.reading import Audit
from oimon.bus import Entry, Role
from oimon.bus.log import SENDER, Log, Parked
from oimon.bus.redis import RedisLog
from oimon.calendar import IST
from oimon.config import Settings, bus_address, load
from oimon.errors import BusDown, ConfigError, PoisonMessage, TransientError
from oimon.messages import TickBatch
from oimon.service import Archive, find, names

T = TypeVar("T")
ANALYTICS = "analytics"
BROKEN_SHOWN = 2000  # bytes of an entry that cannot be decoded

dead_app = typer.Typer(
    help="Entries that a service could not use and has set aside.\n\nExample: `oi dead list`, then `oi dead show NIFTY db 1795578301000-4`",
    no_args_is_help=True,
)
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)

Underlying = Annotated[str, typer.Argument(help="as NIFTY; of texts to people, telegram")]
Setter = Annotated[str, typer.Argument(metavar="ROLE", help="who has set it aside")]


def register(app: typer.Typer) -> None:
    """Add these commands to ``oi``."""
    app.command()(audit)
    app.add_typer(dead_app, name="dead")


def audit(
    underlyings: Annotated[
        list[str] | None, typer.Argument(help="all of them when none is named")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object for machines")] = False,
    database: Annotated[
        bool, typer.Option("--database/--no-database", help="compare entries with rows too")
    ] = True,
) -> None:
    """Prove that the log is what it would have been without any fault: every beat answered once, in order, with the right bytes; every text accounted for.

    Exit code 0: nothing is wrong; 1: something is, and it is named; 2: the log or the database cannot be reached.

    Example: `oi audit NIFTY --json`
    """
    found, texts = _with_log(lambda log: _audited(log, underlyings or (), with_database=database))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(report.plain(found, texts)) + b"\n")
    else:
        out.print(report.tables(found, texts))
    raise typer.Exit(0 if report.is_clean(found, texts) else 1)


async def _audited(
    log: Log, wanted: Sequence[str], *, with_database: bool
) -> tuple[list[Findings], Texts]:
    chosen = await _chosen(log, wanted)
    roles = owned_roles()
    if ANALYTICS not in roles:
        raise ConfigError(
            "analytics is not installed here, so nothing can be recomputed: ask where it is, in compose its service analytics"
            " (docs/operations.md, Who may do what in Redis), or install oimon-analytics"
        )
    archive = _archive() if with_database else None
    try:
        with err.status("Auditing") as shown:  # shows nothing where nobody looks
            auditing = Audit(
                log,
                roles[ANALYTICS],
                [*roles, *dead.GROUPS],
                archive=archive,
                tell=shown.update,
            )
            found = [await auditing.of(underlying) for underlying in chosen]
            return found, await of_the_outbox(log)
    except BusDown:
        raise
    except TransientError as error:
        raise ConfigError(
            f"{error}. Name the database by DATABASE_URL or DATA_DIR, or leave it out: --no-database"
        ) from error
    finally:
        if archive is not None:
            await archive.close()


def owned_roles() -> Mapping[str, Role[Any]]:
    """Return every role of the installed services that owns underlyings, by its name, as it is without a model."""
    services = [find(name) for name in names()]
    answering = [service.offline_role() for service in services if service.offline_role]
    telling = [role for service in services if service.tellers for role in service.tellers()]
    return {role.name: role for role in (*answering, *telling)}


def _setters() -> list[str]:
    """Return who may set entries aside."""
    return [*owned_roles(), *dead.GROUPS, SENDER]


def _archive() -> Archive:
    for name in names():
        service = find(name)
        if service.archive is not None:
            return service.archive(load(service.settings))
    raise ConfigError(
        "no installed service keeps a database: install oimon-notifier, or say --no-database"
    )


# --- dead ----------------------------------------------------------------------------------------------------------


@dead_app.command(name="list")
def dead_list(
    underlying: Annotated[str | None, typer.Argument(help="all of them when not given")] = None,
    role: Annotated[
        str | None, typer.Option(help="only what this one has set aside, as analytics or db")
    ] = None,
) -> None:
    """List what was set aside, by whom and why.

    Example: `oi dead list --role db`
    """
    chosen = [role] if role else _setters()
    _check_role(role)

    async def read(log: Log) -> list[Parked]:
        places = await _places(log, underlying)
        return await dead.parked(log, chosen, places)

    found = _with_log(read)
    out.print(_table(found) if found else "Nothing is set aside", highlight=False)


@dead_app.command(name="show")
def dead_show(
    underlying: Underlying,
    role: Setter,
    entry_id: Annotated[str, typer.Argument(metavar="ID", help="of the entry, or its whole key")],
) -> None:
    """Show an entry that was set aside: what it says and why it could not be used.

    Example: `oi dead show NIFTY db 1795578301000-4`
    """
    _check_role(role)
    found = _with_log(lambda log: _one(log, role, underlying, entry_id))
    out.print(_about(found), markup=False, highlight=False, soft_wrap=True)


@dead_app.command(name="replay")
def dead_replay(
    underlying: Underlying,
    role: Setter,
    entry_id: Annotated[
        str | None,
        typer.Argument(metavar="ID", help="of the entry, or its whole key; not with --all"),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all that it has set aside")] = False,
) -> None:
    """Try an entry again, after a fix. A sink is given it anew; what an owner would have answered is only said, never written.

    Exit code 0: it can be used; 1: it cannot, and why.

    Example: `oi dead replay NIFTY db --all`
    """
    _check_role(role)
    if everything == (entry_id is not None):
        raise ConfigError("name one entry, or say --all")

    async def work(log: Log) -> bool:
        chosen = (
            [await _one(log, role, underlying, entry_id)]
            if entry_id is not None
            else await dead.parked(log, [role], await _places(log, underlying))
        )
        roles, are_usable = owned_roles(), True
        for each in chosen:
            outcome = await dead.replay(log, roles, each)
            are_usable &= outcome.is_usable
            out.print(
                f"{each.entry.id}: {outcome.words}", markup=False, highlight=False, soft_wrap=True
            )
        if not chosen:
            out.print("Nothing is set aside")
        return are_usable

    raise typer.Exit(0 if _with_log(work) else 1)


async def _one(log: Log, role: str, underlying: str, entry_id: str) -> Parked:
    [chosen] = await _places(log, underlying)
    return await dead.find(log, role, chosen, entry_id)


def _check_role(role: str | None) -> None:
    known = _setters()
    if role is not None and role not in known:
        raise ConfigError(
            f"nothing that sets entries aside is called {role!r}; there are {', '.join(known)}"
        )


def _table(found: Sequence[Parked]) -> Table:
    shown = Table(title="Set aside", title_justify="left")
    for column in ("underlying", "role", "id", "entry", "tries", "when (IST)", "why"):
        shown.add_column(column, overflow="fold", no_wrap=column == "id")  # it is copied whole
    for each in found:
        entry = each.entry
        shown.add_row(
            entry.partition, each.role, entry.id, f"{entry.stream} {entry.kind}", str(each.tries),
            _when(each.at_ms), Text(each.why),
        )  # fmt: skip
    return shown


def _when(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1e3, IST).strftime("%Y-%m-%d %H:%M:%S")


def _about(found: Parked) -> str:
    entry = found.entry
    facts = {
        "entry": entry.key,
        "kind": f"{entry.kind}, schema {entry.version}",
        "set aside by": found.role,
        "when": f"{_when(found.at_ms)} IST",
        "tries": str(found.tries),
        "why": found.why,
        "message": _message(entry),
    }
    return "\n".join(f"{name:14}{value}" for name, value in facts.items())


def _message(entry: Entry) -> str:
    """Return what an entry says, or as much of it as can be read."""
    if not entry.data:
        return "not kept: it was too large"
    try:
        message = entry.message
    except PoisonMessage as error:
        return f"{entry.data[:BROKEN_SHOWN]!r} ({error})"
    if isinstance(message, TickBatch):
        return f"{len(message.records)} ticks of table {message.table}"
    return entry.data.decode()


# --- the log -------------------------------------------------------------------------------------------------------


def _with_log(work: Callable[[Log], Awaitable[T]]) -> T:
    """Return what ``work`` finds in the log that the settings name."""

    async def run() -> T:
        log = RedisLog(bus_address(load(Settings)), "oi")
        try:
            return await work(log)
        except BusDown as error:
            raise ConfigError(
                f"{error}. Start everything with `oi up`, or set REDIS_URL to where it runs"
            ) from error
        finally:
            await log.close()

    return asyncio.run(run())


async def _places(log: Log, wanted: str | None) -> Sequence[str]:
    """Return where entries may have been set aside: the named underlying or the outbox, or all of them."""
    if wanted is None:
        return [*await log.partitions(), SENDER]
    return [SENDER] if wanted.lower() == SENDER else await _chosen(log, [wanted])


async def _chosen(log: Log, wanted: Sequence[str]) -> Sequence[str]:
    """Return the named underlyings, or all that there are.

    Raises:
        ConfigError: one of them is not there.
    """
    known = await log.partitions()
    unknown = [name for name in wanted if name.upper() not in known]
    if unknown:
        raise ConfigError(
            f"no underlying is called {', '.join(unknown)}; there are {', '.join(known) or 'none yet'}"
        )
    return [name.upper() for name in wanted] or known
