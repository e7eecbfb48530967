"""An option chain from NSE's end-of-day file of derivatives (bhavcopy), in the old layout and in UDiFF.

Open interest is in units there, volume in contracts. It tells no quotes and not when a leg traded last, so prices make no
marks: what follows from open interest alone is known. A row of each layout reads
``OPTIDX,NIFTY,25-Mar-2021,14500,CE,310,352,160,179.9,179.9,52913,583205.45,743925,158325,18-MAR-2021,`` and
``2025-09-02,2025-09-02,FO,NSE,IDO,40547,,NIFTY,,2025-09-09,2025-09-09,24100.00,PE,…,24579.60,18.55,1678575,778050,…``.
"""

import csv
import gzip
import io
import math
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

import numpy as np

from analytics.cells import COUNT, Cell
from analytics.nse import parsed_day
from analytics.page import Page
from oimon import calendar
from oimon.core.chain import FloatArray
from oimon.errors import InputError
from oimon.terms import OiUnit, Segment

REMEDY = "Give NSE's bhavcopy of derivatives (fo…bhav.csv or UDiFF), plain or .gz"
_SIDES = ("CE", "PE")
_SHOWN = 12  # names of a long list


@dataclass(frozen=True, slots=True)
class _Layout:
    """What a layout calls its columns; ``spot`` and ``lot`` are missing in the old one."""

    kind: str
    name: str
    expiry: str
    strike: str
    right: str
    close: str
    volume: str
    oi: str
    oi_change: str
    day: str
    spot: str | None = None
    lot: str | None = None
    prev_close: str | None = None


_LAYOUTS = (
    _Layout(
        "INSTRUMENT", "SYMBOL", "EXPIRY_DT", "STRIKE_PR", "OPTION_TYP", "CLOSE", "CONTRACTS", "OPEN_INT", "CHG_IN_OI", "TIMESTAMP",
    ),
    _Layout(
        "FinInstrmTp", "TckrSymb", "XpryDt", "StrkPric", "OptnTp", "ClsPric", "TtlTradgVol", "OpnIntrst", "ChngInOpnIntrst",
        "TradDt", "UndrlygPric", "NewBrdLotQty", "PrvsClsgPric",
    ),
)  # fmt: skip
_OPTIONS = ("OPTIDX", "OPTSTK", "IDO", "STO")
_FUTURES = ("FUTIDX", "FUTSTK", "IDF", "STF")
Row = tuple[int, Mapping[str, str]]
_KNOWN: Mapping[str, _Layout] = MappingProxyType({layout.kind: layout for layout in _LAYOUTS})


def is_bhavcopy(path: Path) -> bool:
    """Say whether a file begins like a bhavcopy; a file that cannot be read does not."""
    try:
        return _layout(_text(path).partition("\n")[0].split(",")) is not None
    except (OSError, EOFError, zlib.error, UnicodeDecodeError):
        return False


def read_bhavcopy(path: Path, underlying: str | None, expiry: date | None) -> Page:
    """Return one expiry of one underlying.

    Args:
        path: the file.
        underlying: which one; may be left out when the file holds one only.
        expiry: which one; else the nearest that lives after that day.

    Raises:
        InputError: the file cannot be used so; names line, what was found and what to do.
    """
    layout, rows = _rows(path)
    name = _chosen(path, underlying, [row[layout.name] for _, row in rows if row[layout.kind] in _OPTIONS])  # fmt: skip
    return _page(path, layout, [row for row in rows if row[1][layout.name] == name], expiry)


def read_bhavcopies(path: Path, expiry: date | None) -> dict[str, Page | InputError]:
    """Return one expiry of each underlying that has options, or why it cannot be used; arguments as of :func:`read_bhavcopy`.

    Raises:
        InputError: nothing of the file can be used.
    """
    layout, rows = _rows(path)
    own: dict[str, list[Row]] = {row[layout.name]: [] for _, row in rows if row[layout.kind] in _OPTIONS}  # fmt: skip
    for row in rows:
        if row[1][layout.name] in own:
            own[row[1][layout.name]].append(row)
    if not own:
        _chosen(path, None, [])
    pages: dict[str, Page | InputError] = {}
    for name, of_name in own.items():
        try:
            pages[name] = _page(path, layout, of_name, expiry)
        except InputError as error:
            pages[name] = error
    return pages


def _rows(path: Path) -> tuple[_Layout, list[Row]]:
    reader = csv.DictReader(io.StringIO(_text(path)))
    layout = _layout(reader.fieldnames or [])
    if layout is None:
        raise InputError(path, "line 1", "has not the columns of a bhavcopy", REMEDY)
    return layout, list(enumerate(reader, 2))


def _page(path: Path, layout: _Layout, own: list[Row], expiry: date | None) -> Page:
    """Return one expiry of the one underlying that all rows are of."""
    options = [(line, row) for line, row in own if row[layout.kind] in _OPTIONS]
    name = options[0][1][layout.name]
    day = _day(path, options[0][0], options[0][1][layout.day])
    days = {_day(path, line, row[layout.expiry]) for line, row in options}
    wanted = expiry or min((d for d in days if d > day), default=max(days))
    legs = [(line, row) for line, row in options if _day(path, line, row[layout.expiry]) == wanted]
    if not legs:
        some = ", ".join(map(str, sorted(days)))
        raise InputError(path, "the file", f"no option of {name} expires on {wanted}, found {some}", "Choose one with --expiry")  # fmt: skip
    strikes, cells = _cells(path, layout, legs)
    futures = _futures(path, layout, own)
    return Page(
        path=path,
        underlying=name,
        at=datetime.fromtimestamp(calendar.close_us(Segment.NFO, day) / 1e6, calendar.IST),
        expiry=wanted,
        spot=_optional(path, legs[0], layout.spot),
        strike=strikes,
        cells=cells,
        oi_unit=OiUnit.QTY,
        lot=_lot(path, legs[0], layout),
        future=next(iter(futures.values()), None),
        own_future=futures.get(wanted),
    )


def _text(path: Path) -> str:
    raw = path.read_bytes()
    return (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8-sig")


def _layout(names: Iterable[str]) -> _Layout | None:
    found = {name.strip() for name in names}
    layout = next((_KNOWN[name] for name in _KNOWN if name in found), None)
    if layout is None:
        return None
    needed = {getattr(layout, field) for field in layout.__slots__} - {None}
    return layout if needed <= found else None


def _chosen(path: Path, underlying: str | None, names: list[str]) -> str:
    found = list(dict.fromkeys(names))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    some = ", ".join(found[:_SHOWN]) + more
    if not found:
        raise InputError(path, "the file", "holds no options", REMEDY)
    if underlying is None and len(found) > 1:
        raise InputError(path, "the file", f"it holds {some}", "Choose one with --underlying")
    if underlying is not None and underlying not in found:
        raise InputError(path, "the file", f"no option is of {underlying}, it holds {some}", "Choose one of those with --underlying")  # fmt: skip
    return underlying or found[0]


def _cells(path: Path, layout: _Layout, legs: list[Row]) -> tuple[FloatArray, FloatArray]:
    """Return strikes, shape (n,), and cells, shape (COUNT, 2, n): interest in units, volume in contracts."""
    strikes = sorted({_number(path, leg, layout.strike) for leg in legs})
    places = {strike: i for i, strike in enumerate(strikes)}
    cells = np.full((COUNT, 2, len(strikes)), np.nan)
    for leg in legs:
        right = leg[1][layout.right]
        if right not in _SIDES:
            raise InputError(path, f"line {leg[0]}", f"{layout.right} must be CE or PE, was {right!r}", REMEDY)  # fmt: skip
        place = _SIDES.index(right), places[_number(path, leg, layout.strike)]
        for cell, column in (
            (Cell.LTP, layout.close),
            (Cell.VOLUME, layout.volume),
            (Cell.OI, layout.oi),
            (Cell.OI_CHANGE_DAY, layout.oi_change),
        ):
            cells[cell][place] = _number(path, leg, column)
    cells[Cell.LTP][(cells[Cell.LTP] <= 0) | (cells[Cell.VOLUME] == 0)] = (
        np.nan
    )  # a price of no trade
    cells[Cell.OI_PREV] = cells[Cell.OI] - cells[Cell.OI_CHANGE_DAY]
    cells[Cell.OI_AGE_S] = np.where(np.isnan(cells[Cell.OI]), np.nan, 0.0)
    cells[Cell.IS_MID] = 0.0
    return np.array(strikes), cells


def _futures(path: Path, layout: _Layout, own: list[Row]) -> dict[date, float]:
    """Return the close of each future in rupees, by its expiry, the nearest first."""
    rows = [row for row in own if row[1][layout.kind] in _FUTURES]
    found = {_day(path, row[0], row[1][layout.expiry]): _number(path, row, layout.close) for row in rows}  # fmt: skip
    return dict(sorted(found.items()))


def _lot(path: Path, leg: Row, layout: _Layout) -> int | None:
    found = _optional(path, leg, layout.lot)
    return None if found is None else int(found)


def _optional(path: Path, leg: Row, column: str | None) -> float | None:
    if column is None or not leg[1].get(column):
        return None
    return _number(path, leg, column) or None


def _number(path: Path, leg: Row, column: str) -> float:
    line, row = leg
    try:
        number = float(row[column] or "")
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(path, f"line {line}", f"{column} must be a number, was {row[column]!r}", REMEDY)  # fmt: skip
    return number


def _day(path: Path, line: int, text: str) -> date:
    try:
        return date.fromisoformat(text) if text[:4].isdecimal() else parsed_day(text.title())
    except ValueError as error:
        raise InputError(path, f"line {line}", f"a day must read like 25-Mar-2021 or 2025-09-09, was {text!r}", REMEDY) from error  # fmt: skip
