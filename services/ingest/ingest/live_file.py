"""One underlying's live recording on the disk, part after part. Blocking: for a thread that may wait for a disk.

Who comes back after a crash goes on in the same part, behind its last whole block. A part that another process still holds, that
is finished, or that is damaged is left as it is, and the next one begun.
"""

import contextlib
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingest import blocks
from ingest.header import Header
from ingest.parts import Part, is_empty, look_through, newest_part, part_path
from ingest.recorder import BlockWriter
from ingest.told import Told, What
from oimon.errors import InputError
from oimon.lock import is_ours
from oimon.messages import Beat, Gap

PART_BYTES = 64 * 1024 * 1024
"""A part that has reached this is finished."""


@dataclass(kw_only=True, slots=True, eq=False)
class Piece:
    """What becomes one block; it ends with a beat, but for the last of a day."""

    frames: Sequence[bytes]
    times: Sequence[int]
    told: list[Told]

    @property
    def span_us(self) -> tuple[int, int]:
        """From when to when it is."""
        beats = [what.ts_us for _, what in self.told if isinstance(what, Beat)]
        times = [*self.times[:1], *self.times[-1:], *beats] or [0]
        return min(times), max(times)


class LiveFile:
    """Writes one underlying's parts.

    Args:
        folder: of the run.
        header: what explains the first frames.
        part_bytes: where a part is finished.
    """

    def __init__(self, folder: Path, header: Header, *, part_bytes: int = PART_BYTES) -> None:
        self.header, self.bytes = header, 0
        """What explains the next frames; and how much was written."""
        self._folder, self._part_bytes = folder, part_bytes
        self._number = 0
        self._file: BinaryIO | None = None
        self._blocks: BlockWriter | None = None
        self._owed: list[What] = []  # what a block that was lost had told, and that it was lost

    @property
    def is_between_parts(self) -> bool:
        """Whether the next block begins a part."""
        return self._blocks is None

    def resume(self) -> Part | None:
        """Go on behind what is there of this run; return the newest part, ``None`` where there is none.

        Raises:
            OSError: it cannot be read or cut.
        """
        path = newest_part(self._folder, self.header.underlying)
        if path is None:
            return None
        self._number = int(path.stem[-3:])
        if is_empty(path):  # ended before its first block
            path.unlink()
            self._number -= 1
            return self.resume()
        try:
            part = look_through(path)
        except InputError:
            return None
        self.header = part.newest_header
        file = path.open("r+b", buffering=0)
        if part.is_finished or not is_ours(file):
            file.close()
            return part
        file.truncate(part.end)
        self._file = file
        self._blocks = BlockWriter(file, hashlib.file_digest(file, "sha256"), part.last, part.end)
        return part

    def write(self, piece: Piece) -> None:
        """Write one block, and have the disk keep it; finish the part when it is large enough.

        Raises:
            OSError: it is not written, and the file as before.
        """
        told = [*((0, what) for what in self._owed), *piece.told]
        writer = self._blocks or self._begun()
        before = writer.size
        try:
            writer.put(piece.frames, piece.times, told, preset=blocks.QUICKEST)
            writer.sync()
        finally:
            self.bytes += writer.size - before
        self._owed = []
        self.header = _newest_header(told) or self.header
        if writer.size >= self._part_bytes:
            with contextlib.suppress(OSError):  # it is read up to its last whole block
                self.finish()

    def lose(self, piece: Piece, why: str) -> None:
        """Leave a block out; the next one says so, and what explains its frames."""
        header = _newest_header([*((0, what) for what in self._owed), *piece.told])
        since_us = [what.from_us for what in self._owed if isinstance(what, Gap)]
        from_us, to_us = piece.span_us
        gap = Gap(from_us=min([from_us, *since_us]), to_us=to_us, why=f"not recorded: {why}")
        self._owed = [gap] if header is None else [header, gap]

    def finish(self) -> None:
        """Write the part's last block, if there is a part.

        Raises:
            OSError: it has none.
        """
        file, writer, self._file, self._blocks = self._file, self._blocks, None, None
        if file is not None and writer is not None:
            with file:
                writer.end()

    def close(self) -> None:
        """Leave the part as it is, without an end."""
        if self._file is not None:
            self._file.close()
        self._file = self._blocks = None

    def _begun(self) -> BlockWriter:
        """Begin the next part."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = None
        while file is None:
            path = part_path(self._folder, self.header.underlying, self._number + 1)
            with contextlib.suppress(FileExistsError):
                file = path.open("xb", buffering=0)
            self._number += 1  # not where it cannot be made: no number may be missing
        writer = BlockWriter(file)
        try:
            writer.begin(self.header)
        except OSError:
            file.close()
            path.unlink()
            self._number -= 1
            raise
        is_ours(file)
        self._file, self._blocks = file, writer
        return writer


def _newest_header(told: Sequence[Told]) -> Header | None:
    return next((what for _, what in reversed(told) if isinstance(what, Header)), None)
