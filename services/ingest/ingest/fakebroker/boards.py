"""What the broker says of whole markets: put/call ratios and the movers among futures (pure). Source: smartapi, section 2.4."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from ingest.fakebroker.market import Market
from ingest.fakebroker.quotes import packet_of
from ingest.fakebroker.source import Listed

EXPIRY_TYPES = ("NEAR", "NEXT", "FAR")
MOVERS = ("PercOIGainers", "PercOILosers", "PercPriceGainers", "PercPriceLosers")
BUILD_UPS: Mapping[str, tuple[int, int]] = {
    "Long Built Up": (1, 1),
    "Short Built Up": (-1, 1),
    "Short Covering": (1, -1),
    "Long Unwinding": (-1, -1),
}
"""Signs of the changes of price and open interest."""


class _Future(NamedTuple):
    symbol: str
    token: str
    ltp: float  # rupees
    change: float
    percent: float
    oi: int
    oi_change: int
    oi_percent: float


def put_call_ratios(market: Market) -> list[dict[str, str | float]]:
    """Return the ratio of open interest, puts to calls, of each underlying's nearest expiry, keyed by a future's symbol."""
    sums: defaultdict[tuple[str, date], list[int]] = defaultdict(lambda: [0, 0])
    for name, listed in market.listed.items():
        row = listed.row
        if row.instrumenttype.startswith("OPT"):
            sums[row.name, _day(row.expiry)][row.symbol.endswith("PE")] += packet_of(market, name)[
                "oi"
            ]
    nearest: dict[str, date] = {}
    for underlying, day in sorted(sums, key=lambda key: key[1]):
        nearest.setdefault(underlying, day)
    found: list[dict[str, str | float]] = []
    for underlying, day in nearest.items():
        calls, puts = sums[underlying, day]
        if calls:
            symbol = _future_symbol(market, underlying, day)
            found.append({"pcr": round(puts / calls, 2), "tradingSymbol": symbol})
    return found


def movers(market: Market, kind: str, expiry_type: str) -> list[dict[str, Any]]:
    """Return the futures whose price or open interest rose or fell most, the furthest first."""
    of_oi, is_gain = "OI" in kind, kind.endswith("Gainers")

    def moved(future: _Future) -> float:
        return (future.oi_percent if of_oi else future.percent) * (1 if is_gain else -1)

    found = [future for future in _futures(market, expiry_type) if moved(future) > 0]
    return [
        {
            "tradingSymbol": each.symbol,
            "percentChange": each.oi_percent if of_oi else each.percent,
            "symbolToken": int(each.token),
            "opnInterest": float(each.oi),
            "netChangeOpnInterest": float(each.oi_change),
        }
        for each in sorted(found, key=moved, reverse=True)
    ]


def build_ups(market: Market, kind: str, expiry_type: str) -> list[dict[str, str]]:
    """Return the futures of one kind of build-up, every value a string."""
    price_sign, oi_sign = BUILD_UPS[kind]
    return [
        {
            "symbolToken": each.token,
            "ltp": f"{each.ltp:.2f}",
            "netChange": f"{each.change:.2f}",
            "percentChange": f"{each.percent:.2f}",
            "opnInterest": f"{each.oi:.1f}",
            "netChangeOpnInterest": f"{each.oi_change:.1f}",
            "tradingSymbol": each.symbol,
        }
        for each in _futures(market, expiry_type)
        if each.change * price_sign > 0 and each.oi_change * oi_sign > 0
    ]


def _futures(market: Market, expiry_type: str) -> Iterator[_Future]:
    """Give each underlying's future of NEAR, NEXT or FAR that has a price and a day before to compare with."""
    by_underlying: defaultdict[str, list[tuple[date, bytes]]] = defaultdict(list)
    for name, listed in market.listed.items():
        if listed.row.instrumenttype.startswith("FUT"):
            by_underlying[listed.row.name].append((_day(listed.row.expiry), name))
    place = EXPIRY_TYPES.index(expiry_type)
    for months in by_underlying.values():
        if place < len(months):
            name = sorted(months)[place][1]
            yield from _compared(market.listed[name], packet_of(market, name))


def _compared(listed: Listed, found: Mapping[str, Any]) -> Sequence[_Future]:
    if not (listed.prev_close and listed.oi_prev and found["ltp"]):
        return []
    ltp, oi = found["ltp"] / 100, found["oi"]
    change, oi_change = ltp - listed.prev_close, oi - listed.oi_prev
    return [
        _Future(
            symbol=listed.row.symbol,
            token=listed.row.token,
            ltp=ltp,
            change=change,
            percent=round(change / listed.prev_close * 100, 2),
            oi=oi,
            oi_change=oi_change,
            oi_percent=round(oi_change / listed.oi_prev * 100, 2),
        )
    ]


def _future_symbol(market: Market, underlying: str, day: date) -> str:
    """Return the symbol of the nearest future; of a feed without futures, the one that its options' month would have."""
    found = sorted(
        (_day(listed.row.expiry), listed.row.symbol)
        for listed in market.listed.values()
        if listed.row.name == underlying and listed.row.instrumenttype.startswith("FUT")
    )
    return found[0][1] if found else f"{underlying}{day:%d%b%y}FUT".upper()


def _day(expiry: str) -> date:
    return datetime.strptime(expiry, "%d%b%Y").date()  # noqa: DTZ007 - a day, no instant
