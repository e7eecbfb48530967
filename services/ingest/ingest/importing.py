"""A day of option chains from CSV to a recording: the frames that the broker's socket would have delivered.

Every row becomes one SNAP_QUOTE packet, also when nothing in it changed: that the source gave the price again is an observation
of its own, and ages are counted from it (the recording's ``cadence_s`` says how far apart they are). Each snapshot begins with an
LTP packet of the underlying. Volume that falls, as late answers of a source make it do, stays as the source gave it. What a CSV
does not have is 0 in the packet, as in the broker's own: the day's open, totals, order counts, a trade's time before one was seen.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby, pairwise
from pathlib import Path
from statistics import median

from ingest.contracts import Key, choose, master_rows
from ingest.header import Header
from ingest.recorder import RecordingWriter
from ingest.recording import Recording, open_recording
from ingest.snapshots import Snapshots
from oimon.bus import PARTITION
from oimon.calendar import day_of, lot_size, segment_of
from oimon.chain_csv import Chain, ChainRow, lot_warning, read_chain, unit_warning
from oimon.errors import InputError
from oimon.terms import OiUnit

Progress = Callable[[int, int], None]
"""Told how many snapshots are done, and of how many."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What to take from a CSV, and what it leaves open."""

    underlying: str | None = None
    """May be left out when the file holds one only."""
    expiries: Sequence[date] | int | None = None
    """These, or so many of the nearest, or all."""
    strikes_each_side: int | None = None
    """Of the strike at the money, at any of the day's spots; ``None``: all."""
    oi_unit: OiUnit = OiUnit.QTY
    """What the source counts open interest and volume in."""
    lot: int | None = None
    """Units of a contract; ``None``: the dated table knows."""
    spread: float | None = None
    """Put around each price as best bid and ask, as a share of it: 0.003 is 0.3 %."""
    origin: str | None = None
    """Where the data is from, for people."""
    command: str | None = None
    """That asked for this; kept in the header."""
    replace: bool = False
    """Another file that has the recording's name already."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported:
    """What an import made."""

    recording: Recording
    warnings: list[str]
    """What a person should look at again."""


def import_csv(source: Path, target: Path, plan: Plan, progress: Progress) -> Imported:
    """Write a recording of a CSV and return it.

    Raises:
        InputError: the CSV cannot be used so, or the recording not written; names file, place and remedy. Nothing is left behind.
    """
    _check(source, target)
    underlying, rows = _chain(source, plan.underlying)
    day = _only_day(source, rows)
    expiries = _expiries(source, rows, plan.expiries)
    lots = {expiry: _lot(source, underlying, expiry, day, plan.lot) for expiry in expiries}
    factors = lots if plan.oi_unit is OiUnit.LOTS else dict.fromkeys(lots, 1)
    keys = choose(rows, expiries, plan.strikes_each_side)
    wanted = set(keys)
    rows = [row for row in rows if (row.expiry, row.strike, row.right) in wanted]
    master = master_rows(underlying, keys, lots)
    header = Header(
        segment=segment_of(underlying),
        underlying=underlying,
        date=day.isoformat(),
        source=target.name,
        origin=plan.origin or source.name,
        command=plan.command,
        oi_unit=OiUnit.QTY,  # of the frames: the broker's stream has quantities
        cadence_s=_cadence_s(rows),
        quotes_assumed=plan.spread,
        expiries=expiries,
        has_beats=False,
        master=master,
        prev_close=[None] * len(master),
        oi_prev=[None, *_oi_prev(source, rows, keys, factors)],
        oi_open=[None] * len(master),
    )
    writer = RecordingWriter(target, header, replace=plan.replace)
    _write(target, writer, rows, Snapshots(source, master, keys, factors, plan.spread), progress)
    found = (lot_warning(lots, plan.lot), unit_warning(rows, lots, plan.oi_unit))
    return Imported(recording=open_recording(target), warnings=[*filter(None, found)])


def _check(source: Path, target: Path) -> None:
    """Refuse a target that could only be told after all has been read, or that would take the source's place."""
    if target.is_dir():
        raise InputError(target, "the recording", "is a folder", "Name a file in it, as DAY.oirec")
    if target.exists() and source.exists() and target.samefile(source):
        raise InputError(
            target, "the recording", "is the CSV itself, which it would replace", "Choose another name"
        )  # fmt: skip


def _chain(source: Path, wanted: str | None) -> tuple[str, Chain]:
    underlying, rows = read_chain(source, wanted)
    if not PARTITION.fullmatch(underlying):
        raise InputError(
            source, "the file", f"{underlying!r} can't name an underlying", "Use capitals, digits, &, _ and -"
        )  # fmt: skip
    return underlying, rows


def _write(
    target: Path,
    writer: RecordingWriter,
    rows: Sequence[ChainRow],
    snapshots: Snapshots,
    progress: Progress,
) -> None:
    by_time = [list(group) for _, group in groupby(rows, lambda row: row.ts_us)]
    try:
        with writer:
            for done, snapshot in enumerate(by_time, 1):
                writer.put(*snapshots.frames(snapshot))
                progress(done, len(by_time))
    except FileExistsError as error:
        raise InputError(
            target, "the recording", "would replace a file that is there already and holds something else",
            "Choose another name, or replace it with --force",
        ) from error  # fmt: skip
    except OSError as error:
        raise InputError(
            target, "the recording", f"cannot be written ({error.strerror})", "Choose another place"
        ) from error


def _only_day(source: Path, rows: Sequence[ChainRow]) -> date:
    day = day_of(rows[0].ts_us)
    for row in rows:
        if day_of(row.ts_us) != day:
            raise InputError(
                source, f"line {row.line}", f"a second day begins, after {day}", "Give one day a file"
            )  # fmt: skip
    return day


def _expiries(
    source: Path, rows: Sequence[ChainRow], wanted: Sequence[date] | int | None
) -> list[str]:
    found = sorted({row.expiry for row in rows})
    if wanted is None:
        return found
    if isinstance(wanted, int):
        return found[:wanted]
    missing = [day.isoformat() for day in wanted if day.isoformat() not in found]
    if missing:
        raise InputError(
            source, "the file", f"no row expires on {', '.join(missing)}, it holds {', '.join(found)}",
            "Choose among those with --expiry",
        )  # fmt: skip
    return sorted(day.isoformat() for day in wanted)


def _lot(source: Path, underlying: str, expiry: str, day: date, given: int | None) -> int:
    """Return the lot: the dated table's, else the one given, as `oi analyse` does. Source: rulings, 12."""
    lot = lot_size(underlying, date.fromisoformat(expiry), day) or given
    if lot is None:
        raise InputError(
            source, "the file", f"the lot of {underlying} expiring on {expiry} is not known", "Give it with --lot"
        )  # fmt: skip
    return lot


def _cadence_s(rows: Sequence[ChainRow]) -> float:
    """Return the usual time between two snapshots; 0 when there is only one."""
    times = sorted({row.ts_us for row in rows})
    return median(after - before for before, after in pairwise(times)) / 1e6 if times[1:] else 0.0


def _oi_prev(
    source: Path, rows: Sequence[ChainRow], keys: Sequence[Key], factors: Mapping[str, int]
) -> list[int | None]:
    """Return each contract's open interest at the previous close, from the source's own change of the day."""
    known: dict[tuple[str, float, str], int] = {}
    for row in rows:
        key = (row.expiry, row.strike, row.right)
        if row.oi_change_day is not None and key not in known:
            before = round((row.oi - row.oi_change_day) * factors[row.expiry])
            if before < 0:
                raise InputError(
                    source, f"line {row.line}", f"oi {row.oi:g} can't have grown by {row.oi_change_day:g}", "Correct one"
                )  # fmt: skip
            known[key] = before
    return [known.get(key) for key in keys]
