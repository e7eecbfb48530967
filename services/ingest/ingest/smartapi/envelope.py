"""The broker's answers, as dictionaries of its JSON, read into values; whatever is not what it should be is ``None`` (pure).

Prices come in rupees, quantities in units of the underlying, times in India's. Source: smartapi, 2.1 to 2.4.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from typing_extensions import override

from oimon.calendar import IST
from oimon.terms import OptionKind

_MOST = 2**53
"""Quantities beyond what a float of JSON holds exactly are errors: the largest index has 10^9 units of open interest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the broker said, in either of its two spellings."""

    ok: bool
    code: str | None
    message: str
    data: Any


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Tokens:
    """What a login gave. Its text shows none of it."""

    jwt: str
    refresh: str
    feed: str

    @override
    def __repr__(self) -> str:
        return "Tokens(***)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Quote:
    """The full quote of one instrument; ``None`` where it has none."""

    exchange: str
    token: str
    symbol: str
    exchange_us: int | None
    traded_us: int | None
    ltp: float | None  # rupees, as all prices
    open: float | None
    high: float | None
    low: float | None
    prev_close: float | None
    average: float | None
    bid: float | None
    ask: float | None
    bid_qty: int | None
    ask_qty: int | None
    volume: int | None  # of the day, quantity
    oi: int | None  # quantity; an index and a share have none that is theirs
    upper_circuit: float | None
    lower_circuit: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Unfetched:
    """An instrument that the broker gave no quote of."""

    exchange: str
    token: str
    code: str | None
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OiPoint:
    """Open interest of one contract at an instant, quantity."""

    at_us: int
    oi: int


@dataclass(frozen=True, kw_only=True, slots=True)
class BrokerGreeks:
    """The broker's own Greeks of one option."""

    strike: float
    kind: OptionKind
    iv: float | None  # a fraction: 0.1633 for its "16.330000"
    delta: float | None
    gamma: float | None
    theta: float | None
    vega: float | None
    volume: int | None


def read(raw: object) -> Answer:
    """Return what an answer says; one that is no envelope is not ok and says so.

    ``{"status": false, "message": "Invalid totp", "errorcode": "AB1050", "data": null}`` and
    ``{"success": false, "message": "Invalid Token", "errorCode": "AG8001", "data": ""}`` are both read.
    """
    if not isinstance(raw, Mapping):
        found = type(raw).__name__
        return Answer(
            ok=False, code=None, message=f"an answer must be an object, was {found}", data=None
        )
    code = raw.get("errorcode") or raw.get("errorCode")
    message = raw.get("message")
    return Answer(
        ok=raw.get("status") is True or raw.get("success") is True,
        code=str(code) if code else None,
        message=message if isinstance(message, str) else "",
        data=raw.get("data"),
    )


def tokens(data: object, refresh: str | None = None) -> Tokens | None:
    """Return the three tokens of a login or a renewal; ``None`` when one is missing.

    Args:
        data: of the answer.
        refresh: the refresh token so far, where the answer brings no new one.
    """
    if not isinstance(data, Mapping):
        return None
    jwt = _text(data.get("jwtToken")).removeprefix("Bearer ")
    feed = _text(data.get("feedToken"))
    kept = _text(data.get("refreshToken")) or refresh
    return Tokens(jwt=jwt, refresh=kept, feed=feed) if jwt and feed and kept else None


def quotes(data: object) -> tuple[list[Quote], list[Unfetched]]:
    """Return what was fetched and what was not; an item without exchange or token is neither."""
    found = [_quote(item) for item in _items(data, "fetched") if _is_named(item)]
    missed = [
        Unfetched(
            exchange=_text(item.get("exchange")),
            token=_text(item.get("symbolToken")),
            code=_text(item.get("errorCode")) or None,
            message=_text(item.get("message")),
        )
        for item in _items(data, "unfetched")
    ]
    return found, missed


def oi_points(data: object) -> list[OiPoint]:
    """Return a contract's open interest by ascending time: of ``{"time": "2024-08-19T12:24:00+05:30", "oi": 166100}``."""
    found = {}
    for item in _items(data):
        at_us, oi = _iso_us(item.get("time")), count(item.get("oi"))
        if at_us is not None and oi is not None:
            found[at_us] = oi
    return [OiPoint(at_us=at_us, oi=found[at_us]) for at_us in sorted(found)]


def greeks(data: object) -> list[BrokerGreeks]:
    """Return the Greeks of an expiry, every value from a string; a row without strike or kind is left out."""
    found = []
    for item in _items(data):
        strike, kind = number(item.get("strikePrice")), item.get("optionType")
        if strike is None or strike <= 0 or kind not in list(OptionKind):
            continue
        iv = number(item.get("impliedVolatility"))
        found.append(
            BrokerGreeks(
                strike=strike,
                kind=OptionKind(kind),
                iv=iv / 100 if iv is not None and iv > 0 else None,
                delta=number(item.get("delta")),
                gamma=number(item.get("gamma")),
                theta=number(item.get("theta")),
                vega=number(item.get("vega")),
                volume=count(item.get("tradeVolume")),
            )
        )
    return found


def put_call_ratios(data: object) -> dict[str, float]:
    """Return the broker's put-call ratios, by the symbol of the future: ``{"NIFTY25JAN24FUT": 1.04}``."""
    found = {}
    for item in _items(data):
        symbol, ratio = _text(item.get("tradingSymbol")), number(item.get("pcr"))
        if symbol and ratio is not None and ratio >= 0:
            found[symbol] = ratio
    return found


def number(value: object) -> float | None:
    """Return a number, of a number or a numeric string; ``None`` of anything else, of NaN and of infinity."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def count(value: object) -> int | None:
    """Return a quantity: a whole number from 0 on, of a number or a numeric string; ``None`` of anything else."""
    found = number(value)
    if found is None or not 0 <= found < _MOST or found != int(found):
        return None
    return int(found)


def _quote(item: Mapping[str, Any]) -> Quote:
    bid, bid_qty = _best(item, "buy")
    ask, ask_qty = _best(item, "sell")
    return Quote(
        exchange=item["exchange"],
        token=_text(item["symbolToken"]),
        symbol=_text(item.get("tradingSymbol")),
        exchange_us=_clock_us(item.get("exchFeedTime")),
        traded_us=_clock_us(item.get("exchTradeTime")),
        ltp=_price(item.get("ltp")),
        open=_price(item.get("open")),
        high=_price(item.get("high")),
        low=_price(item.get("low")),
        prev_close=_price(item.get("close")),
        average=_price(item.get("avgPrice")),
        bid=bid,
        ask=ask,
        bid_qty=bid_qty,
        ask_qty=ask_qty,
        volume=count(item.get("tradeVolume")),
        oi=count(item.get("opnInterest")),
        upper_circuit=_price(item.get("upperCircuit")),
        lower_circuit=_price(item.get("lowerCircuit")),
    )


def _best(item: Mapping[str, Any], side: str) -> tuple[float | None, int | None]:
    """Return price and quantity of a side's best level; nothing where it is empty or an index's sentinel (-0.01, -1)."""
    levels = _items(item.get("depth"), side)
    for level in levels:
        price, qty = _price(level.get("price")), count(level.get("quantity"))
        return (price, qty) if price is not None and qty else (None, None)
    return None, None


def _price(value: object) -> float | None:
    """Return a price in rupees; 0 and less is how the broker writes that there is none."""
    found = number(value)
    return found if found is not None and found > 0 else None


def _clock_us(value: object) -> int | None:
    """Return the instant of ``21-Jun-2023 10:46:10``, in India."""
    try:
        at = datetime.strptime(_text(value), "%d-%b-%Y %H:%M:%S").replace(tzinfo=IST)
    except ValueError:
        return None
    return _us(at)


def _iso_us(value: object) -> int | None:
    try:
        at = datetime.fromisoformat(_text(value))
    except ValueError:
        return None
    return _us(at if at.tzinfo else at.replace(tzinfo=IST))


def _us(at: datetime) -> int | None:
    seconds = at.timestamp()
    return round(seconds * 1e6) if seconds > 0 else None  # 01-Jan-1970 stands for "never"


def _items(data: object, name: str | None = None) -> Iterator[Mapping[str, Any]]:
    """Give the objects of a list, or of the list of that name in an object."""
    held = data.get(name) if name is not None and isinstance(data, Mapping) else data
    if isinstance(held, list):
        yield from (item for item in held if isinstance(item, Mapping))


def _is_named(item: Mapping[str, Any]) -> bool:
    return bool(isinstance(item.get("exchange"), str) and _text(item.get("symbolToken")))


def _text(value: object) -> str:
    """Return a text; of a whole number its digits, since some endpoints write tokens so."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() if isinstance(value, str) else ""
