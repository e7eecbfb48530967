"""Support and resistance in time: a level broken, a level shifted."""

from dataclasses import dataclass
from enum import StrEnum

from oimon.core.compare import SLACK, reaches

HOLD_S = 60.0  # beyond the buffer, in at least two samples
IN_FORCE_S = 900.0
SHIFT_S = 180.0  # a new primary must last this long


class LevelKind(StrEnum):
    """Which side a level defends."""

    SUPPORT = "support"
    RESISTANCE = "resistance"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakRun:
    """Consecutive samples beyond one level's buffer: since when, how many, and when that made a break."""

    since_s: float | None = None
    samples: int = 0
    broken_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelReference:
    """The level in force, and a new primary that has not lasted long enough yet. Strikes in rupees."""

    strike: float | None = None
    candidate: float | None = None
    candidate_since_s: float = 0.0


def break_buffer(level: float, tick: float) -> float:
    """Return how far beyond a level counts as beyond, in rupees. Source: analytics specification, 4.2."""
    return max(0.0005 * level, 2 * tick)


def watch_break(
    run: BreakRun,
    at_s: float,
    price: float,
    *,
    kind: LevelKind,
    level: float,
    tick: float,
    hold_s: float = HOLD_S,
) -> BreakRun:
    """Return the run after one more sample of the reference level.

    One sample back inside the buffer restarts a run; a break stays in force for 900 s or until the price is back beyond
    the level itself.

    Args:
        run: after the sample before.
        at_s: time of the sample, in seconds.
        price: reference level X, in rupees.
        kind: which side the level defends.
        level: its strike, in rupees.
        tick: smallest step of the price, in rupees.
        hold_s: how long a run must span.

    Source: analytics specification, 4.2.
    """
    beyond = level - price if kind is LevelKind.SUPPORT else price - level
    if run.broken_s is not None:
        is_over = at_s - run.broken_s >= IN_FORCE_S - SLACK or beyond < 0
        return BreakRun() if is_over else run
    if beyond <= break_buffer(level, tick) + SLACK:
        return BreakRun() if run.samples else run
    since_s = at_s if run.since_s is None else run.since_s
    samples = run.samples + 1
    is_broken = samples >= 2 and reaches(at_s - since_s, hold_s)
    return BreakRun(since_s=since_s, samples=samples, broken_s=at_s if is_broken else None)


def confirmed_by_oi(leg_oi_change: float | None) -> bool | None:
    """Say whether the defending writers cover, None where that is unknown. Source: specification, 4.2."""
    return None if leg_oi_change is None else leg_oi_change < 0


def watch_shift(reference: LevelReference, at_s: float, primary: float | None) -> LevelReference:
    """Return the level in force after one more primary; the old one stays until the new has lasted 180 s.

    Args:
        reference: after the primary before.
        at_s: time, in seconds.
        primary: strike of the strongest level now, in rupees; None where that side is empty.

    Source: analytics specification, 4.2.
    """
    if reference.strike is None:
        return LevelReference(strike=primary)
    if primary is None or primary == reference.strike:
        return reference if reference.candidate is None else LevelReference(strike=reference.strike)
    if primary != reference.candidate:
        return LevelReference(strike=reference.strike, candidate=primary, candidate_since_s=at_s)
    if reaches(at_s - reference.candidate_since_s, SHIFT_S):
        return LevelReference(strike=primary)
    return reference
