"""The direction's label: smoothed, confirmed and held, so that it does not flap."""

import math
from dataclasses import dataclass

from oimon.core.compare import SLACK, reaches
from oimon.terms import Direction, Quality

TAU_S = 60.0
ENTER, LEAVE = 0.20, 0.10  # of the smoothed score
CONFIRM_S, DWELL_S = 30.0, 60.0
MIN_AGREEMENT, MIN_COVERAGE = 0.35, 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectionState:
    """The label in force since when, the smoothed score, and a change that waits to be confirmed."""

    at_s: float
    smoothed: float
    label: Direction
    label_since_s: float
    wanted: Direction | None = None
    wanted_since_s: float = 0.0


def direction_filter(
    state: DirectionState | None,
    at_s: float,
    *,
    score: float,
    agreement: float,
    coverage: float,
    quality: Quality,
) -> DirectionState:
    """Return the state after one more score.

    Conflict (low agreement) can keep a direction but never start one.

    Args:
        state: after the score before; None at the first.
        at_s: time of this score, in seconds; one before the last counts as no time passed.
        score: S of the direction score.
        agreement: of the components.
        coverage: of the components.
        quality: of the chain.

    Source: analytics specification, 6.2.
    """
    if state is None:
        state = DirectionState(
            at_s=at_s, smoothed=score, label=Direction.NEUTRAL, label_since_s=at_s
        )
    # a clock that went back has let no time pass: the exponential would grow without bound
    weight = 1.0 - math.exp(-max(at_s - state.at_s, 0.0) / TAU_S)
    smoothed = state.smoothed + weight * (score - state.smoothed)
    label, since_s, wanted, wanted_s = state.label, state.label_since_s, None, 0.0
    if quality is Quality.BAD or not reaches(coverage, MIN_COVERAGE):
        if label is not Direction.NEUTRAL:
            label, since_s = Direction.NEUTRAL, at_s
    elif (asked := _wanted(label, smoothed, agreement)) is not label:
        wanted, wanted_s = asked, state.wanted_since_s if asked is state.wanted else at_s
        if reaches(at_s - wanted_s, CONFIRM_S) and reaches(at_s - since_s, DWELL_S):
            label, since_s, wanted, wanted_s = asked, at_s, None, 0.0
    return DirectionState(
        at_s=at_s,
        smoothed=smoothed,
        label=label,
        label_since_s=since_s,
        wanted=wanted,
        wanted_since_s=wanted_s,
    )


def _wanted(label: Direction, smoothed: float, agreement: float) -> Direction:
    if reaches(agreement, MIN_AGREEMENT):
        if reaches(smoothed, ENTER):
            return Direction.BULLISH
        if reaches(-smoothed, ENTER):
            return Direction.BEARISH
    keeps_up = label is Direction.BULLISH and smoothed > LEAVE + SLACK
    keeps_down = label is Direction.BEARISH and smoothed < -LEAVE - SLACK
    return label if keeps_up or keeps_down else Direction.NEUTRAL
