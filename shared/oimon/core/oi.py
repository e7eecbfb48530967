"""Open interest of a leg: its unit, and how it changed."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from oimon.core.chain import BoolArray, FloatArray, Terms
from oimon.core.compare import SLACK, reaches
from oimon.terms import OiUnit

WINDOW_S = 900.0  # the short-term window w
MIN_WINDOW_S = 300.0  # what a younger history must span at least
LEAP = 8.0  # times as much, or as little, between two messages
LEAP_OVERNIGHT = 100.0  # likewise of the first message, against the previous close: by noon a day of expiry has brought 20
LEAP_LOTS = 1_000.0  # below this much open interest a leg may well multiply
MIN_LEGS = 30  # legs that a judgement of the unit needs


class UnitStatus(StrEnum):
    """What a session's raw open interest says about its unit."""

    OK = "ok"
    MISMATCH = "mismatch"
    AMBIGUOUS = "ambiguous"
    TOO_FEW = "too_few"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitCheck:
    """The configured unit, the share of legs in whole lots, and what that says."""

    unit: OiUnit
    share: float | None
    status: UnitStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class OiChange:
    """Change of open interest over a window; every field has the shape of the legs, NaN where unknown.

    ``delta`` and ``base`` are in quantity, ``pct`` is per cent of the base, ``window_s`` the seconds spanned, ``partial``
    says that the history was younger than the window.
    """

    delta: FloatArray
    base: FloatArray
    pct: FloatArray
    window_s: FloatArray
    partial: BoolArray


def oi_normalise(raw: float | None, unit: OiUnit, lot: int) -> tuple[float | None, float | None]:
    """Return a feed's open interest in quantity and in lots, or None twice where it is missing.

    Source: analytics specification, 1.2.
    """
    if raw is None:
        return None, None
    quantity = raw if unit is OiUnit.QTY else raw * lot
    return quantity, quantity / lot


def detect_oi_unit(legs: Sequence[tuple[float, int]], configured: OiUnit) -> UnitCheck:
    """Return what raw open interest says about its unit; the configured unit stays in force.

    Args:
        legs: raw open interest and lot of each leg.
        configured: the unit that the feed's description names.

    Source: analytics specification, 1.2.
    """
    judged = [(raw, lot) for raw, lot in legs if lot > 1 and raw > 0]
    if len(judged) < MIN_LEGS:
        return UnitCheck(unit=configured, share=None, status=UnitStatus.TOO_FEW)
    share = sum(raw % lot == 0 for raw, lot in judged) / len(judged)
    if reaches(share, 0.99):
        found = OiUnit.QTY
    elif reaches(0.50, share):
        found = OiUnit.LOTS
    else:
        return UnitCheck(unit=configured, share=share, status=UnitStatus.AMBIGUOUS)
    status = UnitStatus.OK if found is configured else UnitStatus.MISMATCH
    return UnitCheck(unit=configured, share=share, status=status)


def window_base(
    at_window: FloatArray,
    oldest: FloatArray,
    oldest_age_s: FloatArray,
    min_window_s: float = MIN_WINDOW_S,
) -> tuple[FloatArray, BoolArray]:
    """Return what a change over a window counts from, and where that is a younger history's oldest.

    Args:
        at_window: the last observation of each leg at or before the window's start, NaN where there is none.
        oldest: the oldest observation of each leg, same shape.
        oldest_age_s: its age in seconds, NaN where there is none.
        min_window_s: what a younger history must span.

    Source: analytics specification, 1.3.
    """
    is_partial = np.isnan(at_window) & (oldest_age_s >= min_window_s - SLACK)
    return np.where(is_partial, oldest, at_window), is_partial


def oi_change(
    now: FloatArray,
    at_window: FloatArray,
    oldest: FloatArray,
    oldest_age_s: FloatArray,
    *,
    window_s: float = WINDOW_S,
    min_window_s: float = MIN_WINDOW_S,
) -> OiChange:
    """Return the change of open interest over a window, leg by leg; all arrays have the same shape.

    Args:
        now: open interest of each leg, in quantity.
        at_window: as of :func:`window_base`, like the next two.
        oldest: the oldest observation of each leg.
        oldest_age_s: its age in seconds.
        window_s: length of the window.
        min_window_s: what a younger history must span.

    Source: analytics specification, 1.3.
    """
    base, is_partial = window_base(at_window, oldest, oldest_age_s, min_window_s)
    delta = now - base
    known = ~np.isnan(delta)
    return OiChange(
        delta=delta,
        base=np.where(known, base, np.nan),
        pct=percent_of(delta, base),
        window_s=np.where(known, np.where(is_partial, oldest_age_s, window_s), np.nan),
        partial=is_partial & known,
    )


def percent_of(delta: FloatArray, base: FloatArray) -> FloatArray:
    """Return 100·delta/base; of a base of 0, 0 where nothing changed and NaN where something did.

    Source: analytics specification, 1.3.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        pct = 100.0 * delta / base
    return np.where(base == 0, np.where(delta == 0, 0.0, np.nan), pct)


def is_leap(before: Terms, now: Terms, lot: Terms, times: Terms = LEAP) -> BoolArray:
    """Return whether open interest leaps further than trading brings it between two messages, of the arguments' shape.

    Ours: a known fault of feeds is ten times as much in one packet; on recorded days of a message a minute, or in five
    minutes, no leg of a thousand lots came near eight times.

    Args:
        before: last open interest believed, in quantity, NaN where none was: then nothing is a leap.
        now: open interest told.
        lot: quantity of a contract.
        times: as much, or as little, is a leap.

    Source: analytics specification, 13.5 (faults).
    """
    most, least = np.maximum(before, now), np.minimum(before, now)
    found: BoolArray = (most >= np.multiply(lot, LEAP_LOTS)) & (most >= np.multiply(least, times))
    return found
