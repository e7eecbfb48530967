"""What a list of closed trades came to."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stats:
    """Figures of closed trades, in rupees; a trade that made nothing is neither won nor lost."""

    trades: int
    wins: int
    losses: int
    win_rate: float | None
    profit_factor: float | None
    expectancy: float | None
    net: float
    max_drawdown: float
    max_drawdown_pct: float


def stats(nets: Sequence[float], capital: float, equity: Sequence[float]) -> Stats:
    """Return what trades came to.

    Args:
        nets: result of each trade after charges, in rupees.
        capital: at the start, in rupees, positive.
        equity: samples in order of time, in rupees.

    Source: analytics specification, 7.8.
    """
    won = [net for net in nets if net > 0]
    lost = [net for net in nets if net < 0]
    drawdown, percent = _drawdown(capital, equity)
    return Stats(
        trades=len(nets),
        wins=len(won),
        losses=len(lost),
        win_rate=len(won) / (len(won) + len(lost)) if won or lost else None,
        profit_factor=sum(won) / -sum(lost) if lost else None,
        expectancy=sum(nets) / len(nets) if nets else None,
        net=sum(nets),
        max_drawdown=drawdown,
        max_drawdown_pct=percent,
    )


def _drawdown(capital: float, equity: Sequence[float]) -> tuple[float, float]:
    """Return the largest fall from a peak in rupees, and the largest in percent of the peak at that time."""
    peak, worst, worst_percent = capital, 0.0, 0.0
    for value in equity:
        peak = max(peak, value)
        worst = max(worst, peak - value)
        worst_percent = max(worst_percent, 100.0 * (peak - value) / peak)
    return worst, worst_percent
