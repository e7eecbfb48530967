"""Net build-up of the chain: the flow of all strikes, nearest the money first."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np

from oimon.core import fast
from oimon.core.chain import FloatArray, IntArray, without_gaps
from oimon.core.verdict import SAYS, class_says

FULL_PARTICIPATION = 0.01  # of the open interest near the money


@dataclass(frozen=True, slots=True, kw_only=True)
class NetBuildUp:
    """Net reading in [−1, 1], the two factors in [0, 1] that discount it, and their product."""

    net: float
    participation: float
    significance: float
    score: float


class ChainMarket(NamedTuple):
    """How many strikes a chain has, its forward, and how the market moved in the window, in rupees; None where unknown."""

    strikes: int
    forward: float
    level_change: float | None
    em_w: float | None


def net_build_up(
    strike: FloatArray,
    build_up: IntArray,
    oi_change: FloatArray,
    oi: FloatArray,
    *,
    forward: float,
    level_change: float | None,
    em_w: float | None,
) -> NetBuildUp:
    """Return the net build-up of a chain.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        build_up: class of each leg as an index into ``build_up.CLASSES``, shape (2, n).
        oi_change: over the short-term window, in quantity, shape (2, n), NaN where unknown.
        oi: open interest in quantity, shape (2, n), NaN where missing.
        forward: rupees.
        level_change: of the reference level over the window, in rupees; None where unknown.
        em_w: expected move in the window, in rupees; None where unknown.

    Source: analytics specification, 5.4.
    """
    size, held = np.abs(without_gaps(oi_change)), without_gaps(oi)
    market = ChainMarket(len(strike), forward, level_change, em_w)
    return net_build_ups(strike, build_up, size, held, [market])[0]


def net_build_ups(
    strike: FloatArray,
    build_up: IntArray,
    size: FloatArray,
    held: FloatArray,
    markets: Sequence[ChainMarket],
) -> list[NetBuildUp]:
    """Return the net build-up of each of several chains that lie side by side: it costs little more than of one.

    Args:
        strike: strikes in rupees of one chain after the other, shape (N,).
        build_up: class of each leg as an index into ``build_up.CLASSES``, shape (2, N).
        size: of the change of open interest over the short-term window, in quantity, shape (2, N), 0 where unknown.
        held: open interest in quantity, shape (2, N), 0 where missing.
        markets: what is told of each chain; none is empty.

    Source: analytics specification, 5.4.
    """
    sizes = [market.strikes for market in markets]
    forward = np.array([market.forward for market in markets]).repeat(sizes)
    nearness = np.exp(((strike - forward) * (1.0 / (0.01 * forward))) ** 2 * -0.5)
    moved = size * nearness
    by_strike = np.add.reduce(
        np.array((moved * (build_up != 0), moved * class_says(build_up), held * nearness)), axis=1
    )
    starts = list(accumulate(sizes, initial=0))[:-1]
    totals = np.add.reduceat(by_strike, starts, axis=1).T.tolist()
    return [
        _net(classed, said, near_oi, market)
        for (classed, said, near_oi), market in zip(totals, markets, strict=True)
    ]


def net_if_known(
    strike: FloatArray,
    build_up: IntArray,
    oi_change: FloatArray,
    oi: FloatArray,
    market: ChainMarket,
) -> NetBuildUp | None:
    """Return the net build-up of one chain by machine code, which must be used; None where no change is known.

    Arguments as of :func:`net_build_up` and :func:`net_build_ups`.
    """
    asked = (strike, build_up, oi_change, oi, market.forward, SAYS)
    known, classed, said, near_oi = fast.loops.net_build_up(*asked)  # type: ignore[union-attr]  # asked where it is used
    return _net(classed, said, near_oi, market) if known else None


def _net(classed: float, said: float, near_oi: float, market: ChainMarket) -> NetBuildUp:
    """Return the net build-up of one chain from its flow that has a class, what that says, and its interest, all weighed."""
    net = said / classed if classed else 0.0
    participation = min(1.0, classed / (FULL_PARTICIPATION * near_oi)) if near_oi else 0.0
    significance = 1.0
    if market.level_change is not None and market.em_w:
        significance = min(1.0, abs(market.level_change) / market.em_w)
    return NetBuildUp(
        net=net,
        participation=participation,
        significance=significance,
        score=net * participation * significance,
    )
