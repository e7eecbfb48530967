"""What the broker's ``optionGreek`` says: Black's model on the forward of put-call parity (pure). Every value is a string.

On purpose not ``oimon.core``: whoever compares our Greeks with the broker's must not compare them with themselves.
Source: smartapi, section 2.4.
"""

import math
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import NamedTuple

from ingest.fakebroker.market import Market
from ingest.fakebroker.quotes import packet_of
from ingest.instruments import MasterRow
from oimon import calendar
from oimon.terms import Segment

_YEAR_US = 365 * 86_400 * 1_000_000
_LOWEST, _HIGHEST = 0.001, 5.0
_HALVINGS = 50


class _Leg(NamedTuple):
    row: MasterRow
    strike: float
    is_call: bool
    price: float  # rupees
    volume: int


def option_greeks(market: Market, name: str, expiry: str) -> list[Mapping[str, str]] | None:
    """Return the Greeks of the legs of an expiry that have a price; ``None``: the broker has no such data.

    Args:
        market: what is known now.
        name: the underlying, of NSE.
        expiry: as the master writes it: 25JAN2024.
    """
    legs = list(_legs(market, name, expiry.upper()))
    if not legs:
        return None
    day = datetime.strptime(expiry.upper(), "%d%b%Y").date()  # noqa: DTZ007 - a day, no instant
    years = (_closes_us(day) - market.now_us) / _YEAR_US
    forward = _forward(legs)
    if years <= 0 or forward is None:
        return None
    return [_told(leg, forward, years) for leg in legs]


def _legs(market: Market, name: str, expiry: str) -> Iterator[_Leg]:
    for key, listed in market.listed.items():
        row = listed.row
        is_asked = row.name == name and row.expiry == expiry and row.exch_seg == "NFO"
        if is_asked and row.instrumenttype.startswith("OPT"):
            found = packet_of(market, key)
            if found["ltp"] > 0:
                yield _Leg(
                    row,
                    float(row.strike) / 100,
                    row.symbol.endswith("CE"),
                    found["ltp"] / 100,
                    found["volume"],
                )


def _forward(legs: list[_Leg]) -> float | None:
    """Return strike + call − put where the two are nearest to each other."""
    calls = {leg.strike: leg.price for leg in legs if leg.is_call}
    puts = {leg.strike: leg.price for leg in legs if not leg.is_call}
    both = sorted(calls.keys() & puts.keys(), key=lambda strike: abs(calls[strike] - puts[strike]))
    return both[0] + calls[both[0]] - puts[both[0]] if both else None


def _told(leg: _Leg, forward: float, years: float) -> Mapping[str, str]:
    sigma = _volatility(leg, forward, years)
    root = math.sqrt(years)
    d_one = math.log(forward / leg.strike) / (sigma * root) + sigma * root / 2
    density = math.exp(-d_one * d_one / 2) / math.sqrt(2 * math.pi)
    return {
        "name": leg.row.name,
        "expiry": leg.row.expiry,
        "strikePrice": f"{leg.strike:.6f}",
        "optionType": "CE" if leg.is_call else "PE",
        "delta": f"{_normal(d_one) - (not leg.is_call):.6f}",
        "gamma": f"{density / (forward * sigma * root):.6f}",
        "theta": f"{-forward * density * sigma / (2 * root) / 365:.6f}",
        "vega": f"{forward * density * root / 100:.6f}",
        "impliedVolatility": f"{sigma * 100:.6f}",
        "tradeVolume": f"{leg.volume:.2f}",
    }


def _volatility(leg: _Leg, forward: float, years: float) -> float:
    """Return the volatility at which the model gives the price, to the last digit that is told."""
    low, high = _LOWEST, _HIGHEST
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _price(leg, forward, middle * math.sqrt(years)) < leg.price:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _price(leg: _Leg, forward: float, deviation: float) -> float:
    d_one = math.log(forward / leg.strike) / deviation + deviation / 2
    call = forward * _normal(d_one) - leg.strike * _normal(d_one - deviation)
    return call if leg.is_call else call - forward + leg.strike


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2


def _closes_us(day: date) -> int:
    return calendar.close_us(Segment.NFO, day)
