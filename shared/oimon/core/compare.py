"""How the specification compares numbers: inclusive thresholds with a little slack, clamped scores."""

SLACK = 1e-9  # so that 0.1 + 0.2 reaches 0.3; Source: analytics specification, 0


def clamp(value: float, low: float, high: float) -> float:
    """Return the value, or the bound that it lies beyond."""
    return min(max(value, low), high)


def reaches(value: float, threshold: float) -> bool:
    """Say whether a value is at or above a threshold, up to the slack."""
    return value >= threshold - SLACK


def age_limit(limit_s: float, cadence_s: float) -> float:
    """Return an age limit on prices, in seconds, for a source of one price every ``cadence_s`` seconds.

    A limit made for a live feed would call each price of a one-minute file stale. Limits on open interest stay.
    Source: rulings, 13.
    """
    return max(limit_s, 1.5 * cadence_s)
