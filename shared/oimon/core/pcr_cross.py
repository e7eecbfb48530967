"""The put-call ratio crossing from one band of its reading into another."""

from oimon.core.compare import SLACK
from oimon.core.pcr import PcrBand, pcr_band

MARGIN = 0.02  # of PCR beyond a boundary
HOLD_S = 60.0

_ORDER = {band: place for place, band in enumerate(PcrBand)}


def pcr_band_from(in_force: str | None, ratio: float) -> PcrBand:
    """Return the band of a put-call ratio, given the band in force: a boundary counts once it is passed by a margin.

    Ours: 0.02 beyond the boundary of 2.3, and then for 60 s (:func:`oimon.core.held.hold`). Two tellings of one boundary are
    so at least 0.04 of PCR and a minute apart; a ratio that dithers on a boundary tells once, or not at all.

    Args:
        in_force: one of ``PcrBand``; None before the first reading.
        ratio: of the chain, by open interest.

    Source: analytics specification, 2.3 (bands); decision record 0011 (margin).
    """
    if in_force is None:
        return pcr_band(ratio)
    above, below = pcr_band(ratio - MARGIN), pcr_band(ratio + MARGIN - 2 * SLACK)
    now = _ORDER[PcrBand(in_force)]
    if _ORDER[above] > now:
        return above
    return below if _ORDER[below] < now else PcrBand(in_force)
