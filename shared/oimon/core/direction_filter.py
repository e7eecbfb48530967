"""The direction's label: smoothed, confirmed and held, so that it does not flap."""

import math
from dataclasses import dataclass, replace

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
        at_s: time of this score, in seconds.
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
    weight = 1.0 - math.exp(-(at_s - state.at_s) / TAU_S)
    state = replace(state, at_s=at_s, smoothed=state.smoothed + weight * (score - state.smoothed))
    if quality is Quality.BAD or not reaches(coverage, MIN_COVERAGE):
        since_s = state.label_since_s if state.label is Direction.NEUTRAL else at_s
        return replace(state, label=Direction.NEUTRAL, label_since_s=since_s, wanted=None)
    wanted = _wanted(state, agreement)
    if wanted is state.label:
        return replace(state, wanted=None)
    if wanted is not state.wanted:
        state = replace(state, wanted=wanted, wanted_since_s=at_s)
    is_confirmed = reaches(at_s - state.wanted_since_s, CONFIRM_S)
    if is_confirmed and reaches(at_s - state.label_since_s, DWELL_S):
        return replace(state, label=wanted, label_since_s=at_s, wanted=None)
    return state


def _wanted(state: DirectionState, agreement: float) -> Direction:
    if reaches(agreement, MIN_AGREEMENT):
        if reaches(state.smoothed, ENTER):
            return Direction.BULLISH
        if reaches(-state.smoothed, ENTER):
            return Direction.BEARISH
    keeps_up = state.label is Direction.BULLISH and state.smoothed > LEAVE + SLACK
    keeps_down = state.label is Direction.BEARISH and state.smoothed < -LEAVE - SLACK
    return state.label if keeps_up or keeps_down else Direction.NEUTRAL
