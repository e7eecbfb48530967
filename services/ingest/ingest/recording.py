"""A recording of a feed: one day of one underlying, frame by frame, with what explains it.

A file is the magic number, a version, and blocks, each with its kind, length and checksum::

    OIREC ␍ ␊ ␚ │ version u2 │ HEAD: JSON │ FRAM: packed frames, times, beats │ FRAM … │ LAST: JSON

A reader goes block by block; a file that was cut is whole up to its last whole block, and lacks LAST. Source: rulings, 5 and 24.
"""

import struct
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

import msgspec
from typing_extensions import override

from ingest import blocks
from ingest.blocks import Block
from ingest.instruments import Instrument, MasterRow, instruments, read_row, table_hash
from ingest.tokens import TokenTable
from oimon.errors import InputError
from oimon.messages import Session
from oimon.terms import FeedState, Mode, OiUnit, Segment

SUFFIX = ".oirec"
MAGIC = b"OIREC\r\n\x1a"  # the line end and the end-of-file sign betray a copy made as text
VERSION = 1
HEAD, FRAMES, LAST = b"HEAD", b"FRAM", b"LAST"
"""Kinds of block."""
VERSION_FIELD = struct.Struct("<H")
BLOCK_START = struct.Struct("<4sII")
"""Kind, length and crc32 (of the kind and the data) of a block."""
_AGAIN = "Copy the recording again, or make it again"


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """What explains the frames; columns have one entry a row of ``master``."""

    segment: Segment
    underlying: str
    date: str  # ISO day in India
    source: str  # what the session calls it
    origin: str  # where the data is from, for people
    command: str | None  # that made the recording
    oi_unit: OiUnit  # of the frames
    cadence_s: float  # usual time between two prices of one instrument
    quotes_assumed: float | None  # 0.003: a spread of 0.3 % was put around prices
    expiries: list[str]  # ISO days
    has_beats: bool  # live: a replay uses the beats where they fell
    master: list[MasterRow]
    prev_close: list[float | None]  # rupees
    oi_prev: list[int | None]  # quantity
    oi_open: list[int | None]  # quantity
    mcx_oi: bool = False  # a commodity's open interest is analysed


@dataclass(frozen=True, kw_only=True, slots=True)
class Last:
    """What the last block says of all before it."""

    frames: int
    first_us: int
    last_us: int
    digest: str  # sha256 of the file up to here


class Day(ABC):
    """One day of one underlying that can be played: what explains it, its summary, its blocks on demand."""

    mode = Mode.REPLAY

    def __init__(self, header: Header, last: Last) -> None:
        self.header, self.last = header, last

    @cached_property
    def instruments(self) -> list[Instrument]:
        """What each row is."""
        return [read_row(row) for row in self.header.master]

    @cached_property
    def tokens(self) -> TokenTable:
        """The look-up from packet to row."""
        found = self.instruments
        return TokenTable.of(
            [i.exchange for i in found], [i.token for i in found], [i.kind for i in found]
        )

    def session(self, run: str) -> Session:
        """Return what the day's ticks mean."""
        header = self.header
        columns = instruments(
            self.instruments,
            prev_close=header.prev_close,
            oi_prev=header.oi_prev,
            oi_open=header.oi_open,
        )
        return Session(
            run=run,
            mode=self.mode,
            segment=header.segment,
            underlying=header.underlying,
            date=header.date,
            source=header.source,
            oi_unit=header.oi_unit,
            cadence_s=header.cadence_s,
            quotes_assumed=header.quotes_assumed,
            instruments=columns,
            table=table_hash(columns),
            mcx_oi=header.mcx_oi,
        )

    def state(self, ts_us: int) -> FeedState:  # noqa: ARG002 - of a recorded feed nothing else is known
        """Return what the feed is to say of itself at a beat."""
        return FeedState.OK

    @abstractmethod
    def blocks(self) -> Iterator[Block]:
        """Give the blocks of frames one after the other.

        Raises:
            InputError: a block is damaged; names it.
        """


class Recording(Day):
    """A recording that was found whole."""

    def __init__(self, path: Path, header: Header, last: Last) -> None:
        super().__init__(header, last)
        self.path = path

    @override
    def blocks(self) -> Iterator[Block]:
        with self.path.open("rb") as file:
            for number, kind, data in _read(self.path, file):
                if kind == FRAMES:
                    try:
                        yield blocks.unpack(data)
                    except ValueError as error:
                        raise _damaged(self.path, number, str(error)) from error


def open_recording(path: Path) -> Recording:
    """Return a recording of which every block is whole; frames are unpacked as they are read.

    All checksums are compared at once: damage at the end of a day must not be told after the day was played.

    Raises:
        InputError: no recording, of a newer version, damaged, cut short or empty; names the file, the block and the remedy.
    """
    try:
        with path.open("rb") as file:
            header, last = _ends(path, file)
    except OSError as error:
        raise InputError(
            path, "the file", f"cannot be read ({error.strerror})", "Name a recording"
        ) from error
    found = Recording(path, header, last)
    columns = (header.master, header.prev_close, header.oi_prev, header.oi_open)
    if len({len(column) for column in columns}) != 1:
        raise _damaged(path, 1, "the header's columns differ in length")
    try:
        found.tokens  # noqa: B018 - reads every row of the master
    except ValueError as error:
        raise _damaged(path, 1, str(error)) from error
    return found


# --- reading -------------------------------------------------------------------------------------------------------


def _ends(path: Path, file: BinaryIO) -> tuple[Header, Last]:
    """Return header and last block, having checked all between them."""
    header: Header | None = None
    for number, kind, data in _read(path, file):
        try:
            if kind == HEAD:
                header = msgspec.json.decode(data, type=Header)
            elif kind == LAST:
                last = msgspec.json.decode(data, type=Last)
        except msgspec.MsgspecError as error:
            raise _damaged(path, number, str(error)) from error
    if header is None:
        raise _damaged(path, 1, "there is no header")
    if not last.frames:
        raise InputError(path, "the last block", "the recording holds no frame", _AGAIN)
    return header, last


def _read(path: Path, file: BinaryIO) -> Iterator[tuple[int, bytes, bytes]]:
    """Give number, kind and checked data of each block up to the last."""
    _read_version(path, file)
    size = path.stat().st_size
    number, kind = 0, b""
    while kind != LAST:
        number += 1
        start = file.read(BLOCK_START.size)
        if len(start) < BLOCK_START.size:
            raise _cut(path, number)
        kind, length, checksum = BLOCK_START.unpack(start)
        if kind not in (HEAD, FRAMES, LAST):
            raise _damaged(path, number, f"there is no kind of block called {kind!r}")
        if file.tell() + length > size:
            raise _cut(path, number)
        data = file.read(length)
        if zlib.crc32(data, zlib.crc32(kind)) != checksum:
            raise _damaged(path, number, "its checksum is wrong")
        yield number, kind, data


def _read_version(path: Path, file: BinaryIO) -> None:
    start = file.read(len(MAGIC) + VERSION_FIELD.size)
    if not start.startswith(MAGIC) or len(start) < len(MAGIC) + VERSION_FIELD.size:
        raise InputError(
            path,
            "the first bytes",
            f"not a recording, it begins with {start[:8]!r}",
            f"Name a {SUFFIX} file; `oi import` makes one of a CSV",
        )
    (version,) = VERSION_FIELD.unpack_from(start, len(MAGIC))
    if version != VERSION:
        raise InputError(
            path,
            "the first bytes",
            f"written in version {version} of the format, this program reads version {VERSION}",
            "Update OI Monitor",
        )


def _cut(path: Path, number: int) -> InputError:
    return InputError(path, f"block {number}", "the file ends in it, so it was cut short", _AGAIN)


def _damaged(path: Path, number: int, what: str) -> InputError:
    return InputError(path, f"block {number}", what, _AGAIN)
