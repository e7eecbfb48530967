"""Where today's volatility stands among the daily closes of a year."""

from collections.abc import Sequence
from dataclasses import dataclass

from oimon.core.compare import clamp

MIN_VALUES, MAX_VALUES = 20, 252


@dataclass(frozen=True, slots=True, kw_only=True)
class IvRank:
    """Rank and percentile in per cent; a rank of a history that never moved is None."""

    rank: float | None
    percentile: float


def iv_rank(history: Sequence[float], now: float) -> IvRank | None:
    """Return rank and percentile of a volatility, or None with fewer than 20 closes.

    Args:
        history: daily closes of the 30-day at-the-money volatility, newest last; the last 252 count.
        now: today's.

    Source: analytics specification, 9.3.
    """
    values = history[-MAX_VALUES:]
    if len(values) < MIN_VALUES:
        return None
    low, high = min(values), max(values)
    rank = clamp(100.0 * (now - low) / (high - low), 0.0, 100.0) if high > low else None
    below = sum(value < now for value in values)
    return IvRank(rank=rank, percentile=100.0 * below / len(values))
