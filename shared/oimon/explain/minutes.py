"""What an analysis' own minutes say of some time ago (pure)."""

from oimon.messages import ChainAnalysis

LEVEL, PCR = 1, 2
"""Columns of the history."""


def minutes_ago(analysis: ChainAnalysis, minutes: int, column: int) -> float | None:
    """Return a column of the history's last row at or before then, unless that row is a minute older still."""
    then = analysis.ts_us // 1_000_000 - 60 * minutes
    rows = [row for row in analysis.history if then - 60 < row[0] <= then]
    value = rows[-1][column] if rows else None
    return value if isinstance(value, float | int) else None


def pcr_change(analysis: ChainAnalysis) -> float | None:
    """Return by how much PCR has changed over 5 minutes, None where either is unknown. Source: specification, 11.2."""
    before, now = minutes_ago(analysis, 5, PCR), analysis.pcr
    return None if before is None or now is None else now - before
