"""Quotes asked for beside the stream, as the packets that it would have sent (pure)."""

from typing import Any

from ingest.packets import LTP, QUOTE, SNAP_QUOTE, book, packet
from ingest.smartapi.envelope import Quote


def as_packet(quote: Quote) -> bytes | None:
    """Return a quote as a packet, ``None`` where it has no price or no time: nobody could say what it is of.

    A SNAP_QUOTE packet says that open interest and volume are what it holds, 0 too; where one of them is not known, it is a packet of
    the mode that has none.
    """
    if quote.ltp is None or quote.exchange_us is None:
        return None
    told: dict[str, Any] = {
        "exchange_ms": quote.exchange_us // 1000,
        "ltp": _paise(quote.ltp),
    }
    if quote.volume is None:
        return packet(LTP, quote.exchange, quote.token, **told)
    told |= {
        "average": _paise(quote.average),
        "volume": quote.volume,
        "open": _paise(quote.open),
        "high": _paise(quote.high),
        "low": _paise(quote.low),
        "prev_close": _paise(quote.prev_close),
    }
    if quote.oi is None:
        return packet(QUOTE, quote.exchange, quote.token, **told)
    told |= {
        "traded_s": (quote.traded_us or 0) // 1_000_000,
        "oi": quote.oi,
        "levels": book(_level(quote.bid, quote.bid_qty), _level(quote.ask, quote.ask_qty)),
    }
    return packet(SNAP_QUOTE, quote.exchange, quote.token, **told)


def _level(price: float | None, qty: int | None) -> list[tuple[int, int, int]]:
    return [] if price is None else [(qty or 0, _paise(price), 1)]


def _paise(rupees: float | None) -> int:
    return 0 if rupees is None else round(rupees * 100)
