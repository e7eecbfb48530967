"""Names of what can be shown: what is taken when nothing is named, and what is called otherwise elsewhere (pure)."""

from collections.abc import Mapping

from oimon.terms import Segment

COMMODITIES = (
    "SILVERMIC", "SILVERM", "SILVER", "GOLDM", "GOLD", "GOLDPETAL", "GOLDGUINEA", "GOLDTEN", "COPPER", "ZINC", "ZINCMINI",
    "ALUMINIUM", "ALUMINI", "LEAD", "LEADMINI", "NICKEL", "CRUDEOIL", "CRUDEOILM", "NATURALGAS", "NATGASMINI",
    "MENTHAOIL", "COTTONCNDY",
)  # fmt: skip
DEFAULTS: Mapping[Segment, tuple[str, ...]] = {
    Segment.NFO: ("NIFTY",),
    Segment.BFO: ("SENSEX",),
    Segment.MCX: ("SILVERMIC",),
    Segment.NSE: ("RELIANCE", "HDFCBANK", "ICICIBANK", "INFY", "TCS", "SBIN", "BHARTIARTL", "ITC", "LT", "AXISBANK"),
}  # fmt: skip
"""What is shown when nothing is named."""
ALIASES: Mapping[str, str] = {"GOLDMIC": "GOLDM"}
"""Names of the system description (R191) for which MCX lists no contract, to those that are meant."""
