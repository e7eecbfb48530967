"""`oi why`: the newest analysis, from the bus or from a file, explained in sentences."""

import asyncio
import os
import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
import typer

from analytics.files import is_recording, read_pages
from analytics.page import lot_of, notes, page_analysis
from oimon import calendar, offline
from oimon.bus import Entry
from oimon.bus.redis import RedisBus
from oimon.config import Settings, bus_address, load
from oimon.core.chain import nearest_index
from oimon.errors import BusDown, ConfigError, InputError
from oimon.explain.direction import DirectionReading, read_direction
from oimon.explain.strike import StrikeReading, nearest_strike, read_strike
from oimon.messages import ANALYSIS, ChainAnalysis, ExpiryAnalysis, QuoteBoard, Session
from oimon.service import Recorded
from oimon.terms import OiUnit

_SHOWN = 12  # underlyings of a file that holds many
_AT = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def register_why(app: typer.Typer) -> None:
    """Add the command to ``oi``."""

    @app.command(name="why")
    def why_command(  # noqa: PLR0913 - typer makes each parameter an option
        underlying: Annotated[str, typer.Argument(help="as NIFTY")],
        strike: Annotated[
            float | None, typer.Argument(help="Explain this strike; left out, the direction.")
        ] = None,
        *,
        expiry: Annotated[
            str | None, typer.Option(help="ISO day; left out, the nearest that is tracked.")
        ] = None,
        file: Annotated[
            Path | None,
            typer.Option(
                help="Not the bus, but a recording (.oirec, or a folder of a live one), or what oi analyse takes: a page or bhavcopy of NSE's, a CSV of chains."
            ),
        ] = None,
        at: Annotated[
            str | None,
            typer.Option(help="With a recording: IST time of day, as 12:41 or 12:41:07."),
        ] = None,
        lot: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=calendar.LARGEST_LOT,
                help="With a file of chains: quantity of a contract.",
            ),
        ] = None,
        oi_unit: Annotated[
            OiUnit | None,
            typer.Option(
                help="With a CSV of chains, what it counts in: qty, if not given, or lots."
            ),
        ] = None,
        redis_url: Annotated[
            str | None, typer.Option(help="Address of the bus; left out, that of `oi up`.")
        ] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    ) -> None:
        """Say why the market has its direction, or a strike its verdict: rule, inputs, thresholds, contrary evidence, ages.

        Example: oi why NIFTY 24500
        """
        name = underlying.upper()
        if file is None:
            given = {} if redis_url is None else {"redis_url": redis_url}
            if (at, lot, oi_unit) != (None, None, None):
                raise ConfigError(
                    "--at, --lot and --oi-unit go with --file; name the recording or the page"
                )
            analysis = asyncio.run(_newest(load(Settings, given), name))
        else:
            analysis = _of_file(file, name, _Asked(strike, expiry, at, lot, oi_unit))
        _print(explained(analysis, _expiry(analysis, expiry), strike), as_json=as_json)


def explained(
    analysis: ChainAnalysis, expiry: ExpiryAnalysis, strike: float | None
) -> DirectionReading | StrikeReading:
    """Return why the market has its direction, or a strike its verdict.

    Args:
        analysis: of one underlying.
        expiry: whose chain.
        strike: in rupees; None asks for the direction.

    Raises:
        ConfigError: the strike is not listed; names the nearest that is. Or the mode has no direction.
    """
    if strike is None and analysis.off:
        raise ConfigError(f"{analysis.underlying} has no direction ({'; '.join(analysis.off)}); name a strike")  # fmt: skip
    if strike is None:
        return read_direction(analysis, expiry)
    try:
        return read_strike(analysis, expiry, strike)
    except LookupError as error:
        near = nearest_strike(expiry, strike)
        raise _no_strike(f"{analysis.underlying} {expiry.expiry}", strike, near) from error


def _no_strike(where: str, strike: float, near: float | None) -> ConfigError:
    remedy = "its chain has no strike yet" if near is None else f"the nearest is {near:g}"
    return ConfigError(f"{where} has no strike {strike:g}; {remedy}")


def _no_expiry(underlying: str, expiry: str | None, found: Iterable[str]) -> ConfigError:
    return ConfigError(f"{underlying} has no expiry {expiry} here; there are {', '.join(found)}")


def _print(reading: DirectionReading | StrikeReading, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(reading).decode())
    else:
        typer.echo("\n".join(reading.sentences))


def _expiry(analysis: ChainAnalysis, wanted: str | None) -> ExpiryAnalysis:
    tracked = {found.expiry: found for found in (analysis, *analysis.more)}
    chosen = tracked.get(wanted or analysis.expiry)
    if chosen is None:
        raise _no_expiry(analysis.underlying, wanted, tracked)
    return chosen


# --- where the analysis comes from ---------------------------------------------------------------------------------


async def _newest(settings: Settings, underlying: str) -> ChainAnalysis:
    """Return the newest analysis on the bus.

    Raises:
        ConfigError: there is none; says why, and what to do.
    """
    bus = RedisBus(bus_address(settings), me=f"why-{os.getpid()}")
    try:
        watched = await bus.partitions()
        if underlying not in watched:
            there = f"there are {', '.join(watched)}" if watched else "nothing is"
            raise ConfigError(
                f"{underlying} is not watched; {there}. Start it with `oi up`, or name a file: --file"
            )
        entry = await bus.latest(ANALYSIS, underlying)
    except BusDown as error:
        raise ConfigError(
            f"{error}. Start everything with `oi up`, set REDIS_URL to where it runs, or name a file: --file"
        ) from error
    finally:
        await bus.close()
    if entry is None:
        raise ConfigError(
            f"{underlying} has no analysis yet; `oi status` says whether a feed and analytics run"
        )
    return _analysis_of(entry)


def _analysis_of(entry: Entry) -> ChainAnalysis:
    match entry.message:
        case ChainAnalysis() as analysis:
            return analysis
        case QuoteBoard() as board:
            raise ConfigError(
                f"{board.underlying} has quotes only in {board.segment} mode: there is no verdict to explain"
            )
        case other:
            raise ConfigError(f"{entry.key} holds {type(other).__name__}, which is no analysis")


class _Asked(NamedTuple):
    """What is asked of a file."""

    strike: float | None
    expiry: str | None
    at: str | None
    lot: int | None
    oi_unit: OiUnit | None


def _of_file(file: Path, name: str, asked: _Asked) -> ChainAnalysis:
    if is_recording(file):
        if (asked.lot, asked.oi_unit) != (None, None):
            raise ConfigError(
                "--lot and --oi-unit go with a file of chains; a recording names its own lots and unit"
            )
        recorded = offline.open_recording(file)
        _demand(file, name, [recorded.underlying])
        until_us = None if asked.at is None else _instant_us(asked.at, recorded.first_us)
        if asked.strike is not None or asked.expiry is not None:
            _demand_listed(recorded, asked, until_us)
        return asyncio.run(_of_recording(file, recorded, asked.at, until_us))
    if asked.at is not None:
        raise ConfigError("--at goes with a recording; of another file it is its last moment")
    pages = read_pages(file, None, _day(asked.expiry), asked.oi_unit)
    _demand(file, name, list(pages))
    page = pages[name]
    if isinstance(page, InputError):
        raise page
    lot = lot_of(page, asked.lot)
    for note in notes(page, lot, asked.lot):
        typer.echo(f"Note: {name}: {note}", err=True)
    return page_analysis(page, lot)


def _day(expiry: str | None) -> date | None:
    try:
        return None if expiry is None else date.fromisoformat(expiry)
    except ValueError as error:
        raise ConfigError(f"--expiry takes a day as 2026-08-18; found {expiry!r}") from error


def _demand(file: Path, name: str, found: list[str]) -> None:
    if name not in found:
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        some = ", ".join(found[:_SHOWN]) + more
        raise ConfigError(f"{file} is of {some}, not of {name}; ask for {found[0] if len(found) == 1 else 'one of those'}")  # fmt: skip


def _demand_listed(recorded: Recorded, asked: _Asked, until_us: int | None) -> None:
    """Refuse what the day does not list, which its sessions tell in a moment and its analyses in a minute.

    Raises:
        ConfigError: there is no such expiry or strike.
    """
    strikes: dict[str, set[float]] = {}
    for step in recorded.steps(None):
        if until_us is not None and step.due_us > until_us:
            break
        for message in step.messages:
            if isinstance(message, Session):
                told = message.instruments
                for expiry, strike in zip(told.expiry, told.strike, strict=True):
                    if expiry is not None and strike is not None:
                        strikes.setdefault(expiry, set()).add(strike)
    if not strikes:  # quotes only, as will be told
        return
    if asked.expiry is not None and asked.expiry not in strikes:
        raise _no_expiry(recorded.underlying, asked.expiry, sorted(strikes))
    listed = np.array(
        sorted(set().union(*strikes.values()) if asked.expiry is None else strikes[asked.expiry])
    )
    if asked.strike is not None and asked.strike not in listed:
        near = nearest_index(listed, asked.strike)
        where = " ".join(filter(None, (recorded.underlying, asked.expiry)))
        raise _no_strike(where, asked.strike, None if near is None else float(listed[near]))


async def _of_recording(
    file: Path, recorded: Recorded, at: str | None, until_us: int | None
) -> ChainAnalysis:
    """Return the last analysis of a recorded day, or the last one up to a time of it.

    Raises:
        ConfigError: the day has no analysis until then.
    """
    newest = None
    entries: Any = offline.play(recorded, speed=None)
    try:
        async for entry in entries:
            if entry.stream != ANALYSIS:
                continue
            if until_us is not None and _analysis_of(entry).ts_us > until_us:
                break
            newest = entry
    finally:
        await entries.aclose()
    if newest is None:
        begins = datetime.fromtimestamp(recorded.first_us / 1e6, calendar.IST)
        raise ConfigError(
            f"{file} has no analysis{'' if at is None else f' until {at}'}; it begins at {begins:%H:%M:%S} IST"
        )
    return _analysis_of(newest)


def _instant_us(at: str, day_us: int) -> int:
    if _AT.fullmatch(at) is None:
        raise ConfigError(
            f"--at takes a time of day in two digits each, as 09:41 or 12:41:07; found {at!r}"
        )
    time = datetime.strptime(at, "%H:%M:%S" if at.count(":") > 1 else "%H:%M").time()  # noqa: DTZ007 - the day is added below
    return round(datetime.combine(calendar.day_of(day_us), time, calendar.IST).timestamp() * 1e6)
