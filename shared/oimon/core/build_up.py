"""Build-up: what the change of a contract's price and of its open interest say together."""

import math
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from oimon.core.chain import FloatArray, IntArray, Terms
from oimon.core.compare import SLACK
from oimon.terms import BuildUp

# A class is its index in this tuple, so that a whole chain's classes are one array.
CLASSES = (
    BuildUp.NONE,
    BuildUp.LONG_BUILDUP,
    BuildUp.SHORT_BUILDUP,
    BuildUp.SHORT_COVERING,
    BuildUp.LONG_UNWINDING,
)
# What a class says of the underlying, in the order of CLASSES. Source: analytics specification, 5.2.
CALL_SAYS = (0.0, 0.8, -1.0, 0.7, -0.5)
PUT_SAYS = (0.0, -0.8, 1.0, -0.7, 0.5)
FUTURE_SAYS = (0.0, 1.0, -1.0, 0.7, -0.7)

# As arrays of no dimension: a Python number costs an operation on a chain as much again as the work itself.
_ZERO, _ONE, _SLACK, _PERCENT = np.array(0.0), np.array(1, np.int8), np.array(SLACK), np.array(0.01)
MOVE_SHARE = 0.35  # of the expected move: ordinary noise of spot must not relabel every premium


class WhyNone(StrEnum):
    """Why a leg has no class."""

    PRICE_DEADBAND = "price_deadband"
    OI_DEADBAND = "oi_deadband"
    BOTH_DEADBAND = "both_deadband"
    MISSING = "missing"


def em_window(level: float, sigma: float, window_s: float, session_s: float) -> float:
    """Return the one-sigma move of the underlying in a window of trading seconds, in rupees.

    Args:
        level: forward or reference level, in rupees.
        sigma: volatility a year.
        window_s: length of the window.
        session_s: length of a trading session.

    Source: analytics specification, 5.1.
    """
    return level * sigma * math.sqrt(window_s / (252.0 * session_s))


class DeadBands(NamedTuple):
    """What a change must reach to count: ``price`` in rupees, ``oi`` in quantity, shapes as the legs."""

    price: FloatArray
    oi: FloatArray


def option_bands(
    price_then: FloatArray,
    oi_then: FloatArray,
    *,
    lot: Terms,
    tick: Terms,
    delta: FloatArray | None = None,
    em_w: float | None = None,
) -> DeadBands:
    """Return the dead-bands of options; all arrays have one shape.

    Args:
        price_then: mark at the window's start, in rupees, NaN where missing.
        oi_then: open interest at the window's start, in quantity.
        lot: quantity of one lot: one for all, or one a strike.
        tick: smallest step of the price, in rupees: one for all, or one a strike.
        delta: of each leg, NaN where unknown: then the volatility term is 0; None where all are.
        em_w: expected move of the underlying in the window, in rupees; None counts as 0.

    Source: analytics specification, 5.1.
    """
    # fmax passes over an unknown volatility term and a missing price alike; the latter has no change to compare
    price, oi = price_then * _PERCENT, oi_then * _PERCENT
    np.fmax(price, 2 * tick, out=price)
    if delta is not None and em_w is not None:
        np.fmax(price, price_noise(delta, em_w), out=price)
    return DeadBands(price, np.fmax(oi, 25.0 * lot, out=oi))


class Moves(NamedTuple):
    """Changes held against their dead-bands, all but the noise of prices, which changes as time passes; shapes as the legs.

    ``size`` of the price's change with the slack, and the ``band`` that it must reach at least, in rupees; ``code`` is the
    class by the signs alone, 0 where the change of open interest does not count.
    """

    size: FloatArray
    band: FloatArray
    code: IntArray


def build_up(price_change: FloatArray, oi_change: FloatArray, bands: DeadBands) -> IntArray:
    """Return the class of each leg as an index into ``CLASSES``: 0 where unknown or within a dead-band.

    Args:
        price_change: of the mark over the window, in rupees, NaN where unknown.
        oi_change: over the same window, in quantity, same shape.
        bands: what each must reach.

    Source: analytics specification, 5.1.
    """
    size, flow = _sizes(price_change, oi_change)
    counts = size >= bands.price
    counts &= flow >= bands.oi
    return _by_signs(price_change, oi_change) * counts.view(np.int8)


def moves(price_change: FloatArray, oi_change: FloatArray, bands: DeadBands) -> Moves:
    """Return what :func:`classes` needs besides the noise; arguments as of :func:`build_up`."""
    size, flow = _sizes(price_change, oi_change)
    code = _by_signs(price_change, oi_change)
    code *= (flow >= bands.oi).view(np.int8)
    return Moves(size, bands.price, code)


def _sizes(price_change: FloatArray, oi_change: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the size of both changes, with the slack."""
    size, flow = np.abs(price_change), np.abs(oi_change)
    size += _SLACK
    flow += _SLACK
    return size, flow


def _by_signs(price_change: FloatArray, oi_change: FloatArray) -> IntArray:
    """Return the class of each leg if both of its changes counted."""
    # 1 up/up, 2 down/up, 3 up/down, 4 down/down: the order of CLASSES
    code = (oi_change < _ZERO).view(np.int8)
    code += code
    code += (price_change < _ZERO).view(np.int8)
    code += _ONE
    return code


def classes(found: Moves, noise: FloatArray) -> IntArray:
    """Return the class of each leg whose price moved beyond its dead-band and the noise.

    Args:
        found: the changes.
        noise: of :func:`price_noise`, in rupees, shape as the legs.

    Source: analytics specification, 5.1.
    """
    return found.code * (found.size >= np.fmax(found.band, noise)).view(np.int8)


def price_noise(delta: FloatArray, em_w: Terms) -> FloatArray:
    """Return what ordinary noise of the underlying does to each premium, in rupees, NaN where that is unknown.

    Args:
        delta: of each leg, NaN where unknown.
        em_w: expected move of the underlying in the window, in rupees.

    Source: analytics specification, 5.1.
    """
    noise: FloatArray = np.abs(delta) * (MOVE_SHARE * em_w)
    return noise


def future_bands(
    price_then: float, oi_then: float, *, lot: int, tick: float, em_w: float | None = None
) -> tuple[float, float]:
    """Return the dead-bands of a future, in rupees and in quantity.

    Args:
        price_then: mark at the window's start, in rupees.
        oi_then: open interest at the window's start, in quantity.
        lot: quantity of one lot.
        tick: smallest step of the price, in rupees.
        em_w: expected move of the underlying in the window, in rupees; None counts as 0.

    Source: analytics specification, 5.1.
    """
    price_band = max(0.0005 * price_then, 2 * tick, MOVE_SHARE * (em_w or 0.0))
    return price_band, max(0.0025 * oi_then, 10.0 * lot)


def one_build_up(
    price_change: float, oi_change: float, *, price_band: float, oi_band: float
) -> BuildUp:
    """Return the class of one contract; arguments as of :func:`why_none`. Source: specification, 5.1."""
    if why_none(price_change, oi_change, price_band=price_band, oi_band=oi_band) is not None:
        return BuildUp.NONE
    return CLASSES[1 + (price_change < 0) + 2 * (oi_change < 0)]


def why_none(
    price_change: float | None, oi_change: float | None, *, price_band: float, oi_band: float
) -> WhyNone | None:
    """Return why a leg has no class, or None where it has one.

    Args:
        price_change: of the mark, in rupees.
        oi_change: in quantity.
        price_band: dead-band of the price.
        oi_band: dead-band of the open interest.

    Source: analytics specification, 5.1.
    """
    if price_change is None or oi_change is None:
        return WhyNone.MISSING
    price_short = abs(price_change) < price_band - SLACK
    oi_short = abs(oi_change) < oi_band - SLACK
    if price_short and oi_short:
        return WhyNone.BOTH_DEADBAND
    if price_short:
        return WhyNone.PRICE_DEADBAND
    return WhyNone.OI_DEADBAND if oi_short else None
