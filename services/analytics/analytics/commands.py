"""`oi analyse`: one NSE option-chain page to one analysis."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from analytics.analyse import analyse
from analytics.nse import NsePage, read_page, situation
from analytics.report import expiry_fields
from analytics.sheet import sheet
from analytics.situation import Before
from oimon import calendar, codec
from oimon.errors import ConfigError
from oimon.messages import ChainAnalysis
from oimon.terms import FeedState, Mode, Segment


def register(app: typer.Typer) -> None:
    """Add the commands of analytics to ``oi``."""

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


def page_analysis(page: NsePage, lot: int | None) -> ChainAnalysis:
    """Return the analysis of a page's nearest expiry.

    Args:
        page: what was read.
        lot: quantity of a contract; None leaves open interest and volume in contracts.
    """
    chain, market = situation(page, lot)
    (found,) = analyse([chain], market, [Before()])
    first = expiry_fields(found)
    told: dict[str, Any] = {
        "spot": page.spot,
        "x": found.reference.level,
        "spot_prev_close": None,
        "vix": None,
        "tick_received_us": None,
        "tick_age_ms": None,
        "oi_age_s": None,
        "quotes_assumed": None,
        "future": None,
    }
    first["why_null"] |= {
        name: "the page does not tell it" for name, value in told.items() if value is None
    }
    return ChainAnalysis(
        **first,
        **told,
        ts_us=page.ts_us,
        run=page.path.name,
        mode=Mode.REPLAY,
        underlying=page.underlying,
        segment=Segment.NFO,
        date=page.at.date().isoformat(),
        market=market.market,
        feed=FeedState.ENDED,
        cadence_s=0.0,
        is_stale=False,
        is_gapped=False,
        is_warm=False,
        history_s=0.0,
        events=found.events,
        history=[],
        more=[],
    )
