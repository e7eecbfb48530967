"""Options on a commodity's futures: which are analysed, by what, and what is not said of them (pure).

Sections 1 to 5 and 9 of the specification hold for them, with the price of the future for forward and level alike; direction,
signals and coaches do not. Source: analytics specification, 10.1; rulings, 18.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from analytics.analyse import analyse
from analytics.cells import Cell
from analytics.findings import Findings
from analytics.layout import ExpiryLayout
from analytics.run import (
    Run,
    Standing,
    chain_now,
    commodity_market,
    devolves_into,
    tracked,
)
from analytics.situation import Before
from oimon.core.chain import FloatArray
from oimon.messages import Beat, ChainAnalysis, ExpiryAnalysis, Quote, SignalReading
from oimon.terms import Direction, EventKind, Segment, Signal

Expiry = TypeVar("Expiry", bound=ExpiryAnalysis)

MIN_LOTS = 500
"""Open interest of a chain from which it says anything."""
OFF = "direction, signals and coaches: not made for commodities"
OFF_BY_DEFAULT = "build-up and option analysis: off for commodities unless MCX_OI=1"
TOO_THIN = f"option analysis: no chain with {MIN_LOTS} lots of open interest and a future"
_UNSAID = ("score", "agreement", "coverage", "label")
_WHY = dict.fromkeys(_UNSAID, OFF) | {
    "spot": "a commodity has no spot: its future stands for it",
    "atm_spot": "a commodity has no spot: its future stands for it",
    "spot_prev_close": "a commodity has no spot: its future stands for it",
}


def options_now(run: Run, cells: FloatArray, ts_us: int) -> list[tuple[ExpiryLayout, int]]:
    """Return the expiries to analyse at a beat, each with the row of the future that it devolves into; once begun with, one is gone on with, so that nothing flaps.

    Args:
        run: of a commodity.
        cells: the matrix at that beat, shape (COUNT, instruments + 1).
        ts_us: the beat.
    """
    session = run.book.session
    if session.segment is not Segment.MCX or not session.mcx_oi or not run.book.layout.expiries:
        return []
    found = [(expiry, devolves_into(run, expiry.expiry)) for expiry in tracked(run, ts_us)]
    return [
        (expiry, row)
        for expiry, row in found
        if row is not None and (expiry.expiry in run.before or _lots(expiry, cells) >= MIN_LOTS)
    ]


def _lots(expiry: ExpiryLayout, cells: FloatArray) -> float:
    return float(np.nansum(cells[Cell.OI, expiry.columns])) / expiry.lot


def options_found(
    run: Run, standing: Standing, beat: Beat, expiries: Sequence[tuple[ExpiryLayout, int]]
) -> list[Findings]:
    """Return what each expiry says; each goes by a future of its own, so each is asked alone."""
    found = []
    for expiry, row in expiries:
        market = commodity_market(run, standing.cells, beat, row)
        chain = chain_now(run, expiry, standing, beat.ts_us)
        found += analyse([chain], market, [run.before.get(expiry.expiry, Before())])
    return found


def with_classes(quotes: Sequence[Quote], found: Sequence[Findings]) -> list[Quote]:
    """Return the quotes of futures with the build-up that was found beside the volatility of options on them (5.1).

    Args:
        quotes: of the futures, their build-up found without a volatility.
        found: of each expiry, the nearest first: of two that devolve into one future the nearest counts.
    """
    told = {
        one.market.future.symbol: None if one.flow.future is None else one.flow.future.value
        for one in reversed(found)
        if one.market.future is not None
    }
    return [replace(quote, build_up=told.get(quote.symbol, quote.build_up)) for quote in quotes]


def commodity_analysis(
    told: ChainAnalysis, quotes: Sequence[Quote], why_null: Mapping[str, str]
) -> ChainAnalysis:
    """Return an analysis with what there is not for commodities taken out, and with the quotes of the futures.

    Args:
        told: as of an index.
        quotes: of the futures.
        why_null: why a field of some of them is null.
    """
    future = None if told.future is None else replace(told.future, basis=None)
    missing = {f"quotes.{name}": why for name, why in why_null.items()}
    told = replace(
        told,
        why_null={**told.why_null, **missing},
        future=future,
        events=[each for each in told.events if each.kind != EventKind.DIRECTION_CHANGE],
        more=[_undirected(each) for each in told.more],
        history=[(*seen[:4], None, Direction.NEUTRAL.value, seen[6]) for seen in told.history],
        off=[OFF],
        quotes=list(quotes),
    )
    return _undirected(told)


def _undirected(told: Expiry) -> Expiry:
    why = {name: reason for name, reason in _WHY.items() if getattr(told, name, None) is None}
    return replace(
        told,
        direction=Direction.NEUTRAL,
        confidence_factor=0.0,
        score=None,
        agreement=None,
        coverage=None,
        components={},
        contributions=[],
        against=[],
        signal=SignalReading(signal=Signal.HOLD, raw=Signal.HOLD, vetoes=[]),
        label=None,
        why_null={**told.why_null, **dict.fromkeys(_UNSAID, OFF), **why},
    )
