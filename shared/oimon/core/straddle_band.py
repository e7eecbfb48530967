"""The band that the day's first straddle drew around the market, and the market leaving it."""

from dataclasses import dataclass
from enum import StrEnum

from oimon.core.level_break import break_buffer

HOLD_S = 60.0


class BandSide(StrEnum):
    """Where the market stands to the band."""

    INSIDE = "inside"
    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True, kw_only=True)
class StraddleBand:
    """Reference level and straddle at the money when both were first known in the open market, in rupees, and when."""

    level: float
    straddle: float
    at_s: float

    @property
    def low(self) -> float:
        """Lower edge: where the straddle's seller loses at expiry."""
        return self.level - self.straddle

    @property
    def high(self) -> float:
        """Upper edge."""
        return self.level + self.straddle


def band_side(band: StraddleBand, in_force: str | None, level: float, tick: float) -> BandSide:
    """Return on which side of the band's edges the market stands; within the buffer of an edge the side in force stays.

    Ours: the band is the first level ± the first straddle, what the market itself paid for the move; the buffer on both sides
    of an edge is that of a level's break, and a new side must last 60 s (:func:`oimon.core.held.hold`).

    Args:
        band: of this run's day.
        in_force: one of ``BandSide``; None before the first.
        level: reference level X, in rupees.
        tick: smallest step of the price, in rupees.

    Source: analytics specification, 9.3 (straddle), 4.2 (buffer); decision record 0011.
    """
    high, low = break_buffer(band.high, tick), break_buffer(band.low, tick)
    if level > band.high + high:
        return BandSide.ABOVE
    if level < band.low - low:
        return BandSide.BELOW
    if band.low + low <= level <= band.high - high or in_force is None:
        return BandSide.INSIDE
    return BandSide(in_force)
