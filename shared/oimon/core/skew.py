"""The 25-delta skew against what it was today."""

import statistics
from collections.abc import Sequence

from oimon.core.compare import clamp

MIN_SAMPLES = 10
FULL_SKEW = 0.02  # volatility points of change for a full score


def skew_reference(samples: Sequence[float]) -> float | None:
    """Return the median of today's risk reversals, or None with fewer than 10. Source: specification, 6.1."""
    return statistics.median(samples) if len(samples) >= MIN_SAMPLES else None


def skew_score(rr25: float | None, reference: float | None) -> float | None:
    """Return the skew component in [−1, 1]; None where a value is missing.

    Args:
        rr25: volatility of the 25-delta call minus that of the put.
        reference: its median of today.

    Source: analytics specification, 6.1.
    """
    if rr25 is None or reference is None:
        return None
    return clamp((rr25 - reference) / FULL_SKEW, -1.0, 1.0)
