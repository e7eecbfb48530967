"""An option chain as NSE's own page gives it: JSON, plain or gzip, of one instant.

Open interest and volume are in contracts there; they become quantity by the lot, where it is known. What the page does not
tell (when a leg last traded, what was before) stays unknown, so last prices make no marks and changes over time have no
value. Rulings, 12.
"""

import gzip
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import numpy as np

from analytics.cells import COUNT, Cell
from analytics.page import TICK, Page
from oimon import calendar
from oimon.core.chain import FloatArray
from oimon.core.mark import mark_price
from oimon.errors import InputError

REMEDY = (
    "Give the JSON of NSE's option-chain page (api/option-chain-indices), its bhavcopy of derivatives, or a CSV of chains "
    "(ts, underlying, expiry, strike, right, …), plain or .gz"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_FIELDS = (
    (Cell.LTP, "lastPrice"),
    (Cell.BID, "bidprice"),
    (Cell.ASK, "askPrice"),
    (Cell.BID_QTY, "bidQty"),
    (Cell.ASK_QTY, "askQty"),
    (Cell.VOLUME, "totalTradedVolume"),
    (Cell.OI, "openInterest"),
    (Cell.OI_CHANGE_DAY, "changeinOpenInterest"),
)
Row = tuple[str, Mapping[str, Any]]
"""Place in the file, and the object there."""


def read_page(path: Path, wanted: date | None = None) -> Page:
    """Return one expiry of a page: the one wanted, else the nearest that has not passed.

    Raises:
        InputError: the file is no such page; names the place and what was found there.
    """
    records = _records(path)
    at = _timestamp(path, records.get("timestamp"))
    rows = list(_rows(path, records))
    days = {_day(path, place, row.get("expiryDate")) for place, row in rows}
    expiry = wanted or min((day for day in days if day >= at.date()), default=max(days))
    if expiry not in days:
        some = ", ".join(map(str, sorted(days)))
        raise InputError(
            path, "records.data", f"nothing expires on {expiry}, found {some}", "Choose one with --expiry"
        )  # fmt: skip
    nearest = [
        (place, row) for place, row in rows if _day(path, place, row["expiryDate"]) == expiry
    ]
    strikes = sorted({_number(path, place, row, "strikePrice") for place, row in nearest})
    columns = {strike: i for i, strike in enumerate(strikes)}
    cells = np.full((COUNT, 2, len(strikes)), np.nan)
    names, levels = set(), [_spot(records)]
    for place, row in nearest:
        column = columns[_number(path, place, row, "strikePrice")]
        for side, leg in _legs(path, place, row):
            _fill(cells[:, side, column], path, f"{place}.{('CE', 'PE')[side]}", leg)
            names.add(str(leg.get("underlying", "")))
            levels.append(_spot(leg))
    if not names - {""}:
        raise InputError(path, "records.data", "no leg names its underlying", REMEDY)
    return Page(
        path=path,
        underlying=min(names - {""}),
        at=at,
        expiry=expiry,
        spot=next((level for level in levels if level is not None), None),
        strike=np.array(strikes),
        cells=_completed(cells),
    )


def _records(path: Path) -> Mapping[str, Any]:
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(path, "the file", f"cannot be read ({error})", REMEDY) from error
    except UnicodeDecodeError as error:
        raise InputError(path, "the file", f"is no text ({error})", REMEDY) from error
    if not text.strip():
        raise InputError(path, "the file", "is empty", REMEDY)
    if text.lstrip().startswith("<"):
        raise InputError(path, "the file", "is HTML: NSE refused the request or blocks it", REMEDY)
    try:
        page = json.loads(text)
    except ValueError as error:
        raise InputError(path, "the file", f"is not JSON ({error})", REMEDY) from error
    records = page.get("records") if isinstance(page, dict) else None
    if not isinstance(records, dict):
        raise InputError(path, "the file", "has no object 'records'", REMEDY)
    return records


def _rows(path: Path, records: Mapping[str, Any]) -> Iterator[Row]:
    data = records.get("data")
    if not isinstance(data, list) or not data:
        raise InputError(path, "records.data", "holds no strikes", REMEDY)
    for i, row in enumerate(data):
        if not isinstance(row, dict):
            raise InputError(path, f"records.data[{i}]", f"must be an object, was {row!r}", REMEDY)
        yield f"records.data[{i}]", row


def _legs(
    path: Path, place: str, row: Mapping[str, Any]
) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the legs that a row has; either may be absent."""
    for side, name in enumerate(("CE", "PE")):
        leg = row.get(name)
        if leg is None:
            continue
        if not isinstance(leg, dict):
            raise InputError(path, f"{place}.{name}", f"must be an object, was {leg!r}", REMEDY)
        yield side, leg


def _fill(cells: FloatArray, path: Path, place: str, leg: Mapping[str, Any]) -> None:
    for cell, name in _FIELDS:
        cells[cell] = _number(path, place, leg, name)
    # The page's own change, so that a leg which never traded has no previous close.
    if cells[Cell.LTP] > 0:
        cells[Cell.PREV_CLOSE] = cells[Cell.LTP] - _number(path, place, leg, "change")


def _completed(cells: FloatArray) -> FloatArray:
    """Return the cells with what follows from the others: marks of mids, interest before today."""
    for cell in (Cell.LTP, Cell.BID, Cell.ASK):  # 0: never traded, nobody there
        cells[cell][cells[cell] <= 0] = np.nan
    cells[Cell.OI_PREV] = cells[Cell.OI] - cells[Cell.OI_CHANGE_DAY]
    cells[Cell.OI_AGE_S] = np.where(np.isnan(cells[Cell.OI]), np.nan, 0.0)
    marks = mark_price(
        cells[Cell.BID],
        cells[Cell.ASK],
        cells[Cell.LTP],
        quote_age_s=np.zeros(cells[Cell.BID].shape),
        trade_age_s=np.full(cells[Cell.BID].shape, np.nan),
        tick=TICK,
    )
    cells[Cell.MARK], cells[Cell.IS_MID] = marks.price, marks.is_mid
    return cells


def _number(path: Path, place: str, holder: Mapping[str, Any], name: str) -> float:
    value = holder.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(path, f"{place}.{name}", f"must be a number, was {value!r}", REMEDY)
    if value < 0 and name not in {"change", "changeinOpenInterest"}:
        raise InputError(path, f"{place}.{name}", f"must not be negative, was {value}", REMEDY)
    return float(value)


def _spot(holder: Mapping[str, Any]) -> float | None:
    """Return the underlying's price; the page writes 0 where it has none."""
    value = holder.get("underlyingValue")
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _timestamp(path: Path, text: object) -> datetime:
    try:
        day, clock = str(text).split(" ")
        return datetime.combine(parsed_day(day), time.fromisoformat(clock), calendar.IST)
    except (ValueError, KeyError) as error:
        wanted = f"must read like 05-Aug-2025 13:59:23, was {text!r}"
        raise InputError(path, "records.timestamp", wanted, REMEDY) from error


def _day(path: Path, place: str, text: object) -> date:
    try:
        return parsed_day(str(text))
    except ValueError as error:
        wanted = f"must read like 07-Aug-2025, was {text!r}"
        raise InputError(path, f"{place}.expiryDate", wanted, REMEDY) from error


def parsed_day(text: str) -> date:
    """Return the day of "07-Aug-2025", whatever language this machine speaks."""
    day, month, year = text.split("-")
    return date(int(year), _MONTHS.index(month) + 1, int(day))
