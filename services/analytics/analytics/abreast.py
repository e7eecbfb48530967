"""Chains side by side in flat arrays, one after the other, so that one operation works on all of them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, pairwise

import numpy as np

from analytics.cells import Cell
from analytics.situation import CHAINS_KEPT, ChainCells, ChainNow
from oimon.core.build_up import Moves, moves, option_bands
from oimon.core.chain import FloatArray, without_gaps


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Abreast:
    """What the cells of several chains say of their flow, whatever the time.

    ``strike`` in rupees, shape (N,); ``size`` of the changes of open interest over the short-term window and ``held``, open
    interest, in quantity, shape (2, N), 0 where unknown. ``parts`` is where each chain lies; ``has_flow``: whether any
    change of it is known.
    """

    parts: tuple[slice, ...]
    strike: FloatArray
    size: FloatArray
    held: FloatArray
    has_flow: tuple[bool, ...]


def abreast(chains: Sequence[ChainNow]) -> Abreast:
    """Return chains side by side: of the same cells what was returned before."""
    return _abreast(tuple(chain.rows for chain in chains))


def moves_abreast(chains: Sequence[ChainNow]) -> Moves:
    """Return the changes of chains side by side: of the same cells what was returned before."""
    return _moves(tuple((chain.rows, chain.lot or 1, chain.tick) for chain in chains))


@lru_cache(maxsize=CHAINS_KEPT)
def _abreast(chains: tuple[ChainCells, ...]) -> Abreast:
    sizes = [len(rows.strike) for rows in chains]
    oi, flowed = _side_by_side(chains, (Cell.OI, Cell.OI_CHANGE_15M))
    parts = tuple(slice(*ends) for ends in pairwise(accumulate(sizes, initial=0)))
    is_known = ~np.isnan(flowed)
    return Abreast(
        parts=parts,
        strike=np.concatenate([rows.strike for rows in chains]),
        size=np.abs(without_gaps(flowed)),
        held=without_gaps(oi),
        has_flow=tuple(bool(is_known[:, part].any()) for part in parts),
    )


@lru_cache(maxsize=CHAINS_KEPT)
def _moves(chains: tuple[tuple[ChainCells, int, float], ...]) -> Moves:
    rows = [each for each, _, _ in chains]
    sizes = [len(each.strike) for each in rows]
    mark, oi, moved, flowed = _side_by_side(
        rows, (Cell.MARK, Cell.OI, Cell.PRICE_CHANGE_15M, Cell.OI_CHANGE_15M)
    )
    bands = option_bands(
        mark - moved,
        oi - flowed,
        lot=np.array([lot for _, lot, _ in chains]).repeat(sizes),
        tick=np.array([tick for _, _, tick in chains]).repeat(sizes),
    )
    return moves(moved, flowed, bands)


def _side_by_side(chains: Sequence[ChainCells], wanted: Sequence[int]) -> list[FloatArray]:
    """Return each of these cells of all chains, shape (2, N)."""
    return [np.concatenate([rows.cells[cell] for rows in chains], axis=1) for cell in wanted]
