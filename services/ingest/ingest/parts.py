"""The files of a recording, looked through: what each holds, how far it is whole, and which belong together."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from ingest import blocks
from ingest.header import Header, Last
from ingest.instruments import read_row, token_table
from ingest.oirec import FRAMES, HEAD, LAST, LIVE, START, SUFFIX, damaged, pieces
from oimon.errors import InputError
from oimon.messages import Beat

_PART = re.compile(rf"(.+)-(\d{{3}}){re.escape(SUFFIX)}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One file, looked through: every block of it is whole."""

    path: Path
    header: Header
    last: Last
    is_finished: bool
    """Whether its writer wrote the last block."""
    end: int
    """Where its last whole block ends; what comes after is of no use."""
    newest_header: Header
    """What explains the frames at its end."""
    beat_us: int
    """Time of its newest beat, 0 without any."""


def look_through(path: Path) -> Part:
    """Return what one file is.

    Raises:
        InputError: as ``open_recording``.
        OSError: it cannot be read.
    """
    header: Header | None = None
    last: Last | None = None
    summary, end = _Summary(), 0
    with path.open("rb") as file:
        for piece in pieces(path, file):
            try:
                if piece.kind == HEAD:
                    header = msgspec.json.decode(piece.data, type=Header)
                elif piece.kind == LAST:
                    last = msgspec.json.decode(piece.data, type=Last)
                elif piece.kind in (FRAMES, LIVE):
                    summary.add(piece.data)
            except (msgspec.MsgspecError, ValueError) as error:
                raise damaged(path, piece.number, str(error)) from error
            end = piece.end
        if header is None:
            raise damaged(path, 1, "there is no header")
        file.seek(0)
        found = last or summary.last(hashlib.sha256(file.read(end)).hexdigest())
    _check(path, header)
    if not found.last_us:
        raise InputError(
            path, "the last block", "the recording holds no frame", "Record or import it again"
        )
    return Part(
        path=path,
        header=header,
        last=found,
        is_finished=last is not None,
        end=end,
        newest_header=summary.header or header,
        beat_us=summary.beat_us,
    )


def parts_after(first: Path) -> Sequence[Path]:
    """Return the files that are numbered after this one, in order.

    Raises:
        InputError: one between them is missing.
    """
    named = _PART.fullmatch(first.name)
    if named is None:
        return []
    found = _numbered(first.parent, named[1])
    number, newest = int(named[2]), max(found)
    for each in range(number + 1, newest):
        if each not in found:
            raise InputError(
                part_path(first.parent, named[1], each),
                "the file",
                "is missing between others",
                "Put it back",
            )
    return [found[each] for each in range(number + 1, newest + 1)]


def newest_part(folder: Path, underlying: str) -> Path | None:
    """Return the last part of an underlying's recording in a folder, if there is one."""
    found = _numbered(folder, underlying) if folder.is_dir() else {}
    return found[max(found)] if found else None


def _numbered(folder: Path, name: str) -> Mapping[int, Path]:
    return {
        int(other[2]): path
        for path in folder.iterdir()
        if (other := _PART.fullmatch(path.name)) and other[1] == name
    }


def part_path(folder: Path, underlying: str, number: int) -> Path:
    """Return the file of one part, counted from 1 on."""
    return folder / f"{underlying}-{number:03}{SUFFIX}"


def is_empty(path: Path) -> bool:
    """Return whether a file was begun and holds nothing that could be played."""
    with path.open("rb") as file:
        try:
            return not any(piece.kind in (FRAMES, LIVE) for piece in pieces(path, file))
        except InputError:  # damage, or no recording: not for us to leave out
            return path.stat().st_size < len(START)


class _Summary:
    """What LAST would say, of blocks that came without it, and what was told last."""

    def __init__(self) -> None:
        self.header: Header | None = None
        self.beat_us = 0
        self._frames, self._first_us, self._last_us = 0, 0, 0
        self._with_frames: bytes | None = None

    def add(self, data: bytes) -> None:
        """Take in one block; raises ``ValueError`` when it is none."""
        inside = blocks.peek(data)
        self._frames += inside.frames
        times = []
        for _, what in inside.told:
            if isinstance(what, Header):
                self.header = what
            elif isinstance(what, Beat):
                self.beat_us = what.ts_us
                times.append(what.ts_us)
        if inside.frames:
            times.append(inside.first_us)
            self._with_frames = data
        if times:
            self._first_us = self._first_us or min(times)
            self._last_us = max(self._last_us, *times)

    def last(self, digest: str) -> Last:
        """Return it, with the time of the very last frame."""
        if self._with_frames is not None:
            newest_us = int(blocks.unpack(self._with_frames).received_us[-1])
            self._last_us = max(self._last_us, newest_us)
        return Last(
            frames=self._frames, first_us=self._first_us, last_us=self._last_us, digest=digest
        )


def _check(path: Path, header: Header) -> None:
    columns = (header.master, header.prev_close, header.oi_prev, header.oi_open)
    if len({len(column) for column in columns}) != 1:
        raise damaged(path, 1, "the header's columns differ in length")
    try:
        token_table([read_row(row) for row in header.master])
    except ValueError as error:
        raise damaged(path, 1, str(error)) from error
