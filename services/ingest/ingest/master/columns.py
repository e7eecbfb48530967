"""The instrument master as typed columns: 200,000 rows in some 12 MB, searched without a dictionary (pure).

Source: smartapi, section 7.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from ingest.instruments import Instrument
from ingest.packets import EXCHANGE_TYPES
from oimon.terms import Kind

Rows = npt.NDArray[np.intp]
"""Places of rows, ascending."""

KINDS = (Kind.CE, Kind.PE, Kind.FUT, Kind.INDEX, Kind.EQ)
"""A kind's code is its place here; codes are written to disk."""
DTYPES: Mapping[str, str] = {
    "exchange": "u1",  # the stream's number of it, ``EXCHANGE_TYPES``
    "kind": "u1",
    "name": "<u4",  # place in ``Master.names``
    "lot": "<i4",
    "tick": "<i4",  # paise
    "strike": "<i8",  # paise, 0: none
    "expiry": "<i4",  # ordinal day, 0: none
    "token": "S",
    "symbol": "S",
}
"""Name and type of each column; of the texts the length is as it comes."""
_EXCHANGES = {number: name for name, number in EXCHANGE_TYPES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tally:
    """How many rows there were, and what became of those that are no instrument here."""

    rows: int
    not_watched: int  # currency, commodity spot, exchanges that the feed has no number for
    unread: int
    reasons: tuple[str, ...]  # of the first ones that were not read


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Master:
    """Every instrument that can be watched, one entry a row in each column, in the file's order."""

    names: Sequence[str]
    """Underlyings; a row holds the place of its own."""
    columns: Mapping[str, npt.NDArray[Any]]
    """As ``DTYPES`` says, shape (n,)."""
    tally: Tally

    def __len__(self) -> int:
        return len(self.columns["token"])

    def find(
        self,
        *,
        exchange: str | None = None,
        name: str | None = None,
        kinds: Collection[Kind] = (),
        expiry: date | None = None,
        strike: float | None = None,
        symbol: str | None = None,
        token: str | None = None,
    ) -> Rows:
        """Return the rows that are all of what is given.

        Args:
            exchange: the master's ``exch_seg``.
            name: of the underlying, exactly: names begin with each other.
            kinds: any of these; none given: all.
            expiry: the day of it.
            strike: rupees.
            symbol: the trading symbol, exactly.
            token: unique within an exchange only.
        """
        wanted: list[tuple[str, object]] = []
        if exchange is not None:
            wanted.append(("exchange", EXCHANGE_TYPES.get(exchange, 0)))
        if name is not None:
            wanted.append(("name", self._name_code(name)))
        if expiry is not None:
            wanted.append(("expiry", expiry.toordinal()))
        if strike is not None:
            wanted.append(("strike", round(strike * 100)))
        if symbol is not None:
            wanted.append(("symbol", symbol.encode()))
        if token is not None:
            wanted.append(("token", token.encode()))
        rows: Rows = np.arange(len(self)) if not wanted else self._equal(*wanted[0])
        for column, value in wanted[1:]:
            rows = rows[self.columns[column][rows] == value]
        if kinds:
            codes = [KINDS.index(kind) for kind in kinds]
            rows = rows[np.isin(self.columns["kind"][rows], codes)]
        return rows

    def instruments(self, rows: Iterable[int]) -> list[Instrument]:
        """Return the rows, read, in their order."""
        return [self._instrument(int(row)) for row in rows]

    def expiries(self, rows: Rows) -> list[date]:
        """Return the days on which any of the rows expire, ascending."""
        days = np.unique(self.columns["expiry"][rows])
        return [date.fromordinal(day) for day in days.tolist() if day]

    def names_of(self, rows: Rows) -> list[str]:
        """Return the names of the rows' underlyings, sorted; some rows have none."""
        return sorted({self.names[code] for code in np.unique(self.columns["name"][rows])} - {""})

    def _name_code(self, name: str) -> int:
        return self.names.index(name) if name in self.names else len(self.names)

    def _equal(self, column: str, value: object) -> Rows:
        return np.flatnonzero(self.columns[column] == value)

    def _instrument(self, row: int) -> Instrument:
        cell = {name: column[row].item() for name, column in self.columns.items()}
        return Instrument(
            exchange=_EXCHANGES[cell["exchange"]],
            token=cell["token"].decode(),
            symbol=cell["symbol"].decode(),
            underlying=self.names[cell["name"]],
            kind=KINDS[cell["kind"]],
            expiry=date.fromordinal(cell["expiry"]).isoformat() if cell["expiry"] else None,
            strike=cell["strike"] / 100 if cell["strike"] else None,
            lot=cell["lot"],
            tick=cell["tick"] / 100,
        )
