"""Which reader a file of market data needs."""

from datetime import date
from pathlib import Path

from analytics.bhavcopy import is_bhavcopy, read_bhavcopies, read_bhavcopy
from analytics.chains import is_chain_csv, is_table, read_last_chains
from analytics.nse import read_page
from analytics.page import Page
from oimon.errors import ConfigError, InputError
from oimon.terms import OiUnit


def is_recording(path: Path) -> bool:
    """Say whether a path names a recording: a file of one, or the folder of a live one's parts."""
    return path.suffix == ".oirec" or any(path.glob("*.oirec"))


def read_pages(
    path: Path,
    underlying: str | None = None,
    expiry: date | None = None,
    unit: OiUnit | None = None,
) -> dict[str, Page | InputError]:
    """Return one chain of each underlying of a file, or why it cannot be used.

    Args:
        path: NSE's option-chain page, its bhavcopy or a CSV of chains, plain or gzip.
        underlying: only this one.
        expiry: which one; else the nearest that lives.
        unit: what a CSV of chains counts in, units where not said; the others know themselves.

    Raises:
        InputError: the file, or the one underlying that was asked for, cannot be used.
        ConfigError: what was asked for does not go with the file.
    """
    if is_recording(path):
        raise InputError(
            path, "the file", "is a recording, a day to be played", "Play it with oi replay, or ask of it with oi why"
        )  # fmt: skip
    if is_chain_csv(path) or (is_table(path) and not is_bhavcopy(path)):
        return read_last_chains(path, underlying, expiry, unit or OiUnit.QTY)
    if unit is not None:
        raise ConfigError(
            f"--oi-unit goes with a CSV of chains; {path} says itself what it counts in"
        )
    if not is_bhavcopy(path):
        page = read_page(path, expiry)
        if underlying not in (None, page.underlying):
            raise ConfigError(f"--underlying is {underlying}, but the page is of {page.underlying}")
        return {page.underlying: page}
    if underlying is None:
        return read_bhavcopies(path, expiry)
    return {underlying: read_bhavcopy(path, underlying, expiry)}
