"""The contracts that a CSV of chains names, as rows of the instrument master (pure).

A CSV has no tokens. The index gets its own; contracts get synthetic ones made of their symbol, so that a contract has the same token
in every recording. Source: smartapi, section 7 (rows, index tokens, forms of symbols).
"""

import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import NamedTuple

from ingest.instruments import MasterRow, master_expiry
from ingest.subscription import around_all
from oimon.calendar import segment_of
from oimon.chain_csv import ChainRow

TICK_PAISE = 5
"""Step of the price of an index' or a share's options."""


class Key(NamedTuple):
    """What tells one contract of an underlying from another; sorts by expiry, strike, side."""

    expiry: str  # ISO day
    strike: float  # rupees
    right: str


class Index(NamedTuple):
    """An index in the master."""

    exchange: str
    token: str
    symbol: str


INDICES: Mapping[str, Index] = {
    "NIFTY": Index("NSE", "99926000", "Nifty 50"),
    "BANKNIFTY": Index("NSE", "99926009", "Nifty Bank"),
    "FINNIFTY": Index("NSE", "99926037", "Nifty Fin Service"),
    "MIDCPNIFTY": Index("NSE", "99926074", "NIFTY MID SELECT"),
    "NIFTYNXT50": Index("NSE", "99926013", "Nifty Next 50"),
    "SENSEX": Index("BSE", "99919000", "SENSEX"),
}


def choose(
    rows: Iterable[ChainRow], expiries: Collection[str], strikes_each_side: int | None
) -> list[Key]:
    """Return the contracts of these expiries within the window, sorted.

    Args:
        rows: of one underlying.
        expiries: ISO days.
        strikes_each_side: of the strike at the money, at any of the spots; ``None``: all strikes.
    """
    keys = {Key(row.expiry, row.strike, row.right) for row in rows if row.expiry in expiries}
    if strikes_each_side is None:
        return sorted(keys)
    spots = {row.spot for row in rows}
    window = {
        expiry: set(
            around_all(
                sorted({k.strike for k in keys if k.expiry == expiry}), spots, strikes_each_side
            )
        )
        for expiry in expiries
    }
    return sorted(key for key in keys if key.strike in window[key.expiry])


def master_rows(underlying: str, keys: Sequence[Key], lots: Mapping[str, int]) -> list[MasterRow]:
    """Return the master's rows of the underlying's own price, then of the contracts, in their order.

    Args:
        underlying: an index, else it is taken for a share of NSE.
        keys: the contracts.
        lots: units of a contract, by expiry.
    """
    taken: set[str] = set()
    rows = [_spot_row(underlying, taken)]
    for key in keys:
        day = date.fromisoformat(key.expiry)
        strike = f"{key.strike:.2f}".rstrip("0").rstrip(".")
        symbol = f"{underlying}{day:%d%b%y}{strike}{key.right}".upper()
        rows.append(
            MasterRow(
                token=synthetic_token(symbol, taken),
                symbol=symbol,
                name=underlying,
                expiry=master_expiry(day),
                strike=f"{key.strike * 100:.6f}",
                lotsize=str(lots[key.expiry]),
                instrumenttype="OPTIDX" if underlying in INDICES else "OPTSTK",
                exch_seg=segment_of(underlying),
                tick_size=f"{TICK_PAISE}.000000",
            )
        )
    return rows


def _spot_row(underlying: str, taken: set[str]) -> MasterRow:
    index = INDICES.get(underlying)
    if index is None:
        symbol = f"{underlying}-EQ"
        return MasterRow(
            token=synthetic_token(symbol, taken),
            symbol=symbol,
            name=underlying,
            expiry="",
            strike="-1.000000",
            lotsize="1",
            instrumenttype="",
            exch_seg="NSE",
            tick_size=f"{TICK_PAISE}.000000",
        )
    taken.add(index.token)
    return index_row(underlying, index)


def index_row(name: str, index: Index) -> MasterRow:
    """Return the master's row of an index."""
    return MasterRow(
        token=index.token,
        symbol=index.symbol,
        name=name,
        expiry="",
        strike="0.000000",
        lotsize="1",
        instrumenttype="AMXIDX",
        exch_seg=index.exchange,
        tick_size="0.000000",
    )


def synthetic_token(symbol: str, taken: set[str]) -> str:
    """Return eight digits made of the symbol, the next free ones where two symbols meet, and take them."""
    number = zlib.crc32(symbol.encode())
    while (token := f"{number % 10**8:08d}") in taken:
        number += 1
    taken.add(token)
    return token
