"""The command line: ``oi``. What a service offers (``oi watch``, ``oi import`` …) is found by entry point."""

import asyncio
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console

from oimon import checks, log_commands, offline, playback, up_command
from oimon import doctor as examination
from oimon import status as statuses
from oimon.bus import Entry
from oimon.clock import SystemClock
from oimon.config import Settings, bus_address, load
from oimon.errors import ConfigError, OimonError
from oimon.health import ask
from oimon.output import prepare, written_out
from oimon.process import run_services
from oimon.terms import SERVICES

COMMANDS = "oimon.commands"

app = typer.Typer(
    name="oi",
    help="OI Monitor: the open interest of Indian index options, explained strike by strike. It never places an order.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for _point in sorted(entry_points(group=COMMANDS), key=lambda point: point.name):
    _point.load()(app)
log_commands.register(app)
up_command.register(app)
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)


# --- run, status ---------------------------------------------------------------------------------------------------


@app.command()
def run(
    services: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...",
            help="ingest, analytics, coach-minimal, coach-rich, notifier, dashboard",
        ),
    ],
    attached: Annotated[bool, typer.Option(hidden=True)] = False,
) -> None:
    """Run the named services in this process, until Ctrl-C.

    Example: `REDIS_URL=redis://10.0.0.5:6379/0 oi run analytics coach-minimal`
    """
    run_services(services, attached=attached)


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="one JSON object for machines")] = False,
) -> None:
    """Say how every service is: state, partitions, lag, ages, last error.

    Exit code 0: all are ready; 1: one is missing or not ready.

    Example: `oi status --json`
    """
    settings = load(Settings)
    found = asyncio.run(statuses.read(bus_address(settings), SystemClock()))
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(found.plain()) + b"\n")
    else:
        out.print(statuses.tables(found))
    raise typer.Exit(0 if found.system.is_ready else 1)


@app.command()
def health(
    service: Annotated[str, typer.Argument(help=", ".join(SERVICES))],
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65_535, help="its HTTP_PORT, where it is not the default"),
    ] = None,
) -> None:
    """Ask a service on this machine whether it is ready, or why not; exit code 0 if it is.

    Example: `oi health analytics`
    """
    if service not in SERVICES:
        raise ConfigError(f"no service is called {service!r}; there are {', '.join(SERVICES)}")
    ready, words = ask(service, port or SERVICES[service])
    out.print(words, markup=False, highlight=False)
    raise typer.Exit(0 if ready else 1)


# --- replay --------------------------------------------------------------------------------------------------------


@app.command()
def replay(
    file: Annotated[
        Path,
        typer.Argument(
            help="a recording (.oirec), its first part, or the folder of one underlying's"
        ),
    ],
    speed: Annotated[str, typer.Option(help="times real time, or max")] = "max",
    as_json: Annotated[
        bool, typer.Option("--json", help="one analysis a line on standard output")
    ] = False,
    folder: Annotated[
        Path | None, typer.Option("--out", help="write analyses and advice there, one a line")
    ] = None,
    one_at_a_time: Annotated[
        bool, typer.Option(help="hand frames over one at a time; the bytes are the same")
    ] = False,
) -> None:
    """Play a recorded day through the same handlers, in this process, without a server.

    Example: `oi replay services/ingest/ingest/recordings/NIFTY-2026-08-18.oirec --json > day.ndjson`
    """
    rate = up_command.given_speed(speed)
    recorded = offline.open_recording(file)
    for warning in recorded.warnings:
        err.print(f"Note: {warning}", markup=False, highlight=False, soft_wrap=True)
    summary = playback.Summary()
    takers: list[Any] = [summary.take]
    with (
        playback.Lines(folder) as lines,
        playback.Bar(recorded.first_us, recorded.last_us, err) as advance,
    ):
        takers += [lines.take, advance]
        if as_json:
            takers.append(_print_analysis)
        offline.run(
            recorded, speed=rate, take=takers, frames_at_a_time=1 if one_at_a_time else None
        )
    if not as_json:
        out.print(summary.table(file))


def _print_analysis(entry: Entry) -> None:
    if entry.kind == "analysis":
        sys.stdout.buffer.write(entry.data + b"\n")


# --- checks --------------------------------------------------------------------------------------------------------


@app.command()
def spec(
    file: Annotated[
        Path, typer.Argument(help="worked cases, in the format of analytics-examples.json")
    ],
) -> None:
    """Run a file of worked cases against the maths; exit code 1 if any failed.

    Example: `oi spec analytics-examples.json`
    """
    raise typer.Exit(checks.spec(file))


@app.command()
def test(
    part: Annotated[
        str | None,
        typer.Argument(help="unit, integration, e2e or lint; all of them when not given"),
    ] = None,  # noqa: PT028 - a command, not a test
) -> None:
    """Run the checks of this checkout, as CI does.

    Example: `oi test unit`
    """
    raise typer.Exit(checks.test(part))


@app.command()
def doctor(
    live: Annotated[
        bool, typer.Option("--live", help="ask the broker too: clock, login, a quote, ticks")
    ] = False,
) -> None:
    """Say what would stop OI Monitor from running here, a line each, with the remedy.

    Example: `oi doctor`, or with broker keys set `oi doctor --live`
    """
    raise typer.Exit(examination.report(out, live=live))


def main() -> None:
    """Run the command line; what was wrong is one message, never a traceback."""
    prepare()
    try:
        with written_out():
            app(prog_name="oi", standalone_mode=True)
    except OimonError as error:
        err.print(str(error), style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except PermissionError as error:  # any look at a path may meet it
        if error.filename is None:
            raise
        words = f"{error.filename}: {error.strerror}. Name another, or ask whose it is to let you"
        err.print(words, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
