"""What the open interest of one chain says, section by section: shares, ratios, max pain, levels."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from oimon.core import fast
from oimon.core.chain import FloatArray
from oimon.core.coi import Coi, coi, coi_of
from oimon.core.compare import SLACK
from oimon.core.max_pain import MaxPain, max_pain
from oimon.core.pcr import Pcr, pcr, ratios
from oimon.core.quality import OI_STALE_S, OiShares, oi_shares
from oimon.core.walls import Levels, SupportResistance, Wall, levels_of, sr_levels

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
    """Return everything that open interest says of a chain.

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
    if fast.loops is None:
        return Reading(
            shares=oi_shares(oi, oi_age_s, legs=2 * len(strike)),
            pcr=pcr(oi, volume),
            pcr_window=pcr(oi[:, window], volume[:, window]),
            coi=coi(oi_change[:, window]),
            pain=max_pain(strike, oi, level or 0.0),
            levels=_NONE if level is None else sr_levels(strike, oi, oi_change_day, level),
        )
    first, last, _ = window.indices(len(strike))
    found: list[float] = fast.loops.open_interest(
        strike, oi, volume, oi_change, oi_change_day, oi_age_s, level or 0.0, first, last, OI_STALE_S + SLACK
    ).tolist()  # fmt: skip
    known, total, fresh = found[:3]
    return Reading(
        shares=OiShares(
            complete=known / (2 * len(strike)) if len(strike) else 0.0,
            stale=1.0 - fresh / total if total else 1.0,
        ),
        pcr=ratios(*found[3:7]),
        pcr_window=ratios(*found[7:11]),
        coi=coi_of(2 * (last - first), found[11], found[12], found[13]),
        pain=None if math.isnan(found[14]) else MaxPain(found[14], found[15], (found[16], found[17])),
        levels=SupportResistance(
            levels_of(_walls(found[18:22]), _walls(found[26:32])),
            levels_of(_walls(found[22:26]), _walls(found[32:38])),
        ),
    )  # fmt: skip


def _walls(found: Sequence[float]) -> tuple[Wall, ...]:
    """Return pairs of strike and value, those that are there."""
    pairs = zip(found[::2], found[1::2], strict=True)
    return tuple((strike, value) for strike, value in pairs if strike == strike)  # noqa: PLR0124 - NaN
