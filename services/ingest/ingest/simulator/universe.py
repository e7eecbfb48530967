"""Which markets are simulated: contracts, levels, sizes (pure). Source: analytics specification, 12.1 and 13.1."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from oimon.terms import Segment


class Universe(StrEnum):
    """How much is simulated."""

    NIFTY = "nifty"  # one index, two expiries
    INDEX = "index"  # five indices
    MCX = "mcx"  # three commodities, from their own opening on
    NSE = "nse"  # twenty shares
    DEFAULT = "default"  # with commodities and shares


@dataclass(frozen=True, kw_only=True, slots=True)
class Market:
    """One underlying. Levels are of no particular day; they are near those of November 2026, and each day opens near them."""

    name: str
    segment: Segment
    level: float  # rupees, around which the forward opens
    tick: float = 0.05  # rupees, of its derivatives; of a share its own
    step: float = 0.0  # between strikes, rupees
    strikes: int = 0
    expiries: int = 1
    beta: float | None = None  # to the indices' common factor; None: a market of its own
    peak_lots: float = 0.0  # open interest of the largest strikes
    future_lots: float = 0.0
    volume_lots: float = 0.0  # of a strike at the money, a second
    lot: int = 1  # where the dated table of contracts has none


def _index(
    name: str, level: float, step: float, strikes: int, beta: float, lots: float, **more: float
) -> Market:
    segment = Segment.BFO if name == "SENSEX" else Segment.NFO
    return Market(
        name=name, segment=segment, level=level, step=step, strikes=strikes, beta=beta,
        peak_lots=lots, future_lots=4 * lots, volume_lots=lots / 400, expiries=int(more.get("expiries", 1)),
    )  # fmt: skip


def _commodity(name: str, level: float, step: float, lot: int, tick: float) -> Market:
    return Market(
        name=name, segment=Segment.MCX, level=level, step=step, strikes=21, lot=lot, tick=tick,
        peak_lots=4_000, future_lots=15_000, volume_lots=10,
    )  # fmt: skip


INDICES = (
    _index("NIFTY", 26_050.0, 50, 61, 1.0, 60_000, expiries=2),
    _index("BANKNIFTY", 58_900.0, 100, 41, 1.1, 20_000),
    _index("FINNIFTY", 27_500.0, 50, 31, 1.05, 5_000),
    _index("MIDCPNIFTY", 13_900.0, 25, 31, 1.1, 5_000),
    _index("SENSEX", 85_100.0, 100, 41, 0.98, 15_000),
)
COMMODITIES = (
    _commodity("CRUDEOIL", 5_320.0, 50, 100, 1.0),
    _commodity("GOLDM", 122_500.0, 500, 10, 1.0),
    Market(
        name="SILVERMIC",
        segment=Segment.MCX,
        level=154_600.0,
        lot=1,
        tick=1.0,
        future_lots=120_000,
        volume_lots=40,
    ),  # futures only
)
SHARES = tuple(
    Market(name=name, segment=Segment.NSE, level=level, volume_lots=400)
    for name, level in {
        "RELIANCE": 1_520.0, "HDFCBANK": 1_005.0, "ICICIBANK": 1_370.0, "INFY": 1_540.0, "TCS": 3_150.0, "SBIN": 980.0,
        "BHARTIARTL": 2_140.0, "ITC": 405.0, "LT": 4_030.0, "AXISBANK": 1_270.0, "KOTAKBANK": 2_090.0, "HINDUNILVR": 2_430.0,
        "BAJFINANCE": 1_010.0, "MARUTI": 15_900.0, "SUNPHARMA": 1_780.0, "TITAN": 3_880.0, "M&M": 3_720.0, "NTPC": 327.0,
        "TATASTEEL": 172.0, "ASIANPAINT": 2_890.0,
    }.items()
)  # fmt: skip

UNIVERSES: Mapping[Universe, tuple[Market, ...]] = {
    Universe.NIFTY: INDICES[:1],
    Universe.INDEX: INDICES,
    Universe.MCX: COMMODITIES,
    Universe.NSE: SHARES,
    Universe.DEFAULT: (*INDICES, *COMMODITIES, *SHARES),
}
