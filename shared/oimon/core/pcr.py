"""The put-call ratio: its value, its reading, its slope."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from oimon.core.chain import FloatArray, side_totals
from oimon.core.compare import SLACK, clamp

SLOPE_WINDOW_S = 900.0
MIN_SAMPLES, MIN_SPAN_S = 5, 300.0
FULL_SLOPE_PER_HOUR = 0.20  # a drift of 0.10 in half an hour is a full score


class PcrBand(StrEnum):
    """Reading of a put-call ratio from the writer's side."""

    EXTREME_LOW = "extreme_low"
    BEARISH = "bearish"
    MILDLY_BEARISH = "mildly_bearish"
    NEUTRAL = "neutral"
    MILDLY_BULLISH = "mildly_bullish"
    BULLISH = "bullish"
    EXTREME_HIGH = "extreme_high"


_BANDS = (
    (1.60, PcrBand.EXTREME_HIGH),
    (1.30, PcrBand.BULLISH),
    (1.10, PcrBand.MILDLY_BULLISH),
    (0.90, PcrBand.NEUTRAL),
    (0.70, PcrBand.MILDLY_BEARISH),
    (0.50, PcrBand.BEARISH),
)
# The extremes fade to zero instead of flipping: they remove conviction, they make no trade.
_SCORE = (
    (0.30, 0.0),
    (0.50, -0.6),
    (0.70, -1.0),
    (1.00, 0.0),
    (1.30, 1.0),
    (1.60, 0.6),
    (2.00, 0.0),
)


class Pcr(NamedTuple):
    """Put-call ratios and the totals behind them, in quantity; a ratio to nothing is None."""

    by_oi: float | None
    by_volume: float | None
    ce_oi: float
    pe_oi: float
    ce_volume: float
    pe_volume: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PcrSlope:
    """Drift of the put-call ratio an hour, and its score in [−1, 1]."""

    per_hour: float
    score: float


def pcr(oi: FloatArray, volume: FloatArray) -> Pcr:
    """Return the put-call ratios of the strikes given; their scope is the caller's.

    Args:
        oi: open interest in quantity, shape (2, n), NaN where missing.
        volume: of the day, in quantity, shape (2, n), NaN where missing.

    Source: analytics specification, 2.1.
    """
    return ratios(*side_totals(oi), *side_totals(volume))


def ratios(ce_oi: float, pe_oi: float, ce_volume: float, pe_volume: float) -> Pcr:
    """Return the put-call ratios of these totals, in quantity. Source: analytics specification, 2.1."""
    return Pcr(
        by_oi=pe_oi / ce_oi if ce_oi else None,
        by_volume=pe_volume / ce_volume if ce_volume else None,
        ce_oi=ce_oi,
        pe_oi=pe_oi,
        ce_volume=ce_volume,
        pe_volume=pe_volume,
    )


def pcr_band(value: float) -> PcrBand:
    """Return the reading of a put-call ratio. Source: analytics specification, 2.3."""
    return next((band for low, band in _BANDS if value >= low - SLACK), PcrBand.EXTREME_LOW)


def pcr_level_score(value: float) -> float:
    """Return the score of a put-call ratio in [−1, 1]: linear between points, flat outside.

    Source: analytics specification, 2.3.
    """
    for (x0, y0), (x1, y1) in pairwise(_SCORE):
        if value <= x1:
            return y0 + (y1 - y0) * (max(value, x0) - x0) / (x1 - x0)
    return 0.0


def pcr_slope(
    samples: Iterable[tuple[float, float | None]], now_s: float, window_s: float = SLOPE_WINDOW_S
) -> PcrSlope | None:
    """Return the least-squares slope of the chain's put-call ratio over a window.

    Args:
        samples: time in seconds and ratio, in order of time; a ratio of None is skipped.
        now_s: end of the window.
        window_s: its length.

    Returns:
        None with fewer than 5 samples or less than 300 s between the first and the last.

    Source: analytics specification, 2.4.
    """
    start = now_s - window_s - SLACK
    known = [
        (at - now_s, value) for at, value in samples if value is not None and start <= at <= now_s
    ]
    n = len(known)
    if n < MIN_SAMPLES or known[-1][0] - known[0][0] < MIN_SPAN_S - SLACK:
        return None
    x = y = xx = xy = 0.0
    for at, value in known:  # times from the window's end, so that their squares stay small
        x += at
        y += value
        xx += at * at
        xy += at * value
    per_hour = 3600.0 * (n * xy - x * y) / (n * xx - x * x)
    return PcrSlope(per_hour=per_hour, score=clamp(per_hour / FULL_SLOPE_PER_HOUR, -1.0, 1.0))
