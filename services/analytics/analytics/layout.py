"""Where a session's instruments stand in the matrix of cells (pure)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from oimon.core.chain import FloatArray
from oimon.messages import Instruments
from oimon.terms import Kind

VIX = "INDIA VIX"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ExpiryLayout:
    """One expiry's listed strikes in rupees, ascending, shape (n,), and the column of each leg, shape (2, n).

    A leg that is not listed has the last column of the matrix, of which nothing is ever known; so has the ``future`` that
    expires with them.
    """

    expiry: str  # ISO day
    strike: FloatArray
    columns: npt.NDArray[np.intp]
    future: int
    lot: int
    tick: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Layout:
    """All of a session: expiries and futures from the nearest on, where spot (an index, else the share) and VIX are; ticks in rupees."""

    expiries: tuple[ExpiryLayout, ...]
    futures: tuple[int, ...]
    spot: int | None
    vix: int | None
    tick: FloatArray

    def of(self, expiry: str) -> ExpiryLayout:
        """Return the expiry of that ISO day, which is one of these."""
        return next(each for each in self.expiries if each.expiry == expiry)


def layout_of(instruments: Instruments) -> Layout:
    """Return where each instrument stands."""
    kinds, symbols = instruments.kind, instruments.symbol
    indices = [row for row, kind in enumerate(kinds) if kind is Kind.INDEX]
    vix = next((row for row in indices if symbols[row].upper() == VIX), None)
    shares = [row for row, kind in enumerate(kinds) if kind is Kind.EQ]
    futures = [row for row, kind in enumerate(kinds) if kind is Kind.FUT]
    expiries = {
        expiry
        for expiry, kind in zip(instruments.expiry, kinds, strict=True)
        if expiry is not None and kind in (Kind.CE, Kind.PE)
    }
    return Layout(
        expiries=tuple(_expiry(instruments, expiry) for expiry in sorted(expiries)),
        futures=tuple(sorted(futures, key=lambda row: (instruments.expiry[row] or "", row))),
        spot=next((row for row in [*indices, *shares] if row != vix), None),
        vix=vix,
        tick=np.array([*instruments.tick, np.nan]),
    )


def _expiry(instruments: Instruments, expiry: str) -> ExpiryLayout:
    legs = [
        (strike, (Kind.CE, Kind.PE).index(kind), row)
        for row, (kind, day, strike) in enumerate(
            zip(instruments.kind, instruments.expiry, instruments.strike, strict=True)
        )
        if day == expiry and strike is not None and kind in (Kind.CE, Kind.PE)
    ]
    strikes = sorted({strike for strike, _, _ in legs})
    places = {strike: i for i, strike in enumerate(strikes)}
    columns = np.full((2, len(strikes)), len(instruments.kind), np.intp)
    for strike, side, row in legs:
        columns[side, places[strike]] = row
    first, nothing = legs[0][2], len(instruments.kind)
    told = enumerate(zip(instruments.kind, instruments.expiry, strict=True))
    return ExpiryLayout(
        expiry=expiry,
        strike=np.array(strikes),
        columns=columns,
        future=next((row for row, each in told if each == (Kind.FUT, expiry)), nothing),
        lot=instruments.lot[first],
        tick=instruments.tick[first],
    )
