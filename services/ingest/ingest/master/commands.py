"""`oi instruments`: what would be subscribed, from the master of the day."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from ingest.config import IngestSettings
from ingest.master.columns import Master
from ingest.master.library import Dated, Library
from ingest.master.plan import Part, Plan, Wanted, plan
from ingest.master.showing import plain, shown
from ingest.master.wish import wanted
from oimon import calendar, figures
from oimon.clock import SystemClock
from oimon.config import load
from oimon.errors import ConfigError, TransientError, inside
from oimon.terms import Segment

_MORNING = time(9, 15)

Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME...", help="Indices, shares or commodities; none: as configured."),
]
Expiry = Annotated[
    list[datetime] | None,
    typer.Option(formats=["%Y-%m-%d"], help="This expiry day; may be given again."),
]
InSegment = Annotated[
    str | None, typer.Option("--segment", help="NFO, BFO, MCX or NSE; else where the name is.")
]
Spot = Annotated[
    float | None, typer.Option(min=0.01, help="Price of the one underlying, in rupees.")
]
On = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="As in the morning of that day, and not now."),
]
AsJson = Annotated[bool, typer.Option("--json", help="one JSON object for machines")]


def register(app: typer.Typer) -> None:
    """Add the command to ``oi``."""
    app.command(name="instruments")(instruments_command)


def instruments_command(
    names: Names = None,
    *,
    expiry: Expiry = None,
    segment: InSegment = None,
    spot: Spot = None,
    on: On = None,
    as_json: AsJson = False,
) -> None:
    """Show what the live feed would subscribe to, and how old the broker's list of instruments is.

    Example: oi instruments NIFTY --spot 26040
    """
    settings = load(IngestSettings, {} if segment is None else {"feed_segment": _segment(segment)})
    clock = SystemClock()
    now_us = clock.now_us()
    given = [name.strip().upper() for name in names or ()]
    if spot is not None and len(given) != 1:
        raise ConfigError("--spot is the price of one underlying; name that one")
    wish = wanted(settings)
    if expiry:
        wish = replace(wish, days=[at.date() for at in expiry])
    dated = _today(Library.of(settings, clock))
    at_us = now_us if on is None else calendar.instant_us(on.date(), _MORNING)
    found = _found(dated.master, wish, given, at_us, only=segment is not None)
    spots = {} if spot is None else {c.spot.symbol: spot for p in found.parts for c in p.chains}
    lines, moved = shown(found, spots)
    if as_json:
        told = {"master": dated.facts(), **plain(found, moved)}
        sys.stdout.buffer.write(msgspec.json.encode(told) + b"\n")
        return
    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    out.print("\n".join([*lines, _source(dated, now_us)]))
    for note in [*settings.notes, *found.notes, *moved.notes, *dated.warnings]:
        typer.echo(f"Note: {note}", err=True)


def _today(library: Library) -> Dated:
    """Return the broker's list of today.

    Raises:
        ConfigError: it cannot be had, and there is no older copy.
    """
    try:
        return asyncio.run(library.today())
    except TransientError as error:
        raise ConfigError(
            f"{inside(error)}. Check the network, or name where it is by SMARTAPI_MASTER_URL"
        ) from error


def _found(master: Master, wish: Wanted, names: Sequence[str], now_us: int, *, only: bool) -> Plan:
    """Return the plan of the names, each where it is listed.

    Raises:
        ConfigError: none of the segments has one of the names.
    """
    if not names:
        return plan(master, wish, now_us)
    others = [] if only else [each for each in Segment if each is not wish.segment]
    parts: list[Part] = []
    notes: list[str] = []
    unknown: list[str] = []
    for name in names:
        misses: list[str] = []
        for segment in (wish.segment, *others):
            here = replace(wish, segment=segment, names=[name])
            found = plan(master, here, now_us, or_default=False)
            if found.parts:
                parts += found.parts
                notes += found.notes
                break
            misses += found.notes
        else:
            unknown += dict.fromkeys(misses)
    if unknown:
        raise ConfigError("\n".join(unknown))
    return Plan(parts=parts, each_side=wish.each_side, notes=list(dict.fromkeys(notes)))


def _segment(text: str) -> str:
    name = text.strip().upper()
    if name not in Segment.__members__:
        raise ConfigError(f"--segment takes one of {', '.join(Segment)}, found {text!r}")
    return name


def _source(dated: Dated, now_us: int) -> str:
    age = figures.age((now_us - dated.fetched_us) / 1e6)
    tally = dated.master.tally
    return (
        f"From the broker's list of {dated.day}, fetched {age} ago: {len(dated.master)} instruments of {tally.rows} rows, "
        f"{tally.not_watched} not watched, {tally.unread} not read"
    )
