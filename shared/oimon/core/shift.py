"""How much of the chain's open interest moved since the deep coach last spoke."""

from dataclasses import dataclass

import numpy as np

from oimon.core.chain import FloatArray
from oimon.core.compare import SLACK, reaches

INITIAL, OI_CHANGE, HEARTBEAT = "initial", "oi_change", "heartbeat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """When a shift is worth a word."""

    oi_share: float = 0.01  # of a symbol's baseline
    least_lots: float = 10.0
    fraction: float = 0.10  # of the symbols
    least_symbols: int = 20
    settle_s: float = 2.0  # a publication arrives as a burst
    least_interval_s: float = 60.0
    most_interval_s: float = 600.0


LIMITS = Limits()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Baseline:
    """What the trigger remembers: open interest at the last firing, or when first seen, shape (n,), NaN unseen."""

    oi: FloatArray
    fired_s: float | None = None
    armed_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """What moved since the last firing; ``reason`` is ``None`` when there is nothing to say."""

    eligible: int
    moved: int
    fraction: float
    since_s: float | None
    reason: str | None


def oi_trigger(
    before: Baseline,
    oi: FloatArray,
    lot: float | FloatArray,
    ts_s: float,
    *,
    event: str | None = None,
    limits: Limits = LIMITS,
) -> tuple[Baseline, Shift]:
    """Return what the trigger remembers next, and whether it fires.

    Args:
        before: what it remembers; its array and ``oi`` hold the same symbols.
        oi: open interest of each symbol in quantity, shape (n,), NaN where missing.
        lot: units in a lot, of all symbols or of each, shape (n,).
        ts_s: of this observation, epoch seconds.
        event: something that happened to the chain now and is a reason of its own.
        limits: what is worth a word.

    Source: analytics specification, 8.
    """
    base = np.where(np.isnan(before.oi), oi, before.oi)
    change = np.abs(oi - base)  # NaN where either is unknown; compares as False
    moved = change >= np.maximum(limits.oi_share * base, limits.least_lots * lot) - SLACK
    eligible = int(np.count_nonzero(np.maximum(oi, base) > 0))
    count = int(np.count_nonzero(moved))
    fraction = count / eligible if eligible else 0.0
    is_armed = eligible >= limits.least_symbols and reaches(fraction, limits.fraction)
    armed_s = (ts_s if before.armed_s is None else before.armed_s) if is_armed else None
    since_s = None if before.fired_s is None else ts_s - before.fired_s
    reason = _reason(eligible, since_s, None if armed_s is None else ts_s - armed_s, event, limits)
    shift = Shift(eligible=eligible, moved=count, fraction=fraction, since_s=since_s, reason=reason)
    if reason is None:
        return Baseline(oi=base, fired_s=before.fired_s, armed_s=armed_s), shift
    return Baseline(oi=np.where(np.isnan(oi), base, oi), fired_s=ts_s), shift


def _reason(
    eligible: int,
    since_s: float | None,
    armed_for_s: float | None,
    event: str | None,
    limits: Limits,
) -> str | None:
    if since_s is None:
        return INITIAL if eligible >= limits.least_symbols else None
    if not reaches(since_s, limits.least_interval_s):
        return None
    if armed_for_s is not None and reaches(armed_for_s, limits.settle_s):
        return OI_CHANGE
    if event is not None:
        return event
    return HEARTBEAT if reaches(since_s, limits.most_interval_s) else None
