"""Where a price stands in its day, and whether it has left the day's opening range."""

from enum import StrEnum

OPENING_S = 900.0  # length of the opening range


class Broken(StrEnum):
    """Which way a range was left."""

    UP = "up"
    DOWN = "down"


def range_position(ltp: float | None, low: float | None, high: float | None) -> float | None:
    """Return the place of a price between the day's low (0) and high (1); None where unknown, or of a range of no width.

    Source: analytics specification, 10.1.
    """
    if ltp is None or low is None or high is None or high <= low:
        return None
    return (ltp - low) / (high - low)


def range_broken(ltp: float | None, low: float | None, high: float | None) -> Broken | None:
    """Return which way a price has left a range, None while it is inside or anything is unknown.

    Source: analytics specification, 10.2.
    """
    if ltp is None or low is None or high is None:
        return None
    if ltp > high:
        return Broken.UP
    return Broken.DOWN if ltp < low else None
