"""Net build-up of the chain: the flow of all strikes, nearest the money first."""

from dataclasses import dataclass

import numpy as np

from oimon.core.chain import FloatArray, IntArray, without_gaps
from oimon.core.verdict import class_says

FULL_PARTICIPATION = 0.01  # of the open interest near the money


@dataclass(frozen=True, slots=True, kw_only=True)
class NetBuildUp:
    """Net reading in [−1, 1], the two factors in [0, 1] that discount it, and their product."""

    net: float
    participation: float
    significance: float
    score: float


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
    nearness = np.exp(((strike - forward) * (1.0 / (0.01 * forward))) ** 2 * -0.5)
    moved = np.abs(without_gaps(oi_change)) * nearness
    classed = _total(moved * (build_up != 0))
    net = _total(moved * class_says(build_up)) / classed if classed else 0.0
    near_oi = _total(without_gaps(oi) * nearness)
    participation = min(1.0, classed / (FULL_PARTICIPATION * near_oi)) if near_oi else 0.0
    significance = 1.0
    if level_change is not None and em_w:
        significance = min(1.0, abs(level_change) / em_w)
    return NetBuildUp(
        net=net,
        participation=participation,
        significance=significance,
        score=net * participation * significance,
    )


def _total(column: FloatArray) -> float:
    return float(np.add.reduce(column, axis=None))
