"""Changes of a chain's open interest on all anchors, side by side (pure). Source: requirement B02."""

from oimon import figures
from oimon.explain.words import span
from oimon.messages import ChainAnalysis, ExpiryAnalysis, OiAnchor

TITLES = {
    "day": "previous close",
    "open": "open",
    "3m": "3 min",
    "5m": "5 min",
    "15m": "15 min",
    "30m": "30 min",
}


def change(value: float | None, lot: int | None, *, contracts: bool) -> str:
    """Return a change in lakh and crore of quantity, or in contracts; of an unknown lot it is in contracts already."""
    if contracts and value is not None and lot:
        text = figures.grouped(value / lot, 0)
        return f"+{text}" if value > 0 else text
    return figures.lakh_crore_change(value)


def short_term(analysis: ChainAnalysis, expiry: ExpiryAnalysis) -> str:
    """Return how long the short-term window is: less than 15 min in a younger history, more after a gap. Source: specification, 1.3."""
    for anchor in expiry.oi_anchors:
        if anchor.name == "15m" and anchor.at_us is not None:
            return span((analysis.ts_us - anchor.at_us) / 1e6)
    return TITLES["15m"]


def anchor_sentences(expiry: ExpiryAnalysis) -> list[str]:
    """Return a line an anchor: calls and puts, in lakh and crore and in contracts, since when and by whose word."""
    if not expiry.oi_anchors:
        return []
    return ["Open interest changed:", *(_line(expiry, anchor) for anchor in expiry.oi_anchors)]


def _line(expiry: ExpiryAnalysis, anchor: OiAnchor) -> str:
    title = TITLES.get(anchor.name, anchor.name)
    return f"  since {title}: {counted(expiry, anchor)}"


def counted(expiry: ExpiryAnalysis, anchor: OiAnchor) -> str:
    """Return what calls and puts changed since an anchor, since when and by whose word."""
    if anchor.source is None:
        return "--, nothing to count from"
    sides = ", ".join(
        f"{name} {both_units(value, expiry.lot)}"
        for name, value in (("calls", anchor.ce_change), ("puts", anchor.pe_change))
    )
    at = "" if anchor.at_us is None else f"{figures.date_time(anchor.at_us)} IST, "
    legs = 2 * len(expiry.chain.strike)
    some = "" if anchor.legs == legs else f", of {anchor.legs} of {legs} legs"
    return f"{sides} ({at}{anchor.source}{some})"


def both_units(value: float | None, lot: int | None) -> str:
    """Return a change in lakh and crore, and in contracts where the lot is known."""
    if value is None or not lot:
        return change(value, lot, contracts=False)
    return f"{change(value, lot, contracts=False)} = {change(value, lot, contracts=True)} contracts"
