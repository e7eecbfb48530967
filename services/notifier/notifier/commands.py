"""`oi watch`: the live table from any machine that reaches the bus."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from notifier.console import watch
from notifier.surfaces import Lines, Picture, Surface, Table
from oimon.bus.redis import RedisBus
from oimon.clock import SystemClock
from oimon.config import Settings, bus_address, load
from oimon.errors import OimonError
from oimon.signals import stop_with_stdin

PICTURE_WIDTH = 120


def register(app: typer.Typer) -> None:
    """Add the notifier's commands to ``oi``."""

    @app.command(name="watch")
    def watch_command(
        underlying: Annotated[
            str | None,
            typer.Argument(
                help="Which one; left out, NIFTY or SENSEX, else the first that is watched."
            ),
        ] = None,
        *,
        redis_url: Annotated[
            str | None, typer.Option(help="Address of the bus; left out, that of `oi up`.")
        ] = None,
        lines: Annotated[bool, typer.Option("--lines", help="One line every 3 s.")] = False,
        width: Annotated[
            int | None, typer.Option(min=40, help="Columns; left out, the terminal's.")
        ] = None,
        whole: Annotated[
            bool, typer.Option("--all", help="All strikes that the window has room for.")
        ] = False,
        contracts: Annotated[
            bool, typer.Option("--contracts", help="Open interest in contracts, not lakh/crore.")
        ] = False,
        svg: Annotated[
            Path | None,
            typer.Option(
                help="Write the table to this file when an analysis and an advice are there, and end."
            ),
        ] = None,
        attached: Annotated[bool, typer.Option(hidden=True)] = False,
    ) -> None:
        """Show the live table: chain, PCR, levels, direction, both coaches.

        Example: oi watch NIFTY --all
        """
        console = Console(emoji=False)
        surface: Surface
        if svg is not None:
            surface = Picture(
                svg, width=width or PICTURE_WIDTH, whole_chain=whole, contracts=contracts
            )
        elif lines or not console.is_terminal or console.is_dumb_terminal:
            surface = Lines(console)
        else:
            surface = Table(console, width=width, whole_chain=whole, contracts=contracts)
        given = {} if redis_url is None else {"redis_url": redis_url}
        try:
            asyncio.run(_watch(load(Settings, given), surface, underlying, attached=attached))
        except KeyboardInterrupt:  # where the loop takes no signals (Windows)
            return
        except OimonError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(1) from None


async def _watch(
    settings: Settings, surface: Surface, underlying: str | None, *, attached: bool
) -> None:
    """Watch until a signal comes; ``attached``: also until standard input ends, as it does when `oi up` dies."""
    stop = asyncio.Event()
    _set_on_signals(stop)
    if attached:
        stop_with_stdin(stop)
    bus = RedisBus(bus_address(settings), me=f"watch-{os.getpid()}")
    try:
        await watch(
            bus,
            SystemClock(),
            surface,
            underlying=underlying.upper() if underlying else None,
            stop=stop,
        )
    finally:
        await bus.close()


def _set_on_signals(stop: asyncio.Event) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None:
            try:
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            except NotImplementedError:  # Windows
                return
