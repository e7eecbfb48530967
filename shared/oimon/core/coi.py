"""The change of open interest as a ratio, a balance and a score."""

from enum import StrEnum
from typing import NamedTuple

import numpy as np

from oimon.core.chain import FloatArray, side_totals
from oimon.core.compare import reaches

MIN_KNOWN = 0.80  # share of the legs whose change is known
FULL_FLOW = 0.005  # of the window's open interest; a smaller flow weighs less


class CoiCase(StrEnum):
    """Who writes and who unwinds; a sum of 0 or more counts as writing."""

    BOTH_WRITING = "both_writing"
    BOTH_UNWINDING = "both_unwinding"
    PUT_WRITING_CALL_UNWINDING = "put_writing_call_unwinding"
    CALL_WRITING_PUT_UNWINDING = "call_writing_put_unwinding"
    FLAT = "flat"
    INSUFFICIENT_HISTORY = "insufficient_history"


class Coi(NamedTuple):
    """Changes of open interest of a window of strikes, in quantity, and what they say."""

    case: CoiCase
    ratio: float | None
    balance: float | None
    ce_change: float | None
    pe_change: float | None


_UNKNOWN = Coi(
    case=CoiCase.INSUFFICIENT_HISTORY, ratio=None, balance=None, ce_change=None, pe_change=None
)


def coi(oi_change: FloatArray) -> Coi:
    """Return what the changes of open interest of a window of strikes say.

    The ratio has a meaning only when both sides are written; the balance always has one.

    Args:
        oi_change: over the short-term window, in quantity, shape (2, n), NaN where unknown.

    Source: analytics specification, 2.2.
    """
    known = oi_change.size - np.count_nonzero(np.isnan(oi_change))
    return coi_of(oi_change.size, int(known), *side_totals(oi_change))


def coi_of(legs: int, known: float, calls: float, puts: float) -> Coi:
    """Return what these sums of changes say, in quantity, of ``known`` of so many legs. Source: analytics specification, 2.2."""
    if not known or not reaches(known / legs, MIN_KNOWN):
        return _UNKNOWN
    flow = abs(calls) + abs(puts)
    return Coi(
        case=_case(calls, puts),
        ratio=puts / calls if calls > 0 and puts > 0 else None,
        balance=(puts - calls) / flow if flow else 0.0,
        ce_change=calls,
        pe_change=puts,
    )


def coi_score(
    balance: float | None, ce_change: float | None, pe_change: float | None, total_oi: float
) -> float | None:
    """Return the balance, scaled down where the flow is small against the window's open interest.

    A balance alone saturates as soon as the sides move in opposite directions.

    Args:
        balance: of :func:`coi`.
        ce_change: of all calls, in quantity.
        pe_change: of all puts, in quantity.
        total_oi: calls and puts of the window, in quantity.

    Source: analytics specification, 2.2.
    """
    if balance is None or ce_change is None or pe_change is None:
        return None
    full = FULL_FLOW * total_oi
    flow = abs(ce_change) + abs(pe_change)
    return balance * (min(1.0, flow / full) if full > 0 else 1.0)


def _case(calls: float, puts: float) -> CoiCase:
    if calls == 0 and puts == 0:
        return CoiCase.FLAT
    if calls >= 0 and puts >= 0:
        return CoiCase.BOTH_WRITING
    if calls < 0 and puts < 0:
        return CoiCase.BOTH_UNWINDING
    if puts >= 0:
        return CoiCase.PUT_WRITING_CALL_UNWINDING
    return CoiCase.CALL_WRITING_PUT_UNWINDING
