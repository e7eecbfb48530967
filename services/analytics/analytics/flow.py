"""Whose flow it is: build-up of every leg and of the future, verdicts, basis (pure)."""

import numpy as np

from analytics.cells import Cell
from analytics.findings import Flow, Reference, Volatility
from analytics.situation import Before, ChainNow, Classes, FutureNow, MarketNow
from oimon.core.build_up import build_up, future_bands, one_build_up, option_bands
from oimon.core.chain import IntArray
from oimon.core.forward import ForwardSource
from oimon.core.net_build_up import NetBuildUp, net_build_up
from oimon.core.oi import MIN_WINDOW_S, WINDOW_S
from oimon.terms import BuildUp


def flow_of(
    chain: ChainNow,
    market: MarketNow,
    reference: Reference,
    volatility: Volatility,
    before: Before,
) -> Flow:
    """Return the class of every leg and of the future, the verdicts, and their sum.

    Args:
        chain: one expiry.
        market: what all expiries share.
        reference: where the market stands.
        volatility: smile and expected move, for the noise of prices.
        before: what is remembered of this expiry.

    Source: analytics specification, 5 and 6.1 (basis).
    """
    cells, em_w = chain.cells, volatility.em_window
    moved, flowed = cells[Cell.PRICE_CHANGE_15M], cells[Cell.OI_CHANGE_15M]
    bands = option_bands(
        cells[Cell.MARK] - moved,
        cells[Cell.OI] - flowed,
        lot=chain.lot or 1,
        tick=chain.tick,
        delta=None if volatility.curve is None else volatility.curve.delta,
        em_w=em_w,
    )
    codes = build_up(moved, flowed, bands)
    basis, basis_then = _basis(market, reference, before)
    return Flow(
        classes=_classes(chain, codes, before.classes),
        net=_net(chain, market, reference, codes, em_w),
        future=None if market.future is None else _future_class(market.future, em_w),
        basis=basis,
        basis_then=basis_then,
    )


def _classes(chain: ChainNow, codes: IntArray, before: Classes | None) -> Classes:
    rows = chain.rows
    if before is not None and before.rows is rows and before.codes.tobytes() == codes.tobytes():
        return before
    return Classes(rows, codes)


def _net(
    chain: ChainNow, market: MarketNow, reference: Reference, codes: IntArray, em_w: float | None
) -> NetBuildUp | None:
    """Return the net build-up, None while no leg's change is known or there is no forward."""
    flowed = chain.cells[Cell.OI_CHANGE_15M]
    if reference.forward is None or np.count_nonzero(np.isnan(flowed)) == flowed.size:
        return None
    level, then = reference.level, market.level_then
    return net_build_up(
        chain.strike,
        codes,
        flowed,
        chain.cells[Cell.OI],
        forward=reference.forward.price,
        level_change=None if level is None or then is None else level - then,
        em_w=em_w,
    )


def _future_class(future: FutureNow, em_w: float | None) -> BuildUp | None:
    """Return the class of the near future over the window, None where a value is missing."""
    mark, moved, oi, flowed = future.mark, future.mark_change, future.oi, future.oi_change
    if mark is None or moved is None or oi is None or flowed is None:
        return None
    price_band, oi_band = future_bands(
        mark - moved, oi - flowed, lot=future.lot, tick=future.tick, em_w=em_w
    )
    return one_build_up(moved, flowed, price_band=price_band, oi_band=oi_band)


def _basis(
    market: MarketNow, reference: Reference, before: Before
) -> tuple[float | None, float | None]:
    """Return the near future's basis now and at the window's start; without a future, the synthetic one's."""
    level, then, future = reference.level, market.level_then, market.future
    if level is None or reference.forward is None:
        return None, None
    if future is not None and future.mark is not None:
        was = None if future.mark_change is None else future.mark - future.mark_change
        return (
            (future.mark - level) / level,
            None if was is None or then is None else (was - then) / then,
        )
    if reference.forward.source not in (ForwardSource.SYNTHETIC_MID, ForwardSource.SYNTHETIC_LTP):
        return None, None
    carry = _carry_then(before, market.now_s)
    return (
        (reference.forward.price - level) / level,
        None if carry is None or then is None else carry / then,
    )


def _carry_then(before: Before, now_s: float) -> float | None:
    """Return F − S at the window's start, or of a history of at least 300 s its oldest."""
    found = None
    for at_s, carry in before.carry:
        if at_s <= now_s - WINDOW_S:
            found = carry
        elif found is None and at_s <= now_s - MIN_WINDOW_S:
            return carry
        else:
            break
    return found
