"""The neutral CSV of option chains through a day: one row a contract and snapshot, checked field by field.

Columns ``ts, underlying, expiry, strike, right, ltp, volume, oi, spot`` and, where the source has it, ``oi_chg_day``; others are
passed over. A row reads ``2026-08-18T10:43:00+05:30,NIFTY,2026-08-18,22000,CE,2235.0,18,52,-8,75.38,24212.8``.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from oimon.core.oi import UnitStatus, detect_oi_unit
from oimon.errors import InputError
from oimon.terms import OiUnit

NEEDED = ("ts", "underlying", "expiry", "strike", "right", "ltp", "volume", "oi", "spot")
OI_CHANGE = "oi_chg_day"
MAX_PRICE = 20_000_000.0
"""Rupees; a tick holds prices in 31 bits of paise."""
MAX_COUNT = 1e12
"""Contracts or units: more than any instrument has seen, and exact when multiplied by a lot."""
_GZIP = b"\x1f\x8b"


class ChainRow(NamedTuple):
    """One contract at one snapshot, in the source's own units."""

    ts_us: int
    expiry: str  # ISO day
    strike: float
    right: str  # CE, PE
    ltp: float  # rupees; 0: never traded
    volume: float  # of the day
    oi: float
    spot: float
    oi_change_day: float | None
    line: int


Chain = list[ChainRow]
"""One underlying's rows, in order of time."""


def read_chain(path: Path, underlying: str | None) -> tuple[str, Chain]:
    """Return one underlying's rows.

    Args:
        path: the CSV, plain or gzip.
        underlying: which one; may be left out when the file holds one only.

    Raises:
        InputError: the file cannot be used; names the line, what was found and what to do.
    """
    chains = _chains(path, underlying)
    name = _chosen(path, underlying, list(chains))
    chain = chains[name]
    if isinstance(chain, InputError):
        raise chain
    return name, chain


def read_chains(path: Path) -> dict[str, Chain | InputError]:
    """Return the rows of each underlying, or what was wrong with the first of them that cannot be used.

    Raises:
        InputError: nothing of the file can be used.
    """
    chains = _chains(path, None)
    if not chains:
        _chosen(path, None, [])
    return chains


def _chains(path: Path, only: str | None) -> dict[str, Chain | InputError]:
    """Return what each underlying has; of those that are not asked for, nothing but their names."""
    chains: dict[str, Chain | InputError] = {}
    try:
        with opened(path) as file:
            for line, name, fields in _lines(path, file):
                chain = chains.setdefault(name, [])
                if only not in (None, name) or isinstance(chain, InputError):
                    continue
                try:
                    chain.append(_in_order(path, fields, chain, _row(path, line, fields)))
                except InputError as error:
                    chains[name] = error
    except (OSError, EOFError, UnicodeDecodeError, csv.Error, zlib.error) as error:
        raise InputError(
            path, "the file", f"cannot be read as CSV ({error})", "Give a CSV, plain or gzip"
        ) from error
    return chains


def _in_order(path: Path, fields: Mapping[str, str], before: Chain, row: ChainRow) -> ChainRow:
    if before and row.ts_us < before[-1].ts_us:
        raise InputError(
            path, f"line {row.line}", f"{fields['ts']} comes after a later time", "Sort the rows by ts"
        )  # fmt: skip
    return row


def _chosen(path: Path, underlying: str | None, found: list[str]) -> str:
    some = ", ".join(found[:12]) + (f" and {len(found) - 12} more" if len(found) > 12 else "")
    if not found:
        raise InputError(path, "the file", "it holds no rows", "Give a CSV with at least one")
    if underlying is None and len(found) > 1:
        raise InputError(path, "the file", f"it holds {some}", "Choose one with --underlying")
    name = found[0] if underlying is None else underlying
    if name not in found:
        raise InputError(
            path, "the file", f"no row is of {name or 'an underlying without a name'}, it holds {some}", "Choose one of those with --underlying"
        )  # fmt: skip
    return name


def opened(path: Path) -> TextIO:
    """Return a text file, plain or gzip, to be read."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == _GZIP
    if is_gzip:
        return gzip.open(path, "rt", encoding="utf-8", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _lines(path: Path, file: TextIO) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Give number, underlying in capitals, and named fields of each row."""
    reader = csv.reader(file)
    header = next(reader, [])
    missing = [name for name in NEEDED if name not in header]
    if missing:
        raise InputError(
            path, "line 1", f"no column is called {', '.join(missing)}; found {', '.join(header)[:200] or 'nothing'}",
            f"The columns are {', '.join(NEEDED)} and, if known, {OI_CHANGE}",
        )  # fmt: skip
    for values in reader:
        if not values:
            continue
        if len(values) != len(header):
            raise InputError(
                path, f"line {reader.line_num}", f"it has {len(values)} fields, the first line has {len(header)}",
                "Give each row as many fields",
            )  # fmt: skip
        fields = dict(zip(header, values, strict=True))
        yield reader.line_num, fields["underlying"].upper(), fields


def _row(path: Path, line: int, fields: dict[str, str]) -> ChainRow:
    values: dict[str, Any] = {}
    for column, (name, read) in _READERS.items():
        try:
            values[name] = read(fields.get(column, ""))
        except ValueError as error:
            raise InputError(
                path, f"line {line}", f"{column} must be {error}, was {fields[column]!r}", "Correct the value"
            ) from None  # fmt: skip
    return ChainRow(**values, line=line)


def unit_warning(rows: Chain, lots: Mapping[str, int], unit: OiUnit) -> str | None:
    """Return a sentence when open interest does not look like being in its unit; it is kept as told all the same.

    Args:
        rows: of one underlying.
        lots: units of a contract, by expiry; rows of others are not looked at.
        unit: what the rows are said to count in.

    Source: analytics specification, 1.2.
    """
    seen = [(row.oi, lots[row.expiry]) for row in rows if row.expiry in lots]
    check = detect_oi_unit(seen, unit)
    if check.status is not UnitStatus.MISMATCH or check.share is None:
        return None
    other = OiUnit.QTY if unit is OiUnit.LOTS else OiUnit.LOTS
    return (
        f"{check.share:.0%} of the rows have open interest in multiples of the lot, which looks like {other} "
        f"and not {unit}; if so, do it again with --oi-unit {other}"
    )


def lot_warning(lots: Mapping[str, int], given: int | None) -> str | None:
    """Return a sentence when a lot was given that contracts do not have: what is known of them wins. Source: rulings, 12.

    Args:
        lots: units of a contract, by expiry.
        given: by the user.
    """
    others = {expiry: lot for expiry, lot in lots.items() if given is not None and lot != given}
    if not others:
        return None
    known = ", ".join(f"{expiry}: {lot}" for expiry, lot in others.items())
    return f"--lot {given} is not used where the lot is known ({known})"


# --- fields: each reader returns the value or raises ValueError with what it must be -------------------------------


@lru_cache(maxsize=4)
def _instant_us(text: str) -> int:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = datetime.min  # noqa: DTZ901 - has no offset, as what cannot be read has none
    if instant.tzinfo is None:
        raise ValueError("a time with its offset, like 2026-08-18T10:43:00+05:30")
    return round(instant.timestamp() * 1_000_000)


@lru_cache(maxsize=64)
def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise ValueError("a day like 2026-08-18") from None


def _right(text: str) -> str:
    if text not in ("CE", "PE"):
        raise ValueError("CE or PE")
    return text


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError("a number")
    return number


def _optional(text: str) -> float | None:
    return _number(text) if text else None


def _count(text: str) -> float:
    number = _number(text)
    if not 0 <= number <= MAX_COUNT:
        raise ValueError(f"0 to {MAX_COUNT:.0f}")
    return number


def _price(text: str) -> float:
    number = _number(text)
    if not 0 <= number <= MAX_PRICE:
        raise ValueError(f"0 to {MAX_PRICE:.0f}")
    return number


def _positive_price(text: str) -> float:
    number = _price(text)
    if number == 0:
        raise ValueError("above 0")
    return number


_READERS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "ts": ("ts_us", _instant_us),
    "expiry": ("expiry", _day),
    "strike": ("strike", _positive_price),
    "right": ("right", _right),
    "ltp": ("ltp", _price),
    "volume": ("volume", _count),
    "oi": ("oi", _count),
    "spot": ("spot", _positive_price),
    OI_CHANGE: ("oi_change_day", _optional),
}
