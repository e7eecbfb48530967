"""Support and resistance: where writers are short most, and how strongly they defend it."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple, TypeAlias

import numpy as np

from oimon.core.chain import CE, PE, FloatArray, without_gaps
from oimon.core.compare import SLACK, clamp

TOP = 3
Wall: TypeAlias = tuple[float, float]  # strike in rupees, and its open interest or strength
WEAK_RATIO = 0.75  # a second wall this large says that the first may shift
_NEVER_ZERO = 1e-300  # beside any open interest it vanishes; a strike without any then has dom 0


class Towards(StrEnum):
    """Where a level is weak towards."""

    TOP = "top"
    BOTTOM = "bottom"


class Levels(NamedTuple):
    """One side's levels.

    ``strongest`` holds (strike in rupees, strength 0 to 100), strongest first: the first is the primary. ``wall`` is the
    plain largest open interest, ``second_ratio`` the second largest over the largest.
    """

    strongest: tuple[Wall, ...] = ()
    wall: float | None = None
    second_ratio: float | None = None
    weak_towards: Towards | None = None


class SupportResistance(NamedTuple):
    """Levels below and above."""

    support: Levels
    resistance: Levels


def oi_walls(
    strike: FloatArray, oi: FloatArray, level: float, count: int = TOP
) -> tuple[tuple[Wall, ...], tuple[Wall, ...]]:
    """Return the strikes of the largest put interest below and call interest above, (strike, quantity), largest first.

    A strike equal to the level stands on both sides; of equal walls the nearer to the level comes first.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        oi: open interest in quantity, shape (2, n), NaN where missing.
        level: reference level X, in rupees.
        count: walls of each side.

    Source: analytics specification, 4.1 (the textbook definition).
    """
    held = without_gaps(oi)
    down, up = _outwards(strike, level)
    below = _largest(strike[down], held[PE, down].copy(), count)
    return below, _largest(strike[up], held[CE, up].copy(), count)


def sr_levels(
    strike: FloatArray, oi: FloatArray, oi_change_day: FloatArray, level: float, top: int = TOP
) -> SupportResistance:
    """Return support (put writers at or below the level) and resistance (call writers at or above it).

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        oi: open interest in quantity, shape (2, n), NaN where missing.
        oi_change_day: since the previous close, in quantity, shape (2, n), NaN where unknown.
        level: reference level X, in rupees.
        top: levels of each side.

    Source: analytics specification, 4.1.
    """
    held, change = without_gaps(oi), without_gaps(oi_change_day)
    below, above = oi_walls(strike, held, level, 2)
    near = np.abs(strike - level)
    near *= -100.0 / level
    fixed = held / (held[CE] + held[PE] + _NEVER_ZERO)  # dom
    fixed += np.exp(near)  # prox
    down, up = _outwards(strike, level)
    return SupportResistance(
        _side(below, strike[down], held[PE, down], change[PE, down], fixed[PE, down], top),
        _side(above, strike[up], held[CE, up], change[CE, up], fixed[CE, up], top),
    )


def levels_of(walls: Sequence[Wall], strongest: tuple[Wall, ...]) -> Levels:
    """Return one side's levels from its two largest walls and its strongest levels. Source: analytics specification, 4.1."""
    if not walls:
        return Levels()
    (wall, largest), second = walls[0], walls[1] if len(walls) > 1 else None
    weak = None
    if second and second[1] / largest >= WEAK_RATIO - SLACK:
        weak = Towards.TOP if second[0] > wall else Towards.BOTTOM
    return Levels(
        strongest=strongest,
        wall=wall,
        second_ratio=second[1] / largest if second else None,
        weak_towards=weak,
    )


def sr_position_score(level: float, support: Wall | None, resistance: Wall | None) -> float | None:
    """Return where the level stands between the primaries, in [−1, 1]; None where a side is missing.

    A broken support scores −1 and a broken resistance +1 instead; that is the caller's to know.

    Args:
        level: reference level X, in rupees.
        support: primary strike and strength.
        resistance: primary strike and strength.

    Source: analytics specification, 4.3.
    """
    if support is None or resistance is None:
        return None
    (low, low_strength), (high, high_strength) = support, resistance
    place = clamp((level - low) / (high - low), 0.0, 1.0) if high != low else 0.5
    return 0.5 * (1.0 - 2.0 * place) + 0.5 * clamp(
        (low_strength - high_strength) / 100.0, -1.0, 1.0
    )


def _outwards(strike: FloatArray, level: float) -> tuple[slice, slice]:
    """Return where the strikes at or below and at or above a level lie, each from the level outwards."""
    above = below = int(strike.searchsorted(level))
    if above < len(strike) and strike.item(above) == level:
        below += 1
    return slice(below - 1, None, -1) if below else slice(0), slice(above, None)


def _side(
    walls: tuple[Wall, ...],
    strike: FloatArray,
    oi: FloatArray,
    change: FloatArray,
    fixed: FloatArray,
    top: int,
) -> Levels:
    """Return one side's levels from its own legs, nearest first, shape (m,); ``fixed`` is prox + dom."""
    if not walls:
        return Levels()
    largest = walls[0][1]
    is_candidate = oi > 0
    size = np.abs(change)
    size *= is_candidate
    moved = size.item(size.argmax())
    strength = oi * (50.0 / largest)
    strength += fixed * 15.0
    strength += change * (10.0 / moved) if moved else 0.0
    strength += 10.0  # half of chg: what is unknown or has not changed
    strength *= is_candidate
    return levels_of(walls, _largest(strike, strength, top))


def _largest(strike: FloatArray, values: FloatArray, count: int) -> tuple[Wall, ...]:
    """Return strike and value of the largest values above 0, of equal ones the first; uses ``values`` up."""
    found = []
    for _ in range(min(count, len(values))):
        i = values.argmax()
        value = values.item(i)
        if value <= 0:
            break
        found.append((strike.item(i), value))
        values[i] = 0.0
    return tuple(found)
