"""How far a chain can be trusted."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from oimon.core.chain import BoolArray, FloatArray
from oimon.core.compare import SLACK, reaches
from oimon.core.forward import ForwardSource
from oimon.terms import Quality

OI_STALE_S = 600.0  # age of a leg's last open-interest message
SLOW_S, STALE_S = 10.0, 30.0  # age of the underlying's price


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainQuality:
    """The judgement, its reasons in the specification's order, and the two shares behind it."""

    quality: Quality
    why: tuple[str, ...]
    completeness: float
    stale_oi_share: float


class OiShares(NamedTuple):
    """Share of the legs whose open interest is known, and share of that open interest that is stale."""

    complete: float
    stale: float


def chain_quality(
    oi: FloatArray,
    oi_age_s: FloatArray,
    *,
    legs: int,
    underlying_age_s: float | None,
    forward_source: ForwardSource | None,
    slow_s: float = SLOW_S,
    stale_s: float = STALE_S,
) -> ChainQuality:
    """Return how far a chain can be trusted; bad names only what makes it bad.

    Args:
        oi: open interest of each leg, in quantity, any shape, NaN where missing.
        oi_age_s: seconds since its last open-interest message, same shape, NaN where unknown.
        legs: legs that the chain should have, two a strike.
        underlying_age_s: seconds since the last price of the underlying; None where there is none.
        forward_source: how the forward was found; None where it was not.
        slow_s: age of the underlying that degrades.
        stale_s: age of the underlying that spoils.

    Source: analytics specification, 1.6.
    """
    return quality_of(
        oi_shares(oi, oi_age_s, legs=legs),
        underlying_age_s=underlying_age_s,
        forward_source=forward_source,
        slow_s=slow_s,
        stale_s=stale_s,
    )


def oi_shares(oi: FloatArray, oi_age_s: FloatArray, *, legs: int) -> OiShares:
    """Return what open interest and its age say of a chain; arguments as of :func:`chain_quality`."""
    known = ~np.isnan(oi)
    complete = np.count_nonzero(known) / legs if legs else 0.0
    return OiShares(complete=complete, stale=_stale_share(oi, known, oi_age_s))


def quality_of(
    shares: OiShares,
    *,
    underlying_age_s: float | None,
    forward_source: ForwardSource | None,
    slow_s: float,
    stale_s: float,
    is_doubtful: bool = False,
) -> ChainQuality:
    """Return how far a chain of these shares can be trusted; arguments as of :func:`chain_quality`.

    ``is_doubtful``: open interest of a leg has leapt in one message, or since the previous close, and is not believed before a second says the same. That
    is ours, so it stands after the specification's reasons.
    """
    age_s = float("inf") if underlying_age_s is None else underlying_age_s
    bad = {
        "underlying_stale": age_s > stale_s + SLACK,
        "chain_incomplete": not reaches(shares.complete, 0.5),
    }
    degraded = {
        "underlying_slow": age_s > slow_s + SLACK,
        "chain_incomplete": not reaches(shares.complete, 0.8),
        "oi_stale": shares.stale > 0.20 + SLACK,
        "no_forward": forward_source is None or forward_source is ForwardSource.CARRY,
        "oi_doubtful": is_doubtful,
    }
    if any(bad.values()):
        quality, found = Quality.BAD, bad
    else:
        quality, found = (Quality.DEGRADED if any(degraded.values()) else Quality.OK), degraded
    return ChainQuality(
        quality=quality,
        why=tuple(reason for reason, holds in found.items() if holds),
        completeness=shares.complete,
        stale_oi_share=shares.stale,
    )


def _stale_share(oi: FloatArray, known: BoolArray, oi_age_s: FloatArray) -> float:
    held = np.where(known, oi, 0.0)
    total = float(np.add.reduce(held, axis=None))
    if total == 0:
        return 1.0
    held *= oi_age_s <= OI_STALE_S + SLACK
    return 1.0 - float(np.add.reduce(held, axis=None)) / total
