"""The command ``oi up``: what is to be shown, by flags, environment and questions."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from oimon import offline, questions
from oimon.config import times_real_time
from oimon.errors import ConfigError
from oimon.replicas import replicas as replica_counts
from oimon.service import names
from oimon.terms import Segment
from oimon.up import Choice
from oimon.up import up as bring_up

err = Console(stderr=True, emoji=False)


def register(app: typer.Typer) -> None:
    """Add this command to ``oi``."""
    app.command()(up)


def say(sentence: str) -> None:
    """Tell the user something on standard error, so that standard output stays what was asked for."""
    err.print(sentence, style="dim", highlight=False, markup=False, soft_wrap=True)


def up(  # noqa: PLR0913, PLR0917 - typer makes each parameter an option
    segment: Annotated[
        str | None, typer.Option(help="NFO, MCX, NSE or BFO (or FEED_SEGMENT)")
    ] = None,
    commodity: Annotated[
        str | None, typer.Option(help="MCX commodity, as SILVERMIC (or MCX_NAME)")
    ] = None,
    live: Annotated[
        bool | None,
        typer.Option("--live/--recorded", help="the broker's feed, or a recorded day (or FEED)"),
    ] = None,
    recording: Annotated[
        Path | None,
        typer.Option(help="plays this recorded day; the bundled one when none is given"),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(
            help="times real time for a recorded or simulated day; 60 for the bundled one, else 1"
        ),
    ] = None,
    feed_name: Annotated[
        str | None,
        typer.Option(
            "--feed", metavar="NAME", help="replay, sim (a simulated day) or live (or FEED)"
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="seed of a simulated day (or SIM_SEED)")
    ] = None,
    universe: Annotated[
        str | None,
        typer.Option(help="what is simulated: nifty, index, mcx, nse or default (or SIM_UNIVERSE)"),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL=RATE", help="a fault of the simulated feed; may be given again"
        ),
    ] = None,
    truth: Annotated[
        Path | None, typer.Option(help="file for what only the simulator knows (or SIM_TRUTH)")
    ] = None,
    replicas: Annotated[
        str | None, typer.Option(help="processes of a service, as analytics=3,coach-minimal=2")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option("--for", min=1, help="stop after so many seconds")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table/--no-table", help="show the live table here")
    ] = True,
) -> None:
    """Start everything on this machine and show the live table. Ctrl-C stops all of it.

    Asks what to show, on a terminal; Enter takes the default. Without broker keys it opens a recorded day.

    Example: `oi up --recorded --speed 60 --for 120`, or `oi up --feed sim --seed 7 --speed 10`
    """
    counts = replica_counts(replicas, names())
    if speed is not None:
        given_speed(speed)
    if recording is not None:
        if live or (feed_name or "replay").strip().lower() != "replay":
            raise ConfigError(
                f"--recording plays {recording}, and another feed was asked for too; leave out one of the two"
            )
        # what cannot be played is told before anything is started
        offline.open_recording(recording)
        live = False
    is_live = questions.wants_live(live, feed_name)
    if is_live:
        questions.demand_keys()
    chosen = questions.segment(segment, say, is_live=is_live)
    name = questions.commodity(commodity, is_live=is_live) if chosen is Segment.MCX else None
    feed = questions.feed(live, feed_name)
    if feed == "live":
        questions.demand_keys()
    simulator = {
        "SIM_SEED": "" if seed is None else str(seed),
        "SIM_UNIVERSE": universe or "",
        "SIM_FAULTS": ",".join(fault or ()),
        "SIM_TRUTH": "" if truth is None else str(truth.absolute()),
    }
    simulator = {name: value for name, value in simulator.items() if value}
    if simulator and feed != "sim":
        raise ConfigError(
            f"--seed, --universe, --fault and --truth are of a simulated day, the feed is {feed}; add --feed sim"
        )
    choice = Choice(
        segment=chosen,
        commodity=name,
        feed=feed,
        recording=recording,
        speed=speed,
        simulator=simulator,
        for_s=seconds,
        table=table,
        replicas=counts,
    )
    bring_up(choice, say)


def given_speed(text: str) -> float | None:
    """Return what ``--speed`` says, ``None`` for ``max``.

    Raises:
        ConfigError: it is no number above 0.
    """
    try:
        return times_real_time(text)
    except ValueError as error:
        raise ConfigError(f"--speed {error}") from None
