"""Whether a session's open interest is in quantity, as every feed here says: asked once a run, told in ``/status``.

What the numbers look like changes nothing: the unit that a feed is described with stays in force. Source: analytics
specification, 1.2; rulings, 6.
"""

import logging
from collections.abc import Collection

from oimon.core.oi import MIN_LEGS, UnitStatus, detect_oi_unit
from oimon.messages import ChainAnalysis
from oimon.terms import OiUnit

logger = logging.getLogger(__name__)


class UnitWatch:
    """What was seen of each partition's open interest in its run."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[str, str | None]] = {}  # by partition: run, and what is wrong

    def see(self, partition: str, analysis: ChainAnalysis) -> None:
        """Judge a run's open interest, once enough legs' is known for five minutes; a run that is judged is let pass."""
        run, _ = self._seen.get(partition, (None, None))
        if run == analysis.run or _known(analysis) < MIN_LEGS:
            return
        check = detect_oi_unit(_legs(analysis), OiUnit.QTY)
        note = None
        if check.status is UnitStatus.MISMATCH:
            note = (
                f"{partition}: {check.share:.0%} of the legs have open interest in multiples of the lot, which looks like lots "
                "and not quantity; if so, totals, their changes in lots and gamma exposure are wrong, ratios and levels are not"
            )
            logger.warning("open interest looks like lots", extra={"run": analysis.run, "note": note})  # fmt: skip
        self._seen[partition] = analysis.run, note

    def notes(self, held: Collection[str]) -> list[str]:
        """Return a sentence for each of these partitions whose open interest does not look like quantity."""
        return [note for partition, (_, note) in self._seen.items() if note and partition in held]


def _known(analysis: ChainAnalysis) -> int:
    """Return of how many legs of all tracked expiries the change over five minutes is known."""
    expiries = (analysis, *analysis.more)
    return sum(
        anchor.legs for expiry in expiries for anchor in expiry.oi_anchors if anchor.name == "5m"
    )


def _legs(analysis: ChainAnalysis) -> list[tuple[float, int]]:
    """Return open interest and lot of each leg of all tracked expiries whose lot is known."""
    return [
        (oi, expiry.lot)
        for expiry in (analysis, *analysis.more)
        if expiry.lot is not None
        for side in (expiry.chain.ce, expiry.chain.pe)
        for oi in side.oi.tolist()  # NaN is above nothing, so it is not judged
    ]
