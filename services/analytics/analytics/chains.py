"""One chain of each underlying of a CSV of chains: the last snapshot of each, which may be all that the file has.

Prices are the last ones of trades at unknown times, so they make no marks; changes over time are the work of `oi import`, which
plays the whole day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path

import numpy as np

from analytics.cells import COUNT, Cell
from analytics.page import Page
from oimon import calendar
from oimon.chain_csv import ChainRow, opened, read_chain, read_chains, unit_warning
from oimon.core.chain import FloatArray
from oimon.errors import InputError
from oimon.terms import OiUnit

_SIDES = ("CE", "PE")


def is_chain_csv(path: Path) -> bool:
    """Say whether a file begins like a CSV of chains; a file that cannot be read does not."""
    try:
        with opened(path) as file:
            names = file.readline().strip().split(",")
    except (OSError, EOFError, ValueError):
        return False
    return {"underlying", "strike", "right"} <= set(names)


def is_table(path: Path) -> bool:
    """Say whether a file begins like a CSV of anything, with names in its first line; one that cannot be read does not."""
    try:
        with opened(path) as file:
            first = file.readline().strip()
    except (OSError, EOFError, ValueError):
        return False
    return not first.startswith(("{", "[", "<")) and any(mark in first for mark in ",;\t")


def read_last_chains(
    path: Path, underlying: str | None, expiry: date | None, unit: OiUnit
) -> dict[str, Page | InputError]:
    """Return the last snapshot of each underlying, or why it cannot be used.

    Args:
        path: the CSV, plain or gzip.
        underlying: only this one.
        expiry: which one; else the nearest that has not passed.
        unit: what the file counts open interest and volume in.

    Raises:
        InputError: the file cannot be used; names the line, what was found and what to do.
    """
    chains = read_chains(path) if underlying is None else dict([read_chain(path, underlying)])
    return {
        name: chain if isinstance(chain, InputError) else _page(path, name, chain, expiry, unit)
        for name, chain in chains.items()
    }


def _page(
    path: Path, name: str, chain: Sequence[ChainRow], expiry: date | None, unit: OiUnit
) -> Page | InputError:
    rows = [row for row in chain if row.ts_us == chain[-1].ts_us]
    segment, at_us = calendar.segment_of(name), chain[-1].ts_us
    days = sorted({date.fromisoformat(row.expiry) for row in rows})
    alive = (day for day in days if calendar.close_us(segment, day) > at_us)
    wanted = expiry or next(alive, days[-1])
    legs = [row for row in rows if row.expiry == wanted.isoformat()]
    if not legs:
        some = ", ".join(map(str, days))
        return InputError(
            path, f"line {rows[-1].line}", f"nothing of {name} expires on {wanted}, found {some}", "Choose one with --expiry"
        )  # fmt: skip
    twice = _twice(legs)
    if twice is not None:
        return InputError(
            path, f"line {twice.line}", f"{name} {twice.strike:g} {twice.right} stands there a second time", "Give each contract once a snapshot"
        )  # fmt: skip
    strike, cells = _cells(legs)
    lot = calendar.lot_size(name, wanted, calendar.day_of(at_us))
    return Page(
        path=path,
        underlying=name,
        segment=segment,
        at=datetime.fromtimestamp(at_us / 1e6, calendar.IST),
        expiry=wanted,
        spot=legs[-1].spot,
        strike=strike,
        cells=cells,
        oi_unit=unit,
        volume_unit=unit,
        warning=None if lot is None else unit_warning(legs, {wanted.isoformat(): lot}, unit),
    )


def _twice(legs: Sequence[ChainRow]) -> ChainRow | None:
    """Return the first row of a contract that an earlier row has told."""
    seen: set[tuple[float, str]] = set()
    for row in legs:
        if (row.strike, row.right) in seen:
            return row
        seen.add((row.strike, row.right))
    return None


def _cells(legs: Sequence[ChainRow]) -> tuple[FloatArray, FloatArray]:
    """Return strikes, shape (n,), and cells, shape (COUNT, 2, n), in the units of the file."""
    strikes = sorted({row.strike for row in legs})
    places = {strike: i for i, strike in enumerate(strikes)}
    cells = np.full((COUNT, 2, len(strikes)), np.nan)
    for row in legs:
        place = _SIDES.index(row.right), places[row.strike]
        cells[Cell.LTP][place] = row.ltp or np.nan  # 0: never traded
        cells[Cell.VOLUME][place] = row.volume
        cells[Cell.OI][place] = row.oi
        if row.oi_change_day is not None:
            cells[Cell.OI_CHANGE_DAY][place] = row.oi_change_day
    cells[Cell.OI_PREV] = cells[Cell.OI] - cells[Cell.OI_CHANGE_DAY]
    cells[Cell.OI_AGE_S] = np.where(np.isnan(cells[Cell.OI]), np.nan, 0.0)
    cells[Cell.IS_MID] = 0.0
    return np.array(strikes), cells
