"""The analysis of one beat as the project's message (pure)."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analytics.anchors import bases, window_bases
from analytics.book import ChainBook
from analytics.cells import Cell, known
from analytics.findings import Findings
from analytics.history import KEEP_S, RollingTicks
from analytics.report import expiry_analysis, expiry_fields, future_reading
from oimon.core.chain import FloatArray
from oimon.core.compare import age_limit
from oimon.messages import Beat, ChainAnalysis, Minute
from oimon.terms import MarketState

STALE_S = 10.0  # age of the newest market data while the market is open; Source: bus contract, 11
WARM_S = 300.0
_OPEN = (MarketState.OPEN, MarketState.OPEN_CAS)
_NO_SPOT = "no price of the underlying yet"
_WHY = {
    "spot": _NO_SPOT,
    "spot_prev_close": "the session does not tell the previous close",
    "x": _NO_SPOT,
    "vix": "India VIX is not among the instruments",
    "tick_received_us": "no tick yet",
    "tick_age_ms": "no market data yet",
    "oi_age_s": "open interest has not changed yet",
    "quotes_assumed": "none were: what quotes there are, the source told",
    "future": "no future among the instruments",
}


def chain_analysis(
    book: ChainBook,
    beat: Beat,
    found: Sequence[Findings],
    cells: FloatArray,
    *,
    minutes: Sequence[Minute],
    history: RollingTicks,
    is_gapped: bool,
) -> ChainAnalysis:
    """Return the message of one beat.

    Args:
        book: whose session and layout name things.
        beat: what is answered.
        found: of each tracked expiry, the headline first.
        cells: the whole matrix, shape (COUNT, instruments + 1).
        minutes: one line a minute, oldest first.
        history: the samples that changes count from.
        is_gapped: whether ticks of the last window are missing.

    Source: messages-sketch (fields).
    """
    session, headline = book.session, found[0]
    now_s = headline.market.now_s
    history_s, windows = history.span_s(now_s), window_bases(history, now_s)
    parts = [(one, bases(book, history, windows, one.chain.expiry, now_s=now_s)) for one in found]
    first = expiry_fields(*parts[0])
    told = _nullable(book, beat, headline, cells)
    first["why_null"] |= {name: _WHY[name] for name, value in told.items() if value is None}
    return ChainAnalysis(
        **first,
        **told,
        ts_us=beat.ts_us,
        run=session.run,
        mode=session.mode,
        underlying=session.underlying,
        segment=session.segment,
        date=session.date,
        market=headline.market.market,
        feed=beat.feed,
        cadence_s=session.cadence_s,
        is_stale=_is_stale(beat, session.cadence_s),
        is_gapped=is_gapped,
        is_warm=history_s >= WARM_S,
        history_s=min(history_s, KEEP_S),
        events=headline.events,
        history=list(minutes),
        more=[expiry_analysis(*other) for other in parts[1:]],
    )


def _nullable(book: ChainBook, beat: Beat, headline: Findings, cells: FloatArray) -> dict[str, Any]:
    """Return the message's fields that may be null, each of which then needs a reason."""
    layout, expiry = book.layout, headline.chain.expiry
    place = layout.of(expiry)
    changed_us = _newest(cells[Cell.OI_CHANGED_US, place.columns])
    return {
        "spot": headline.market.spot,
        "spot_prev_close": _cell(cells, Cell.PREV_CLOSE, layout.spot),
        "x": headline.reference.level,
        "vix": _cell(cells, Cell.LTP, layout.vix),
        "tick_received_us": _newest(cells[Cell.RECEIVED_US]),
        "tick_age_ms": beat.age_ms,
        "oi_age_s": None if changed_us is None else (beat.ts_us - changed_us) / 1e6,
        "quotes_assumed": book.session.quotes_assumed,
        "future": future_reading(headline),
    }


def _is_stale(beat: Beat, cadence_s: float) -> bool:
    """Say whether the newest market data are too old while the market is open. Source: bus contract, 11."""
    if beat.market not in _OPEN:
        return False
    return beat.age_ms is None or beat.age_ms > age_limit(STALE_S, cadence_s) * 1000


def _newest(instants: FloatArray) -> int | None:
    newest = float(np.fmax.reduce(instants, axis=None, initial=-np.inf))
    return int(newest) if math.isfinite(newest) else None


def _cell(cells: FloatArray, cell: int, column: int | None) -> float | None:
    return None if column is None else known(cells[cell, column])
