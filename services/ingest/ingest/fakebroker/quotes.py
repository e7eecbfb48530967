"""What the broker's ``quote`` and ``getLtpData`` say of a token: the feed's newest packet in rupees (pure). Source: smartapi, 2.3, 2.4."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ingest import packets
from ingest.fakebroker.market import Market
from ingest.fakebroker.packet import as_mode
from ingest.fakebroker.source import Listed
from ingest.fakebroker.subscriptions import Name, name_of
from ingest.packets import EXCHANGE_TYPES, SNAP_QUOTE
from oimon.calendar import IST

MODES = ("LTP", "OHLC", "FULL")
MOST_TOKENS = 50
_LEVELS = 5
Item = dict[str, Any]


def quote(market: Market, mode: str, tokens: Mapping[str, Sequence[str]]) -> Item:
    """Return ``data`` of a quote: what was fetched, and what was not, with the broker's reason."""
    fetched, unfetched = [], []
    for exchange, listed in tokens.items():
        for token in listed:
            name = find(market, exchange, token)
            if name is None:
                unfetched.append(_unfetched(exchange, token))
            else:
                fetched.append(_item(market, name, mode))
    return {"fetched": fetched, "unfetched": unfetched}


def last_price(market: Market, name: Name) -> Item:
    """Return ``data`` of getLtpData."""
    row, prices = market.listed[name].row, _prices(market, name)
    return {
        "exchange": row.exch_seg,
        "tradingsymbol": row.symbol,
        "symboltoken": row.token,
        **{key: prices[key] for key in ("open", "high", "low", "close", "ltp")},
    }


def find(market: Market, exchange: str, token: str) -> Name | None:
    """Return how the feed names a token; ``None``: it has none of that name."""
    if exchange not in EXCHANGE_TYPES or not token.isascii():
        return None
    name = name_of(EXCHANGE_TYPES[exchange], token)
    return name if name in market.listed else None


def packet_of(market: Market, name: Name) -> Item:
    """Return the fields of a token's newest packet; all 0 before its first, as the broker says of what has not traded."""
    frame = market.newest.get(name)
    if frame is None:
        row = market.listed[name].row
        frame = packets.packet(SNAP_QUOTE, row.exch_seg, row.token)
    return packets.fields(as_mode(frame, SNAP_QUOTE))


def _item(market: Market, name: Name, mode: str) -> Item:
    row, prices = market.listed[name].row, _prices(market, name)
    item: Item = {
        "exchange": row.exch_seg,
        "tradingSymbol": row.symbol,
        "symbolToken": row.token,
        "ltp": prices["ltp"],
    }
    if mode != "LTP":
        item |= {key: prices[key] for key in ("open", "high", "low", "close")}
    if mode == "FULL":
        item |= _full(packet_of(market, name), prices)
    return item


def _prices(market: Market, name: Name) -> dict[str, float]:
    """Return a token's prices in rupees; of the day so far as seen where its packet does not say."""
    found = packet_of(market, name)
    prices = {key: found[key] / 100 for key in ("open", "high", "low", "ltp")}
    minutes = list(market.minutes(name))
    if minutes and not any(found[key] for key in ("open", "high", "low")):
        prices["open"] = minutes[0].open / 100
        prices["high"] = max(minute.high for minute in minutes) / 100
        prices["low"] = min(minute.low for minute in minutes) / 100
    prices["close"] = found["prev_close"] / 100 or _prev_close(market.listed[name])
    return prices


def _full(found: Item, prices: Mapping[str, float]) -> Item:
    close = prices["close"]
    change = round(prices["ltp"] - close, 2) if close else 0.0
    return {
        "lastTradeQty": found["last_qty"],
        "exchFeedTime": _time(found["exchange_ms"] // 1000),
        "exchTradeTime": _time(found["traded_s"] or found["exchange_ms"] // 1000),
        "netChange": change,
        "percentChange": round(change / close * 100, 2) if close else 0.0,
        "avgPrice": found["average"] / 100,
        "tradeVolume": found["volume"],
        "opnInterest": found["oi"],
        "lowerCircuit": found["lower_circuit"] / 100,
        "upperCircuit": found["upper_circuit"] / 100,
        "totBuyQuan": int(found["total_buy_qty"]),
        "totSellQuan": int(found["total_sell_qty"]),
        "52WeekLow": found["low_52w"] / 100,
        "52WeekHigh": found["high_52w"] / 100,
        "depth": {
            "buy": _side(found["levels"][:_LEVELS]),
            "sell": _side(found["levels"][_LEVELS:]),
        },
    }


def _side(levels: Sequence[Mapping[str, int]]) -> list[Item]:
    return [
        {"price": each["price"] / 100, "quantity": each["qty"], "orders": each["orders"]}
        for each in levels
    ]


def _prev_close(listed: Listed) -> float:
    return listed.prev_close or 0.0  # the broker's way to say that there is none


def _time(epoch_s: int) -> str:
    return datetime.fromtimestamp(epoch_s, UTC).astimezone(IST).strftime("%d-%b-%Y %H:%M:%S")


def _unfetched(exchange: str, token: str) -> Item:
    code, message = ("AB1009", "Symbol Not Found") if token else ("AB4018", "Symbol Token is Empty")
    return {"exchange": exchange, "symbolToken": token, "message": message, "errorCode": code}
