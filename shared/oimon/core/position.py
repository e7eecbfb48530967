"""The life of one bought option: its stop, its target, and why it is left."""

from dataclasses import dataclass, replace
from enum import StrEnum

from oimon.core.compare import SLACK, reaches
from oimon.core.level_break import break_buffer
from oimon.terms import Action, Direction, OptionKind

STOP, TARGET = 0.75, 1.40  # of entry
TRAIL_FROM, TRAIL = 1.20, 0.88  # of entry, of the peak
QUOTE_AGE_S = 30.0
STALE_EXIT_S = 120.0
REVERSAL_CONFIDENCE = 0.50
FADE_S = 300.0
TIME_STOP_S, TIME_STOP_GAIN = 2700.0, 1.10
NEAR, FAR = 0.001, 0.006  # of X: where a level is close enough to stand for the idea
DEFAULT_INVALIDATION = 0.004  # of X


class Reason(StrEnum):
    """Why a position is held or left."""

    IN_POSITION = "in_position"
    STALE_QUOTE = "stale_quote"
    STALE_EXIT = "stale_exit"
    SQUARE_OFF = "square_off"
    STOP_LOSS = "stop_loss"
    TRAILING_STOP = "trailing_stop"
    TARGET = "target"
    INVALIDATION = "invalidation"
    REVERSAL = "reversal"
    FADE = "fade"
    TIME_STOP = "time_stop"


STOPPED = frozenset({Reason.STOP_LOSS, Reason.TRAILING_STOP})
RISK_EXITS = STOPPED | {
    Reason.SQUARE_OFF,
    Reason.TARGET,
    Reason.INVALIDATION,
    Reason.STALE_EXIT,
}
"""Exits that no model can put off. Source: analytics specification, 11.1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A bought option. Prices in rupees, instants in epoch seconds."""

    side: OptionKind
    entry: float
    entry_s: float
    stop: float
    target: float
    peak: float
    is_trailing: bool = False
    invalidation: float | None = None
    """Level of the underlying beyond which the idea was wrong."""
    neutral_since_s: float | None = None
    stale_since_s: float | None = None
    pending_exit: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is seen of a holding and its market at one beat."""

    ts_s: float
    is_square_off: bool
    bid: float | None
    quote_age_s: float | None
    x: float | None
    direction: Direction
    confidence: float


def opened(
    side: OptionKind, entry: float, entry_s: float, invalidation: float | None = None
) -> Holding:
    """Return the holding that a fill makes. Source: analytics specification, 7.3."""
    return Holding(
        side=side,
        entry=entry,
        entry_s=entry_s,
        stop=STOP * entry,
        target=TARGET * entry,
        peak=entry,
        invalidation=invalidation,
    )


def coach_in_position(
    held: Holding, seen: Sight, quote_age_limit_s: float = QUOTE_AGE_S
) -> tuple[Holding, Action, Reason]:
    """Return the holding after one observation, and HOLD or EXIT with the reason.

    No price is ever invented: without a quote the holding stays, and an exit that fell due meanwhile waits for one.

    Args:
        held: the holding before.
        seen: the observation.
        quote_age_limit_s: age from which a quote is stale.

    Source: analytics specification, 7.3.
    """
    held = _with_neutral_time(held, seen)
    bid, age = seen.bid, seen.quote_age_s
    if bid is None or age is None or age > quote_age_limit_s + SLACK:
        return _stale(held, seen), Action.HOLD, Reason.STALE_QUOTE
    if held.stale_since_s is not None or bid > held.peak:
        held = replace(held, stale_since_s=None, peak=max(held.peak, bid))
    held = _trailed(held)
    reason = _exit(held, seen, bid)
    if reason is None:
        return held, Action.HOLD, Reason.IN_POSITION
    return held, Action.EXIT, reason


def invalidation(
    side: OptionKind, x: float, support: float | None, resistance: float | None, tick: float = 0.05
) -> float:
    """Return the level of the underlying that proves an idea wrong.

    A call's is the primary support less its break buffer if that support lies 0.1 to 0.6 % below, else 0.4 % below; a
    put's is mirrored.

    Args:
        side: call or put.
        x: reference level, in rupees.
        support: primary support, a strike.
        resistance: primary resistance, a strike.
        tick: least step of the price.

    Source: analytics specification, 7.3.
    """
    sign = 1.0 if side is OptionKind.CE else -1.0
    level = support if side is OptionKind.CE else resistance
    if level is not None:
        distance = sign * (x - level) / x
        if reaches(distance, NEAR) and reaches(FAR, distance):
            return level - sign * break_buffer(level, tick)
    return x * (1.0 - sign * DEFAULT_INVALIDATION)


def _with_neutral_time(held: Holding, seen: Sight) -> Holding:
    if seen.direction is not Direction.NEUTRAL:
        return held if held.neutral_since_s is None else replace(held, neutral_since_s=None)
    return held if held.neutral_since_s is not None else replace(held, neutral_since_s=seen.ts_s)


def _stale(held: Holding, seen: Sight) -> Holding:
    since = seen.ts_s if held.stale_since_s is None else held.stale_since_s
    pending = held.pending_exit
    if pending is None and seen.is_square_off:
        pending = Reason.SQUARE_OFF
    elif pending is None and reaches(seen.ts_s - since, STALE_EXIT_S):
        pending = Reason.STALE_EXIT
    return replace(held, stale_since_s=since, pending_exit=pending)


def _trailed(held: Holding) -> Holding:
    if not held.is_trailing and not reaches(held.peak, held.entry * TRAIL_FROM):
        return held
    stop = max(held.stop, TRAIL * held.peak)
    is_same = held.is_trailing and stop == held.stop
    return held if is_same else replace(held, is_trailing=True, stop=stop)


def _exit(held: Holding, seen: Sight, bid: float) -> Reason | None:
    """Return the first exit that holds."""
    if held.pending_exit is not None:
        return held.pending_exit
    if seen.is_square_off:
        return Reason.SQUARE_OFF
    if reaches(held.stop, bid):
        return Reason.TRAILING_STOP if held.is_trailing else Reason.STOP_LOSS
    if reaches(bid, held.target):
        return Reason.TARGET
    if _is_invalid(held, seen.x):
        return Reason.INVALIDATION
    return _exit_of_time_or_view(held, seen, bid)


def _exit_of_time_or_view(held: Holding, seen: Sight, bid: float) -> Reason | None:
    if is_opposite(held.side, seen.direction) and reaches(seen.confidence, REVERSAL_CONFIDENCE):
        return Reason.REVERSAL
    neutral_s = 0.0 if held.neutral_since_s is None else seen.ts_s - held.neutral_since_s
    if reaches(neutral_s, FADE_S) and bid <= held.entry + SLACK:
        return Reason.FADE
    is_old = reaches(seen.ts_s - held.entry_s, TIME_STOP_S)
    return Reason.TIME_STOP if is_old and bid < held.entry * TIME_STOP_GAIN - SLACK else None


def is_opposite(side: OptionKind, direction: Direction) -> bool:
    """Say whether the market's label is against a bought call or put."""
    against = Direction.BEARISH if side is OptionKind.CE else Direction.BULLISH
    return direction is against


def _is_invalid(held: Holding, x: float | None) -> bool:
    if x is None or held.invalidation is None:
        return False
    return x < held.invalidation if held.side is OptionKind.CE else x > held.invalidation
