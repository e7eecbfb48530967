"""The day's copy of the master on disk: its columns, with a checksum, read back without parsing a row.

A file is a magic number, the crc32 of the rest, and msgpack: the names, what was counted, and each column's bytes. It is replaced
as a whole or not at all.
"""

import os
import struct
import zlib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.master.columns import DTYPES, KINDS, Master, Tally
from oimon.calendar import day_of
from oimon.errors import InputError

SUFFIX = ".master"
KEPT_DAYS = 3
"""So many of the newest copies stay."""
_MAGIC = b"OIMAST\r\n\x1a\x01"  # the last byte is the version
_CRC = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A master and when it was fetched."""

    master: Master
    fetched_us: int

    @property
    def day(self) -> date:
        """The day in India on which it was fetched."""
        return day_of(self.fetched_us)


class _Column(msgspec.Struct):
    dtype: str
    data: memoryview


class _File(msgspec.Struct):
    fetched_us: int
    names: list[str]
    tally: Tally
    columns: dict[str, _Column]


def keep(folder: Path, kept: Kept) -> Path:
    """Write a day's copy in place of an older one of that day; return its path.

    Raises:
        OSError: the folder cannot be written.
    """
    columns = {
        name: _Column(dtype=column.dtype.str, data=memoryview(column.tobytes()))
        for name, column in kept.master.columns.items()
    }  # fmt: skip
    file = _File(
        fetched_us=kept.fetched_us,
        names=list(kept.master.names),
        tally=kept.master.tally,
        columns=columns,
    )
    body = msgspec.msgpack.encode(file)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kept.day.isoformat()}{SUFFIX}"
    part = path.with_suffix(f".{os.getpid()}.part")
    try:
        with part.open("wb") as out:
            out.write(_MAGIC + _CRC.pack(zlib.crc32(body)))
            out.write(body)
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    for old in copies(folder)[KEPT_DAYS:]:
        old.unlink(missing_ok=True)
    return path


def copies(folder: Path) -> list[Path]:
    """Return the copies in a folder, newest day first."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.name, reverse=True)


def read(path: Path) -> Kept:
    """Return a day's copy.

    Raises:
        InputError: it is damaged, or of another version.
        OSError: it cannot be read.
    """
    data = memoryview(path.read_bytes())
    start = len(_MAGIC) + _CRC.size
    if bytes(data[: len(_MAGIC)]) != _MAGIC:
        raise _damaged(path, "it is no copy of an instrument master, or of another version")
    body = data[start:]
    if len(data) < start or zlib.crc32(body) != _CRC.unpack(data[len(_MAGIC) : start])[0]:
        raise _damaged(path, "its checksum is wrong")
    try:
        file = msgspec.msgpack.decode(body, type=_File)
        columns = {name: _column(name, file.columns[name]) for name in DTYPES}
    except (msgspec.DecodeError, KeyError, ValueError, TypeError) as error:
        raise _damaged(path, f"it does not hold what it should: {error}") from None
    if not _is_whole(columns, len(file.names)):
        raise _damaged(path, "its columns do not fit together")
    master = Master(names=file.names, columns=columns, tally=file.tally)
    return Kept(master=master, fetched_us=file.fetched_us)


def _column(name: str, kept: _Column) -> npt.NDArray[Any]:
    dtype = np.dtype(kept.dtype)
    expected = np.dtype(DTYPES[name])
    if dtype.kind != expected.kind or (expected.itemsize and dtype != expected):
        raise ValueError(f"column {name} is of type {dtype}")
    return np.frombuffer(kept.data, dtype)


def _is_whole(columns: dict[str, npt.NDArray[Any]], names: int) -> bool:
    size = {len(column) for column in columns.values()}
    if len(size) != 1:
        return False
    top = {name: int(columns[name].max(initial=0)) for name in ("name", "kind")}
    return size == {0} or (top["name"] < names and top["kind"] < len(KINDS))


def _damaged(path: Path, what: str) -> InputError:
    return InputError(path, "copy of the instrument master", what, "Delete it; it is fetched again")
