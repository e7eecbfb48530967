"""Quotes asked for beside the stream, as the packets that it would have sent (pure)."""

from ingest.packets import SNAP_QUOTE, book, packet
from ingest.smartapi.envelope import Quote


def as_packet(quote: Quote) -> bytes | None:
    """Return a quote as a SNAP_QUOTE packet, ``None`` where it has no price or no time: nobody could say what it is of."""
    if quote.ltp is None or quote.exchange_us is None:
        return None
    return packet(
        SNAP_QUOTE,
        quote.exchange,
        quote.token,
        exchange_ms=quote.exchange_us // 1000,
        ltp=_paise(quote.ltp),
        average=_paise(quote.average),
        volume=quote.volume or 0,
        open=_paise(quote.open),
        high=_paise(quote.high),
        low=_paise(quote.low),
        prev_close=_paise(quote.prev_close),
        traded_s=(quote.traded_us or 0) // 1_000_000,
        oi=quote.oi or 0,
        levels=book(_level(quote.bid, quote.bid_qty), _level(quote.ask, quote.ask_qty)),
    )


def _level(price: float | None, qty: int | None) -> list[tuple[int, int, int]]:
    return [] if price is None else [(qty or 0, _paise(price), 1)]


def _paise(rupees: float | None) -> int:
    return 0 if rupees is None else round(rupees * 100)
