"""The broker's instrument master: rows as it spells them, read into the columns of a session (pure).

Source: smartapi, section 7 (fields and oddities); messages-sketch (``session``).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache

import msgspec

from ingest.packets import EXCHANGE_TYPES
from ingest.tokens import TokenTable
from oimon.messages import Instruments
from oimon.terms import Kind

_OPTIONS = frozenset({"OPTIDX", "OPTSTK", "OPTFUT"})
_FUTURES = frozenset({"FUTIDX", "FUTSTK", "FUTCOM"})


@dataclass(frozen=True, kw_only=True, slots=True)
class MasterRow:
    """One row of the master, every field a string as the broker writes it; newer fields that are not used are left out."""

    token: str
    symbol: str
    name: str  # the underlying
    expiry: str  # 26DEC2024, in some copies 26Dec2024; empty where there is none
    strike: str  # paise with six decimals; -1.000000 or 0.000000 where there is none
    lotsize: str
    instrumenttype: str  # OPTIDX, FUTSTK, AMXIDX (an index), "" (a share), …
    exch_seg: str
    tick_size: str  # paise; 0.000000 for an index, which is not traded


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """One row of the master, read."""

    exchange: str
    token: str
    symbol: str
    underlying: str
    kind: Kind
    expiry: str | None  # ISO day
    strike: float | None  # rupees
    lot: int  # units; MCX: of the exchange's quotation
    tick: float  # rupees


def read_row(row: MasterRow) -> Instrument:
    """Return what a row of the master says.

    Raises:
        ValueError: an exchange or type that is not watched, or a field that is not what it should be.
    """
    if row.exch_seg not in EXCHANGE_TYPES:
        raise ValueError(f"{row.symbol}: exchange {row.exch_seg!r} is not watched")
    kind = _kind(row)
    has_strike = kind in (Kind.CE, Kind.PE)
    has_expiry = has_strike or kind is Kind.FUT
    return Instrument(
        exchange=row.exch_seg,
        token=row.token,
        symbol=row.symbol,
        underlying=row.name,
        kind=kind,
        expiry=_expiry(row) if has_expiry else None,
        strike=_hundredth(row, "strike") if has_strike else None,
        lot=int(_number(row, "lotsize")),
        tick=_hundredth(row, "tick_size"),
    )


def token_table(found: Sequence[Instrument]) -> TokenTable:
    """Return the look-up from packet to row of these instruments, in the order of their rows.

    Raises:
        ValueError: see ``TokenTable.of``.
    """
    return TokenTable.of(
        [i.exchange for i in found], [i.token for i in found], [i.kind for i in found]
    )


def instruments(
    found: Sequence[Instrument],
    *,
    prev_close: Sequence[float | None],
    oi_prev: Sequence[int | None],
    oi_open: Sequence[int | None],
) -> Instruments:
    """Return the columns of a session, in the order of the instruments.

    Args:
        found: what the rows of a batch are.
        prev_close: rupees, one an instrument.
        oi_prev: open interest at the previous session's close, quantity, one an instrument.
        oi_open: this session's first open interest, quantity, one an instrument.
    """
    return Instruments(
        token=[i.token for i in found],
        symbol=[i.symbol for i in found],
        kind=[i.kind for i in found],
        expiry=[i.expiry for i in found],
        strike=[i.strike for i in found],
        lot=[i.lot for i in found],
        tick=[i.tick for i in found],
        prev_close=list(prev_close),
        oi_prev=list(oi_prev),
        oi_open=list(oi_open),
    )


def table_hash(columns: Instruments) -> str:
    """Return the hash that ties a tick batch to its table: 16 hex digits over the columns that say what a row is."""
    identity = [
        columns.token,
        columns.symbol,
        columns.kind,
        columns.expiry,
        columns.strike,
        columns.lot,
        columns.tick,
    ]
    return hashlib.sha256(msgspec.json.encode(identity)).hexdigest()[:16]


def master_expiry(day: date) -> str:
    """Return a day as the master writes it: 26DEC2024."""
    return day.strftime("%d%b%Y").upper()


def _kind(row: MasterRow) -> Kind:
    if row.instrumenttype in _OPTIONS:
        try:
            return Kind(row.symbol[-2:])
        except ValueError:
            raise ValueError(f"{row.symbol}: an option's symbol must end in CE or PE") from None
    if row.instrumenttype in _FUTURES:
        return Kind.FUT
    if row.instrumenttype == "AMXIDX":
        return Kind.INDEX
    if row.instrumenttype == "":
        return Kind.EQ
    raise ValueError(f"{row.symbol}: type {row.instrumenttype!r} is not watched")


def _expiry(row: MasterRow) -> str:
    try:
        return _iso_day(row.expiry)
    except ValueError:
        raise ValueError(
            f"{row.symbol}: expiry must read like 26DEC2024, was {row.expiry!r}"
        ) from None


@lru_cache(maxsize=256)  # of thousands of contracts
def _iso_day(expiry: str) -> str:
    day = datetime.strptime(expiry, "%d%b%Y").date()  # noqa: DTZ007 - a day, no instant
    return day.isoformat()


def _hundredth(row: MasterRow, field: str) -> float:
    return float(_number(row, field) / 100)  # paise, exactly, before it becomes a float


def _number(row: MasterRow, field: str) -> Decimal:
    text = getattr(row, field)
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("NaN")
    if not (number.is_finite() and number >= 0):
        raise ValueError(f"{row.symbol}: {field} must be a number, was {text!r}")
    return number
