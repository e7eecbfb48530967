"""Whose flow it is: build-up of every leg and of the future, verdicts, basis (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.abreast import Abreast, abreast, moves_abreast
from analytics.cells import Cell
from analytics.findings import Flow, Reference, Volatility
from analytics.situation import Before, ChainNow, Classes, FutureNow, MarketNow
from oimon.core import fast
from oimon.core.build_up import classes, future_bands, one_build_up, price_noise
from oimon.core.chain import FloatArray, IndexArray, IntArray
from oimon.core.forward import ForwardSource
from oimon.core.net_build_up import ChainMarket, NetBuildUp, net_build_ups, net_if_known
from oimon.core.oi import MIN_WINDOW_S, WINDOW_S
from oimon.terms import BuildUp


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Position:
    """Where one chain stands before its flow is known: levels, smile, and what is remembered of it.

    ``codes`` are the classes of its legs, shape (2, n), where they were read with its open interest.
    """

    chain: ChainNow
    reference: Reference
    volatility: Volatility
    before: Before
    codes: IntArray | None = None


def flows_of(market: MarketNow, positions: Sequence[Position]) -> list[Flow]:
    """Return, of each chain, the class of every leg and of the future, the verdicts, and their sum.

    Args:
        market: what all expiries share.
        positions: one a chain.

    Source: analytics specification, 5 and 6.1 (basis).
    """
    if fast.loops is not None:
        return [_flow_by_machine_code(market, each) for each in positions]
    side = abreast([each.chain for each in positions])
    codes = _codes(positions)
    nets = _nets(market, positions, side, codes)
    return [
        _flow(market, each, codes[:, part], net)
        for each, part, net in zip(positions, side.parts, nets, strict=True)
    ]


def _flow_by_machine_code(market: MarketNow, position: Position) -> Flow:
    """Return the flow of one chain: there it costs no more in company."""
    cells, codes, told = position.chain.cells, position.codes, _told(position, market)
    if codes is None:
        raise ValueError("a chain that machine code has read has its legs' classes")
    changes, oi = cells[Cell.OI_CHANGE_15M], cells[Cell.OI]
    net = None
    if told is not None and len(position.chain.strike):
        net = net_if_known(position.chain.strike, codes, changes, oi, told)
    return _flow(market, position, codes, net)


def _flow(market: MarketNow, position: Position, codes: IntArray, net: NetBuildUp | None) -> Flow:
    basis, basis_then = _basis(market, position.reference, position.before)
    em_w = position.volatility.em_window
    return Flow(
        classes=_classes(position.chain, codes, position.before.classes),
        net=net,
        future=None if market.future is None else _future_class(market.future, em_w),
        basis=basis,
        basis_then=basis_then,
    )


def _codes(positions: Sequence[Position]) -> IntArray:
    """Return the class of each leg of all chains side by side, shape (2, N)."""
    read = [each.codes for each in positions if each.codes is not None]
    if len(read) == len(positions):
        return np.concatenate(read, axis=1)
    noise = np.concatenate([_noise(each) for each in positions], axis=1)
    return classes(moves_abreast([each.chain for each in positions]), noise)


def _noise(position: Position) -> FloatArray:
    """Return what noise does to each premium of a chain, shape (2, n), NaN where there is no volatility."""
    curve, em_w = position.volatility.curve, position.volatility.em_window
    if curve is None or em_w is None:
        return np.full((2, len(position.chain.strike)), np.nan)
    return price_noise(curve.delta, em_w)


def _nets(
    market: MarketNow, positions: Sequence[Position], side: Abreast, codes: IntArray
) -> list[NetBuildUp | None]:
    """Return the net build-up of each chain, None while no leg's change is known or there is no forward."""
    told = [
        _told(each, market) if flows else None
        for each, flows in zip(positions, side.has_flow, strict=True)
    ]
    asked = [one for one in told if one is not None]
    if not asked:
        return [None] * len(told)
    places: slice | IndexArray = slice(None)
    if len(asked) < len(told):
        is_asked = np.repeat(
            [one is not None for one in told], [part.stop - part.start for part in side.parts]
        )
        places = is_asked.nonzero()[0]
    found = iter(
        net_build_ups(
            side.strike[places], codes[:, places], side.size[:, places], side.held[:, places], asked
        )
    )
    return [None if one is None else next(found) for one in told]


def _told(position: Position, market: MarketNow) -> ChainMarket | None:
    """Return what the net build-up needs to know of a chain's market, None without a forward."""
    reference, then = position.reference, market.level_then
    if reference.forward is None:
        return None
    level = reference.level
    return ChainMarket(
        strikes=len(position.chain.strike),
        forward=reference.forward.price,
        level_change=None if level is None or then is None else level - then,
        em_w=position.volatility.em_window,
    )


def _classes(chain: ChainNow, codes: IntArray, before: Classes | None) -> Classes:
    rows = chain.rows
    if before is not None and before.rows is rows and before.codes.tobytes() == codes.tobytes():
        return before
    return Classes(rows, codes)


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
        was = future.mark_then
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
