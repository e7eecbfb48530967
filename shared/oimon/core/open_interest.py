"""What the open interest of one chain says, section by section: shares, ratios, max pain, levels."""

from typing import NamedTuple

from oimon.core.chain import FloatArray
from oimon.core.coi import Coi, coi
from oimon.core.max_pain import MaxPain, max_pain
from oimon.core.pcr import Pcr, pcr
from oimon.core.quality import OiShares, oi_shares
from oimon.core.walls import Levels, SupportResistance, sr_levels

_NONE = SupportResistance(Levels(), Levels())


class Reading(NamedTuple):
    """One chain's open interest, read; ``pcr_window`` and ``coi`` are of the window around the money."""

    shares: OiShares
    pcr: Pcr
    pcr_window: Pcr
    coi: Coi
    pain: MaxPain | None
    levels: SupportResistance


def open_interest(
    strike: FloatArray,
    oi: FloatArray,
    volume: FloatArray,
    *,
    oi_change: FloatArray,
    oi_change_day: FloatArray,
    oi_age_s: FloatArray,
    level: float | None,
    window: slice,
) -> Reading:
    """Return everything that open interest says of a chain; ``one_pass`` is the same as machine code.

    Args:
        strike: strikes of the whole chain in rupees, ascending, shape (n,).
        oi: open interest in quantity, shape (2, n), NaN where missing.
        volume: of the day, in quantity, shape (2, n), NaN where missing.
        oi_change: over the short-term window, in quantity, shape (2, n), NaN where unknown.
        oi_change_day: since the previous close, in quantity, shape (2, n), NaN where unknown.
        oi_age_s: since the last message of open interest, shape (2, n), NaN where there was none.
        level: reference level X, in rupees; None where unknown: no levels, and of equal max pains the lower.
        window: the strikes around the money, by place; without a step.

    Source: analytics specification, 1.6, 2, 3, 4.1.
    """
    return Reading(
        shares=oi_shares(oi, oi_age_s, legs=2 * len(strike)),
        pcr=pcr(oi, volume),
        pcr_window=pcr(oi[:, window], volume[:, window]),
        coi=coi(oi_change[:, window]),
        pain=max_pain(strike, oi, level or 0.0),
        levels=_NONE if level is None else sr_levels(strike, oi, oi_change_day, level),
    )
