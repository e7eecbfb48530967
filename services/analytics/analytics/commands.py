"""The commands of analytics: `oi analyse`, one NSE option-chain page to one analysis, and `oi why`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from analytics.bhavcopy import is_bhavcopy, read_bhavcopy
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
        file: Annotated[
            Path,
            typer.Argument(help="NSE's option-chain page (JSON) or bhavcopy (CSV), plain or .gz"),
        ],
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
        lot: Annotated[
            int | None, typer.Option(help="Quantity of a contract, where the table has none.")
        ] = None,
        underlying: Annotated[
            str | None, typer.Option(help="Which one, when the file holds several.")
        ] = None,
        expiry: Annotated[
            datetime | None,
            typer.Option(formats=["%Y-%m-%d"], help="This expiry day, instead of the nearest."),
        ] = None,
    ) -> None:
        """Analyse one option-chain page of NSE, or one underlying of its end-of-day file.

        Example: oi analyse NIFTY_2025-08-05.json.gz --lot 75
        """
        if lot is not None and lot < 1:
            raise ConfigError(f"--lot must be at least 1, was {lot}")
        day = None if expiry is None else expiry.date()
        if is_bhavcopy(file):
            page = read_bhavcopy(file, underlying, day)
        else:
            page = read_page(file, day)
            if underlying not in (None, page.underlying):
                raise ConfigError(
                    f"--underlying is {underlying}, but the page is of {page.underlying}"
                )
        known = page.lot or calendar.lot_size(page.underlying, page.expiry)
        analysis = page_analysis(page, known or lot)
        if as_json:
            typer.echo(codec.encode(analysis).decode())
        else:
            Console().print(sheet(analysis))
