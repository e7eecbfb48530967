"""Where a price stands in its day."""


def range_position(ltp: float | None, low: float | None, high: float | None) -> float | None:
    """Return the place of a price between the day's low (0) and high (1); None where unknown, or of a range of no width.

    Source: analytics specification, 10.1.
    """
    if ltp is None or low is None or high is None or high <= low:
        return None
    return (ltp - low) / (high - low)
