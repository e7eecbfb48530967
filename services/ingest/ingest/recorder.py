"""Writes a recording: a feed's frames to a file, completed or not there at all; and what every writer of one shares."""

import filecmp
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from ingest import blocks
from ingest.header import Header, Last
from ingest.oirec import FRAMES, HEAD, LAST, LIVE, START, block_bytes
from ingest.told import Told
from oimon.messages import Beat

BLOCK_FRAMES = 8192
"""Frames in one block: 3 MB of SNAP_QUOTE packets."""


class BlockWriter:
    """Puts blocks one behind the other and keeps what the last one will say of them.

    Args:
        file: where they go; nobody else writes there.
        digest: of what is in it already.
        last: what is known of that.
        size: bytes of that.
    """

    def __init__(
        self,
        file: BinaryIO,
        digest: "hashlib._Hash | None" = None,
        last: Last | None = None,
        size: int = 0,
    ) -> None:
        self.size = size
        """Bytes of whole blocks."""
        self._is_torn = False
        self._file, self._hash = file, digest or hashlib.sha256()
        self._frames = last.frames if last else 0
        self._first_us = last.first_us if last else 0
        self._last_us = last.last_us if last else 0

    def begin(self, header: Header) -> None:
        """Write what stands before the frames."""
        self._put(START + block_bytes(HEAD, msgspec.json.encode(header)))

    def put(
        self,
        frames: Sequence[bytes],
        times: Sequence[int],
        told: Sequence[Told] = (),
        *,
        preset: int = blocks.SMALLEST,
    ) -> None:
        """Write one block.

        Raises:
            ValueError: see ``blocks.pack``.
        """
        data = blocks.pack(frames, times, told, preset=preset)
        self._put(block_bytes(LIVE if told else FRAMES, data))
        self._frames += len(frames)
        at = [*times[:1], *times[-1:], *(what.ts_us for _, what in told if isinstance(what, Beat))]
        if at:
            self._first_us = self._first_us or min(at)
            self._last_us = max(self._last_us, *at)

    def end(self) -> None:
        """Write the last block, and have the disk keep all of it."""
        last = Last(
            frames=self._frames,
            first_us=self._first_us,
            last_us=self._last_us,
            digest=self._hash.hexdigest(),
        )
        self._put(block_bytes(LAST, msgspec.json.encode(last)))
        self.sync()

    def sync(self) -> None:
        """Have the disk keep what was written so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def _put(self, data: bytes) -> None:
        """Write all of it, or nothing: what is torn is cut before the next one, or by who reads the file."""
        if self._is_torn:
            self._file.seek(self.size)
            self._file.truncate()
        self._is_torn, rest = True, memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) :]
        self._is_torn = False
        self.size += len(data)
        self._hash.update(data)


class RecordingWriter:
    """Writes one recording; use as a context: leaving it completes the file, an exception leaves nothing behind.

    It works under another name and renames at the end, so that nobody finds half a recording.

    Args:
        path: the file.
        header: what stands before the frames.
        replace: put it in the place of a file that has the name already; else leaving raises ``FileExistsError`` where the two
            differ.
    """

    def __init__(self, path: Path, header: Header, *, replace: bool = True) -> None:
        self._path, self._replace = path, replace
        self._part = path.with_name(path.name + ".part")
        self._header = header
        self._frames: list[bytes] = []
        self._times: list[int] = []
        self._told: list[Told] = []
        self._last_us = 0

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        self._blocks = BlockWriter(self._file)
        try:
            self._blocks.begin(self._header)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._flush()
                self._blocks.end()
                self._file.close()
                self._take_place()
        finally:
            self._remove()

    def _take_place(self) -> None:
        if not self._replace and self._path.exists():
            if not filecmp.cmp(self._part, self._path, shallow=False):
                raise FileExistsError(self._path)
        else:
            self._part.replace(self._path)

    def _remove(self) -> None:
        try:
            self._file.close()  # what it still holds may find no room
        finally:
            self._part.unlink(missing_ok=True)

    def put(self, frames: Sequence[bytes], received_us: Sequence[int]) -> None:
        """Add frames with the times at which they came; times never fall.

        Raises:
            ValueError: a time falls, or a frame is too long.
        """
        for frame, at_us in zip(frames, received_us, strict=True):
            if at_us < self._last_us:
                raise ValueError("the times of frames must not fall")
            self._last_us = at_us
            self._frames.append(frame)
            self._times.append(at_us)
            if len(self._frames) == BLOCK_FRAMES:
                self._flush()

    def _flush(self) -> None:
        if self._frames:
            self._blocks.put(self._frames, self._times)
        self._frames, self._times = [], []
