"""The commands of analytics: `oi analyse`, a file of option chains to one analysis an underlying, and `oi why`."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import track

from analytics.files import read_pages
from analytics.page import Page, lot_of, notes, page_analysis
from analytics.roll import roll
from analytics.sheet import sheet
from analytics.why import register_why
from oimon import calendar, codec
from oimon.errors import ConfigError, InputError
from oimon.messages import ChainAnalysis
from oimon.output import for_tables
from oimon.terms import OiUnit


def register(app: typer.Typer) -> None:
    """Add the commands of analytics to ``oi``."""
    register_why(app)

    @app.command(name="analyse")
    def analyse_command(
        file: Annotated[
            Path,
            typer.Argument(
                help="NSE's option-chain page (JSON), its bhavcopy, or a CSV of chains; plain or .gz."
            ),
        ],
        *,
        as_json: Annotated[
            bool, typer.Option("--json", help="Print one JSON object a line, one an underlying.")
        ] = False,
        lot: Annotated[
            int | None,
            typer.Option(
                min=1,
                max=calendar.LARGEST_LOT,
                help="Quantity of a contract, where the table has none.",
            ),
        ] = None,
        underlying: Annotated[
            str | None, typer.Option(help="Only this one, when the file holds several.")
        ] = None,
        expiry: Annotated[
            datetime | None,
            typer.Option(formats=["%Y-%m-%d"], help="This expiry day, instead of the nearest."),
        ] = None,
        oi_unit: Annotated[
            OiUnit | None,
            typer.Option(help="What a CSV of chains counts in: qty, if not given, or lots."),
        ] = None,
    ) -> None:
        """Analyse a file of option chains: of one underlying a sheet, of several a line each.

        Exit code 0: all were analysed; 1: some could not be, each named on standard error; 2: the file cannot be used.

        Example: oi analyse NIFTY_2025-08-05.json.gz --lot 75
        """
        name = None if underlying is None else underlying.upper()
        pages = read_pages(file, name, None if expiry is None else expiry.date(), oi_unit)
        if lot is not None and len(pages) > 1:
            raise ConfigError(f"--lot is of one underlying, the file holds {len(pages)}: choose one with --underlying")  # fmt: skip
        analyses = list(_analyses(pages, lot))
        _print(analyses, as_json=as_json)
        raise typer.Exit(0 if len(analyses) == len(pages) else 1)


def _analyses(pages: Mapping[str, Page | InputError], lot: int | None) -> Iterator[ChainAnalysis]:
    """Give the analysis of each page; say of the others why there is none.

    Raises:
        InputError: no page can be used.
    """
    errors = [page for page in pages.values() if isinstance(page, InputError)]
    if len(errors) == len(pages):
        raise errors[0]
    console = Console(stderr=True, emoji=False)
    for name, page in track(
        pages.items(), "analyse", console=console, transient=True, disable=not console.is_terminal
    ):
        if isinstance(page, InputError):
            console.print(f"{name}: {page}", style="red", highlight=False, markup=False, soft_wrap=True)  # fmt: skip
            continue
        known = lot_of(page, lot)
        for note in notes(page, known, lot):
            console.print(f"Note: {name}: {note}", highlight=False, markup=False, soft_wrap=True)
        yield page_analysis(page, known)


def _print(analyses: list[ChainAnalysis], *, as_json: bool) -> None:
    if as_json:
        for analysis in analyses:
            typer.echo(codec.encode(analysis).decode())
        return
    for_tables().print(sheet(analyses[0]) if len(analyses) == 1 else roll(analyses))
