"""One chain at one instant, as a file tells it, and its analysis (pure).

What a file does not tell (when a leg last traded, what was before) stays unknown. Rulings, 12.
"""

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from analytics.analyse import analyse
from analytics.anchors import page_bases, previous_close_s
from analytics.cells import Cell
from analytics.report import expiry_fields
from analytics.sheet import LOT_NOT_NEEDED, VOLUME_ONLY
from analytics.situation import Before, ChainCells, ChainNow, FutureNow, MarketNow
from oimon import calendar
from oimon.chain_csv import lot_warning
from oimon.core.chain import FloatArray
from oimon.messages import ChainAnalysis
from oimon.terms import FeedState, Mode, OiUnit, Segment

TICK = 0.05
_NOT_TOLD = "the page does not tell it"


@dataclass(frozen=True, kw_only=True)
class Page:
    """One expiry of one underlying."""

    path: Path
    underlying: str
    segment: Segment = Segment.NFO
    at: datetime
    expiry: date
    spot: float | None
    strike: FloatArray  # rupees, ascending, shape (n,)
    cells: FloatArray  # shape (COUNT, 2, n)
    oi_unit: OiUnit = OiUnit.LOTS
    volume_unit: OiUnit = OiUnit.LOTS
    lot: int | None = None  # quantity of a contract, where the file itself tells it
    future: float | None = None  # price of the near future, where the file has it
    own_future: float | None = None  # price of the future that expires with the options
    warning: str | None = None  # what a person should look at again

    @property
    def ts_us(self) -> int:
        """When the page was made."""
        return round(self.at.timestamp()) * 1_000_000


def lot_of(page: Page, given: int | None) -> int | None:
    """Return the quantity of a contract: the file's own, the dated table's, else the one given. Source: rulings, 12."""
    return page.lot or calendar.lot_size(page.underlying, page.expiry, page.at.date()) or given


def notes(page: Page, lot: int | None, given: int | None) -> list[str]:
    """Return what a person should look at again.

    Args:
        page: what was read.
        lot: of :func:`lot_of`.
        given: by the user.
    """
    ignored = None if lot is None else lot_warning({page.expiry.isoformat(): lot}, given)
    return [*filter(None, (ignored, page.warning))]


def page_analysis(page: Page, lot: int | None) -> ChainAnalysis:
    """Return the analysis of a page.

    Args:
        page: what was read.
        lot: quantity of a contract; None leaves open interest and volume in the units of the page.
    """
    chain, market = situation(page, lot)
    (found,) = analyse([chain], market, [Before()])
    close_s = previous_close_s(page.segment, page.at.date().isoformat())
    tells_day = bool(np.isfinite(page.cells[Cell.OI_CHANGE_DAY]).any())
    first = expiry_fields(found, page_bases(page.path.name, close_s, tells_day=tells_day))
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
    first["why_null"] |= {name: _NOT_TOLD for name, value in told.items() if value is None}
    if lot is None and page.oi_unit is OiUnit.QTY:
        is_all = page.volume_unit is OiUnit.QTY
        first["why_null"]["lot"] = LOT_NOT_NEEDED if is_all else VOLUME_ONLY
    return ChainAnalysis(
        **first,
        **told,
        ts_us=page.ts_us,
        run=page.path.name,
        mode=Mode.REPLAY,
        underlying=page.underlying,
        segment=page.segment,
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


def situation(page: Page, lot: int | None) -> tuple[ChainNow, MarketNow]:
    """Return the page as a chain and a market of one beat.

    Args:
        page: one expiry.
        lot: quantity of a contract; None leaves what is in contracts so.
    """
    cells = page.cells.copy()
    if page.volume_unit is OiUnit.LOTS:
        cells[Cell.VOLUME] *= lot or 1
    if page.oi_unit is OiUnit.LOTS:
        cells[[Cell.OI, Cell.OI_CHANGE_DAY, Cell.OI_PREV]] *= lot or 1
    segment, now_us = page.segment, page.ts_us
    is_last_day = page.at.date() == page.expiry
    first_us, last_us = calendar.entry_window(segment, page.at.date(), is_expiry=is_last_day)
    chain = ChainNow(
        expiry=page.expiry.isoformat(),
        lot=lot,
        tick=TICK,
        seconds_left=calendar.time_to_expiry(segment, page.expiry, now_us),
        session_s=float(calendar.session_s(segment, page.at.date())),
        is_in_entry_window=first_us <= now_us <= last_us,
        rows=ChainCells(page.strike, cells),
        future=page.own_future,
    )
    market = MarketNow(
        ts_us=now_us,
        market=calendar.market_state(segment, now_us),
        cadence_s=0.0,
        spot=page.spot,
        underlying_age_s=None if page.spot is None else 0.0,
        level_then=None,
        future=None if page.future is None else _future(page.future, lot),
    )
    return chain, market


def _future(price: float, lot: int | None) -> FutureNow:
    """Return the near future of which only the price is known."""
    return FutureNow(
        symbol="future",
        lot=lot or 1,
        tick=TICK,
        mark=price,
        mark_change=None,
        oi=None,
        oi_change=None,
    )
