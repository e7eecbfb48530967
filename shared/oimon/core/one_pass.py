"""What open interest says of a chain and what each of its legs does, read together where there is machine code.

``open_interest`` and ``build_up`` say what the numbers mean; they do the same by numpy.
"""

from typing import NamedTuple

import numpy as np

from oimon.core import fast
from oimon.core.build_up import MOVE_SHARE
from oimon.core.chain import FloatArray, IndexArray, IntArray
from oimon.core.coi import coi_of
from oimon.core.compare import SLACK
from oimon.core.max_pain import MaxPain
from oimon.core.open_interest import Reading
from oimon.core.pcr import ratios
from oimon.core.quality import OI_STALE_S, OiShares
from oimon.core.walls import SupportResistance, Wall, levels_of

NUMBERS = 37
"""Numbers of a chain, in this order: legs known, their interest that is fresh; interest of calls and of puts, volumes likewise, the
same four of the window; changes in the window of calls, of puts, how many are known; max pain's strike, pain, zone; strike and
interest of the two largest walls below and strike and strength of the three strongest levels there, likewise above. 0 where there is none."""


class Columns(NamedTuple):
    """Which row of a chain's matrix holds what; an array of these numbers is what :func:`one_pass` takes.

    Marks in rupees, open interest and volume in quantity, both changes over the short-term window, one more since the
    previous close, and seconds since the last message of open interest.
    """

    oi: int
    volume: int
    mark: int
    price_change: int
    oi_change: int
    oi_change_day: int
    oi_age_s: int


def one_pass(
    strike: FloatArray,
    cells: FloatArray,
    columns: IndexArray,
    *,
    level: float | None,
    window: slice,
    lot: int,
    tick: float,
    noise: tuple[FloatArray, float] | None,
) -> tuple[FloatArray, IntArray] | None:
    """Return a chain's numbers, shape (NUMBERS,), and each leg's class, shape (2, n); None where there is no machine code.

    Args:
        strike: strikes of the whole chain in rupees, ascending, shape (n,).
        cells: what is known of each leg, shape (rows, 2, n), NaN where missing.
        columns: of :class:`Columns`, shape (7,).
        level: reference level X, in rupees; None where unknown: no levels, and of equal max pains the lower.
        window: the strikes around the money, by place; without a step.
        lot: quantity of one lot.
        tick: smallest step of the price, in rupees.
        noise: delta of each leg, shape (2, n), NaN where unknown, and the expected move of the underlying in the short-term
            window, in rupees; None where there is no volatility, hence no noise.

    Source: analytics specification, 1.6, 2, 3, 4.1, 5.1.
    """
    if fast.loops is None:
        return None
    n = len(strike)
    numbers, codes = np.empty(NUMBERS), np.empty((2, n), np.int8)
    delta, em_w = (np.full((2, n), np.nan), 0.0) if noise is None else noise
    fast.loops.one_pass(
        strike,
        cells,
        columns,
        np.ascontiguousarray(delta),
        level or 0.0,
        window.start,
        min(window.stop, n),
        lot,
        tick,
        MOVE_SHARE * em_w,
        OI_STALE_S + SLACK,
        numbers,
        codes,
    )
    return numbers, codes


def reading_of(found: FloatArray, strikes: int, window: slice) -> Reading:
    """Return what the numbers of :func:`one_pass` say of so many strikes, as ``open_interest`` does."""
    numbers: list[float] = found.tolist()
    known, fresh, ce_oi, pe_oi = numbers[:4]
    total = ce_oi + pe_oi
    strike, pain, low, high = numbers[13:17]
    return Reading(
        shares=OiShares(
            known / (2 * strikes) if strikes else 0.0, 1.0 - fresh / total if total else 1.0
        ),
        pcr=ratios(*numbers[2:6]),
        pcr_window=ratios(*numbers[6:10]),
        coi=coi_of(
            2 * (min(window.stop, strikes) - window.start), numbers[12], numbers[10], numbers[11]
        ),
        pain=MaxPain(strike, pain, (low, high)) if total > 0 else None,
        levels=SupportResistance(
            levels_of(_walls(numbers[17:21]), _walls(numbers[21:27])),
            levels_of(_walls(numbers[27:31]), _walls(numbers[31:])),
        ),
    )


def _walls(found: list[float]) -> tuple[Wall, ...]:
    """Return pairs of strike and value, those that are there."""
    pairs = tuple(zip(found[::2], found[1::2], strict=True))
    return pairs if found[-1] > 0.0 else tuple([pair for pair in pairs if pair[1] > 0.0])
