"""Ingest's commands, and of them `oi import`: a CSV of option chains to a recording that can be played."""

import shlex
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ingest.fakebroker.commands import fake_broker
from ingest.importing import Plan, import_csv
from ingest.master import commands as master
from ingest.recording import Recording
from ingest.simulator.commands import app as simulator
from oimon.calendar import LARGEST_LOT
from oimon.errors import ConfigError
from oimon.terms import OiUnit

Source = Annotated[
    Path, typer.Argument(metavar="CSV", help="Chains through one day, plain or .gz.")
]
Target = Annotated[Path, typer.Argument(metavar="FILE", help="The recording to write (.oirec).")]
Underlying = Annotated[str | None, typer.Option(help="Which one, when the CSV holds several.")]
Expiry = Annotated[
    list[datetime] | None,
    typer.Option(formats=["%Y-%m-%d"], help="This expiry day; may be given again."),
]
Expiries = Annotated[int | None, typer.Option(min=1, help="So many of the nearest expiries.")]
EachSide = Annotated[
    str,
    typer.Option(
        metavar="N|all", help="Strikes above and below the money, at any time of the day."
    ),
]
Unit = Annotated[OiUnit, typer.Option(help="What the CSV counts open interest and volume in.")]
Lot = Annotated[
    int | None,
    typer.Option(min=1, max=LARGEST_LOT, help="Units of a contract, where it is not known."),
]
Spread = Annotated[
    float | None,
    typer.Option(
        metavar="PCT",
        min=0.01,
        max=20.0,
        help="Put a bid and an ask around each price, so many percent apart.",
    ),
]
Origin = Annotated[str | None, typer.Option(help="Where the data is from; kept in the recording.")]
Force = Annotated[
    bool, typer.Option("--force", help="Replace another file that has this name already.")
]


def register(app: typer.Typer) -> None:
    """Add ingest's commands to ``oi``."""
    app.command(name="import")(import_command)
    app.command(name="fake-broker")(fake_broker)
    app.add_typer(simulator)
    master.register(app)


def import_command(  # noqa: PLR0913 - typer makes each parameter an option
    source: Source,
    target: Target,
    *,
    underlying: Underlying = None,
    expiry: Expiry = None,
    expiries: Expiries = None,
    strikes_each_side: EachSide = "all",
    oi_unit: Unit = OiUnit.QTY,
    lot: Lot = None,
    assume_spread: Spread = None,
    origin: Origin = None,
    force: Force = False,
) -> None:
    """Make a recording of a CSV: ts, underlying, expiry, strike, right, ltp, volume, oi, spot and, if known, oi_chg_day.

    Example: oi import NIFTY.csv.gz NIFTY.oirec --expiries 2 --strikes-each-side 20 --oi-unit lots --assume-spread 0.3
    """
    if expiry and expiries:
        raise ConfigError("--expiry and --expiries were both given; give one of them")
    plan = Plan(
        underlying=None if underlying is None else underlying.upper(),
        expiries=[at.date() for at in expiry] if expiry else expiries,
        strikes_each_side=_each_side(strikes_each_side),
        oi_unit=oi_unit,
        lot=lot,
        spread=None if assume_spread is None else round(assume_spread / 100, 6),
        origin=origin,
        replace=force,
    )
    plan = replace(plan, command=_command(source, target, plan))
    with _bar() as bar:
        task = bar.add_task("import", total=None)
        made = import_csv(
            source, target, plan, lambda done, of: bar.update(task, completed=done, total=of)
        )
    Console(emoji=False).print(
        _summary(made.recording), highlight=False, markup=False, soft_wrap=True
    )
    for warning in made.warnings:
        typer.echo(f"Note: {warning}", err=True)


def _each_side(text: str) -> int | None:
    if text == "all":
        return None
    if not text.isdecimal():
        raise ConfigError(f"--strikes-each-side takes a number or all, found {text!r}")
    return int(text)


def _command(source: Path, target: Path, plan: Plan) -> str:
    """Return the command that makes the same recording; files by their names, since folders differ between machines."""
    words = ["oi", "import", source.name, target.name]
    if plan.underlying:
        words += ["--underlying", plan.underlying]
    if isinstance(plan.expiries, int):
        words += ["--expiries", str(plan.expiries)]
    elif plan.expiries:
        for day in plan.expiries:
            words += ["--expiry", day.isoformat()]
    if plan.strikes_each_side is not None:
        words += ["--strikes-each-side", str(plan.strikes_each_side)]
    words += ["--oi-unit", plan.oi_unit.value]
    if plan.lot:
        words += ["--lot", str(plan.lot)]
    if plan.spread is not None:
        words += ["--assume-spread", f"{plan.spread * 100:g}"]
    if plan.origin:
        words += ["--origin", plan.origin]
    return shlex.join(words)


def _bar() -> Progress:
    """Return a bar for a terminal's standard error; elsewhere it shows nothing."""
    console = Console(stderr=True, emoji=False)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _summary(made: Recording) -> str:
    header = made.header
    size_kb = made.path.stat().st_size / 1000
    return (
        f"{made.path}: {header.underlying} on {header.date}, expiries {', '.join(header.expiries)}, "
        f"{len(header.master) - 1} contracts, {made.last.frames} frames, {size_kb:.0f} kB. "
        f"Play it: oi replay {made.path}"
    )
