"""The commands of analytics: `oi analyse`, one NSE option-chain page to one analysis, and `oi why`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from analytics.nse import read_page
from analytics.page import page_analysis
from analytics.sheet import sheet
from analytics.why import register_why
from oimon import calendar, codec
from oimon.errors import ConfigError


def register(app: typer.Typer) -> None:
    """Add the commands of analytics to ``oi``."""
    register_why(app)

    @app.command(name="analyse")
    def analyse_command(
        file: Annotated[Path, typer.Argument(help="JSON of NSE's option-chain page, plain or .gz")],
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        lot: Annotated[
            int | None, typer.Option(help="Quantity of a contract, where the table has none.")
        ] = None,
    ) -> None:
        """Analyse one option-chain page of NSE.

        Example: oi analyse NIFTY_2025-08-05.json.gz --lot 75
        """
        if lot is not None and lot < 1:
            raise ConfigError(f"--lot must be at least 1, was {lot}")
        page = read_page(file)
        analysis = page_analysis(page, calendar.lot_size(page.underlying, page.expiry) or lot)
        if as_json:
            typer.echo(codec.encode(analysis).decode())
        else:
            Console().print(sheet(analysis))
