"""A recording's file: a magic number, a version, and blocks, each with its kind, length and checksum.

::

    OIREC ␍ ␊ ␚ │ version u2 │ HEAD: JSON │ FRAM or LIVE: packed frames, times, what was told │ … │ LAST: JSON

HEAD is the ``Header``, LAST the summary of all before it. FRAM and LIVE are alike; only LIVE tells something beside its frames.
Kinds that are not known are passed over. A file that lacks its LAST is whole up to its last whole block: its writer was ended, or
it was copied in part. A block that is not whole with a whole one behind it is damage. Source: rulings, 5 and 24.
"""

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from oimon.errors import InputError

SUFFIX = ".oirec"
MAGIC = b"OIREC\r\n\x1a"  # the line end and the end-of-file sign betray a copy made as text
VERSION = 1
HEAD, FRAMES, LIVE, LAST = b"HEAD", b"FRAM", b"LIVE", b"LAST"
"""Kinds of block."""
VERSION_FIELD = struct.Struct("<H")
START = MAGIC + VERSION_FIELD.pack(VERSION)
"""A file's first bytes."""
BLOCK_START = struct.Struct("<4sII")
"""Kind, length and crc32 (of the kind and the data) of a block."""
_AGAIN = "Copy the recording again, or make it again"


class Piece(NamedTuple):
    """One block as it stands in the file."""

    number: int  # from 1 on
    kind: bytes
    data: bytes
    end: int  # where it ends in the file


def block_bytes(kind: bytes, data: bytes) -> bytes:
    """Return a block as it stands in the file."""
    return BLOCK_START.pack(kind, len(data), zlib.crc32(data, zlib.crc32(kind))) + data


def pieces(path: Path, file: BinaryIO) -> Iterator[Piece]:
    """Give the blocks up to LAST, or up to the last whole one, each checked.

    Raises:
        InputError: no recording, of a newer version, or damaged; names the file, the block and the remedy.
    """
    _read_version(path, file)
    kind, number = b"", 0
    while kind != LAST:
        number += 1
        start = file.read(BLOCK_START.size)
        if len(start) < BLOCK_START.size:
            return
        kind, length, checksum = BLOCK_START.unpack(start)
        data = file.read(length)
        if len(data) < length or zlib.crc32(data, zlib.crc32(kind)) != checksum:
            if _has_whole_block(data + file.read()):
                raise damaged(path, number, "it is not what was written")
            return
        yield Piece(number, kind, data, file.tell())


def damaged(path: Path, number: int, what: str) -> InputError:
    """Return the error that names a block."""
    return InputError(path, f"block {number}", what, _AGAIN)


def _has_whole_block(data: bytes) -> bool:
    for kind in (FRAMES, LIVE, LAST):
        place = data.find(kind)
        while place >= 0:
            _, length, checksum = BLOCK_START.unpack_from(
                data.ljust(place + BLOCK_START.size, b"\0"), place
            )
            start = place + BLOCK_START.size
            found = data[start : start + length]
            if len(found) == length and zlib.crc32(found, zlib.crc32(kind)) == checksum:
                return True
            place = data.find(kind, place + 1)
    return False


def _read_version(path: Path, file: BinaryIO) -> None:
    start = file.read(len(START))
    if not start.startswith(MAGIC) or len(start) < len(START):
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
