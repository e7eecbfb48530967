"""View on the underlying, and what holds it back."""

from dataclasses import dataclass
from enum import StrEnum

from oimon.core.compare import SLACK, reaches
from oimon.terms import Direction, MarketState, Quality, Signal

LEAST_CONFIDENCE = 0.55
WIDEST_SPREAD = 0.03  # of mid
DAY_LOSS_LIMIT = 0.02  # of capital
MOST_TRADES = 10

_RAW = {Direction.BULLISH: Signal.BUY, Direction.BEARISH: Signal.SELL}


class Veto(StrEnum):
    """Why a view is not acted on, in the order in which they are listed."""

    MARKET_NOT_OPEN = "market_not_open"
    OUTSIDE_ENTRY_WINDOW = "outside_entry_window"
    DATA_QUALITY = "data_quality"
    WIDE_SPREAD = "wide_spread"
    COOLDOWN = "cooldown"
    DAILY_LOSS_LIMIT = "daily_loss_limit"
    MAX_TRADES = "max_trades"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What must be in order before a position may be entered."""

    market: MarketState
    is_in_entry_window: bool
    quality: Quality
    spread_share: float | None
    """Spread of the leg that would be bought over its mid, 0.03 is 3 %."""
    cooldown_s: float = 0.0
    """Left since the last exit."""
    day_loss_share: float = 0.0
    """Loss of the day over capital, positive when money was lost."""
    trades_today: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The signal, what it would be without vetoes, and the vetoes in their fixed order."""

    signal: Signal
    raw: Signal
    vetoes: tuple[Veto, ...]


def signal(direction: Direction, confidence: float, conditions: Conditions) -> View:
    """Return the view on the underlying; any veto turns it into HOLD.

    Args:
        direction: label of the market.
        confidence: its confidence factor, 0 to 1.
        conditions: what must be in order.

    Source: analytics specification, 7.1.
    """
    is_sure = reaches(confidence, LEAST_CONFIDENCE)
    raw = _RAW.get(direction, Signal.HOLD) if is_sure else Signal.HOLD
    found = vetoes(conditions)
    return View(signal=Signal.HOLD if found else raw, raw=raw, vetoes=found)


def vetoes(conditions: Conditions) -> tuple[Veto, ...]:
    """Return everything that forbids an entry, in the fixed order."""
    spread = conditions.spread_share
    holds = (
        (Veto.MARKET_NOT_OPEN, conditions.market is not MarketState.OPEN),
        (Veto.OUTSIDE_ENTRY_WINDOW, not conditions.is_in_entry_window),
        (Veto.DATA_QUALITY, conditions.quality is not Quality.OK),
        (Veto.WIDE_SPREAD, spread is None or spread > WIDEST_SPREAD + SLACK),
        (Veto.COOLDOWN, conditions.cooldown_s > 0),
        (Veto.DAILY_LOSS_LIMIT, reaches(conditions.day_loss_share, DAY_LOSS_LIMIT)),
        (Veto.MAX_TRADES, conditions.trades_today >= MOST_TRADES),
    )
    return tuple(veto for veto, is_held in holds if is_held)
