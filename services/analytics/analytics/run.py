"""What one run of a session has taught, and the chains and the market as they stand in it at a beat."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache

import numpy as np

from analytics.book import ChainBook
from analytics.cells import WINDOWS, Cell, fill_changes, is_fresh, known, marked
from analytics.history import RollingTicks
from analytics.layout import ExpiryLayout, Layout
from analytics.quotes import QuoteDays
from analytics.situation import Before, ChainCells, ChainNow, FutureNow, MarketNow
from oimon import calendar
from oimon.core.chain import FloatArray, IndexArray
from oimon.core.compare import age_limit
from oimon.core.oi import WINDOW_S
from oimon.messages import Beat, Minute
from oimon.terms import FeedState, MarketState, Segment

MINUTES = 30
HALT_S = 60.0  # without a tick of any symbol while the market should be open


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """The whole matrix, shape (COUNT, instruments + 1), from what it was made, and what was cut from it, by expiry.

    While it is made from the same, it stands: of most beats without a tick it is that of the beat before.
    """

    made_from: tuple[object, ...]
    cells: FloatArray
    chains: dict[str, ChainCells] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Listed:
    """Strikes in rupees, shape (n,), and columns, shape (2, n), of each expiry's legs that the feed has delivered, by expiry.

    It stands while the layout does and no more instruments have been delivered.
    """

    layout: Layout
    delivered: int
    chains: dict[str, tuple[FloatArray, IndexArray]]


@dataclass(kw_only=True, eq=False)
class Run:
    """Everything that one run of a session has taught."""

    book: ChainBook
    history: RollingTicks
    standing: Standing | None = None
    listed: Listed | None = None
    before: dict[str, Before] = field(default_factory=dict)  # by expiry
    minutes: deque[Minute] = field(default_factory=lambda: deque(maxlen=MINUTES))
    quotes: QuoteDays = field(default_factory=dict)  # of the quote modes only

    @property
    def is_quoted(self) -> bool:
        """Whether beats are answered with quotes: of shares, commodities, and where there are no options."""
        is_quoted = self.book.session.segment in (Segment.MCX, Segment.NSE)
        return is_quoted or not self.book.layout.expiries


def without_memories(run: Run) -> Run:
    """Return the run without what is remembered of the beat before only to save work."""
    return replace(run, standing=None, listed=None, before=_without_cells(run.before))


def let_go_of_cells(run: Run) -> None:
    """Forget the matrix of the newest beat, and what was found from it.

    Where ticks come at every beat it serves no other, and 200 underlyings' are 56 MB.
    """
    run.standing, run.before = None, _without_cells(run.before)


def _without_cells(before: Mapping[str, Before]) -> dict[str, Before]:
    return {
        expiry: replace(memory, interest=None, classes=None) for expiry, memory in before.items()
    }


def standing_now(run: Run, beat: Beat) -> Standing:
    """Return the whole matrix at a beat: that of the beat before, where nothing that it is made from has changed."""
    book, now_s, cadence_s = run.book, beat.ts_us / 1e6, run.book.session.cadence_s
    made_from = (
        book.version,
        is_fresh(book.cells(), beat.ts_us, cadence_s).tobytes(),
        *run.history.anchors(now_s, WINDOWS.values()),
    )
    if run.standing is None or run.standing.made_from != made_from:
        cells = marked(book.cells(), book.layout.tick, beat.ts_us, cadence_s)
        then = {window_s: run.history.at_window(now_s, window_s) for window_s in WINDOWS.values()}
        fill_changes(cells, then)
        run.standing = Standing(made_from=made_from, cells=cells)
    return run.standing


def tracked(run: Run, ts_us: int) -> list[ExpiryLayout]:
    """Return the expiries to analyse, the headline first: the nearest that lives and was delivered."""
    session, listed = run.book.session, listed_now(run)
    alive = [
        expiry
        for expiry in run.book.layout.expiries
        if _close_us(session.segment, expiry.expiry) > ts_us
    ]
    if not alive:  # a recorded day goes on a little after its last contract has closed
        alive = list(run.book.layout.expiries[-1:])
    return [expiry for expiry in alive if len(listed[expiry.expiry][0])] or alive[:1]


def listed_now(run: Run) -> dict[str, tuple[FloatArray, IndexArray]]:
    """Return, of each expiry, strikes and columns of the legs that the feed has delivered."""
    layout, delivered = run.book.layout, run.book.delivered()
    count = int(np.count_nonzero(delivered))
    listed = run.listed
    if listed is None or listed.layout is not layout or listed.delivered != count:
        chains = {}
        for expiry in layout.expiries:
            is_listed = delivered[expiry.columns].any(axis=0)
            chains[expiry.expiry] = expiry.strike[is_listed], expiry.columns[:, is_listed]
        listed = run.listed = Listed(layout=layout, delivered=count, chains=chains)
    return listed.chains


def market_now(run: Run, cells: FloatArray, beat: Beat) -> MarketNow:
    """Return what all expiries share at a beat."""
    session, layout = run.book.session, run.book.layout
    now_s = beat.ts_us / 1e6
    spot, age_s = None, None
    if layout.spot is not None:
        spot = known(cells[Cell.LTP, layout.spot])
        received_us = known(cells[Cell.RECEIVED_US, layout.spot])
        age_s = None if received_us is None else now_s - received_us / 1e6
    return MarketNow(
        ts_us=beat.ts_us,
        market=_state(beat, session.cadence_s),
        cadence_s=session.cadence_s,
        spot=spot,
        underlying_age_s=age_s,
        level_then=run.history.level_at(now_s, WINDOW_S),
        future=_future(run, cells),
    )


def commodity_market(run: Run, cells: FloatArray, beat: Beat, row: int) -> MarketNow:
    """Return what one expiry of a commodity's options sees: no spot, but the future of that row, which it devolves into.

    Source: analytics specification, 1.5 (reference level) and 10.1.
    """
    future, received_us = _future_at(run, cells, row), known(cells[Cell.RECEIVED_US, row])
    return MarketNow(
        ts_us=beat.ts_us,
        market=_state(beat, run.book.session.cadence_s),
        cadence_s=run.book.session.cadence_s,
        spot=None,
        underlying_age_s=None if received_us is None else (beat.ts_us - received_us) / 1e6,
        level_then=future.mark_then,
        future=future,
    )


def devolves_into(run: Run, expiry: str) -> int | None:
    """Return the row of the nearest future that expires with the options or later, None where there is none."""
    told, futures = run.book.session.instruments, run.book.layout.futures
    return next((row for row in futures if (told.expiry[row] or "") >= expiry), None)


def _state(beat: Beat, cadence_s: float) -> MarketState:
    """Return the market's state; open without any tick from a working feed, it is perhaps halted.

    Source: analytics specification, 12.2; rulings, 13.
    """
    if beat.market is not MarketState.OPEN or beat.age_ms is None:
        return beat.market
    is_quiet = beat.age_ms >= age_limit(HALT_S, cadence_s) * 1000
    is_working = beat.feed in (FeedState.OK, FeedState.SILENT)
    return MarketState.HALT_SUSPECTED if is_quiet and is_working else beat.market


def _future(run: Run, cells: FloatArray) -> FutureNow | None:
    """Return the near future, None where the session has none."""
    row = devolves_into(run, run.book.session.date)
    return None if row is None else _future_at(run, cells, row)


def _future_at(run: Run, cells: FloatArray, row: int) -> FutureNow:
    told = run.book.session.instruments
    return FutureNow(
        symbol=told.symbol[row],
        lot=told.lot[row],
        tick=told.tick[row],
        mark=known(cells[Cell.MARK, row]),
        mark_change=known(cells[Cell.PRICE_CHANGE_15M, row]),
        oi=known(cells[Cell.OI, row]),
        oi_change=known(cells[Cell.OI_CHANGE_15M, row]),
    )


def chain_now(run: Run, expiry: ExpiryLayout, standing: Standing, ts_us: int) -> ChainNow:
    """Return one expiry's chain: the strikes of which the feed has delivered a leg in this run."""
    segment, today = run.book.session.segment, calendar.day_of(ts_us)
    is_last_day = today.isoformat() == expiry.expiry
    first_us, last_us = calendar.entry_window(segment, today, is_expiry=is_last_day)
    rows = standing.chains.get(expiry.expiry)
    if rows is None:
        strike, columns = listed_now(run)[expiry.expiry]
        rows = ChainCells(strike, standing.cells.take(columns, axis=1))
        standing.chains[expiry.expiry] = rows
    return ChainNow(
        expiry=expiry.expiry,
        lot=expiry.lot,
        tick=expiry.tick,
        seconds_left=(_close_us(segment, expiry.expiry) - ts_us) / 1e6,
        session_s=_session_s(segment, today),
        is_in_entry_window=first_us <= ts_us <= last_us,
        rows=rows,
        future=known(standing.cells[Cell.MARK, expiry.future]),
    )


@lru_cache(maxsize=256)
def _close_us(segment: Segment, expiry: str) -> int:
    """Return when contracts of an expiry close; asked of the calendar once, not at every beat."""
    return calendar.close_us(segment, date.fromisoformat(expiry))


@lru_cache(maxsize=256)
def _session_s(segment: Segment, day: date) -> float:
    return float(calendar.session_s(segment, day))
