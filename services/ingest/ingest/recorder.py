"""Writes a recording: a feed's frames to a file, completed or not there at all."""

import hashlib
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from ingest import blocks
from ingest.recording import (
    BLOCK_START,
    FRAMES,
    HEAD,
    LAST,
    MAGIC,
    VERSION,
    VERSION_FIELD,
    Header,
    Last,
)

BLOCK_FRAMES = 8192
"""Frames in one block: 3 MB of SNAP_QUOTE packets."""


class RecordingWriter:
    """Writes one recording; use as a context: leaving it completes the file, an exception leaves nothing behind.

    It works under another name and renames at the end, so that nobody finds half a recording.
    """

    def __init__(self, path: Path, header: Header) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._header = header
        self._hash = hashlib.sha256()
        self._frames: list[bytes] = []
        self._times: list[int] = []
        self._beats: list[tuple[int, int]] = []
        self._count = 0
        self._first_us: int | None = None
        self._last_us = 0

    def __enter__(self) -> Self:
        self._file = self._part.open("wb")
        self._put(MAGIC + VERSION_FIELD.pack(VERSION))
        self._put_block(HEAD, msgspec.json.encode(self._header))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            self._file.close()
            self._part.unlink(missing_ok=True)

    def put(self, frames: Sequence[bytes], received_us: Sequence[int]) -> None:
        """Add frames with the times at which they came; times never fall.

        Raises:
            ValueError: a time falls, or a frame is too long.
        """
        for frame, at_us in zip(frames, received_us, strict=True):
            if at_us < self._last_us:
                raise ValueError("the times of frames must not fall")
            self._first_us = at_us if self._first_us is None else self._first_us
            self._last_us = at_us
            self._count += 1
            self._frames.append(frame)
            self._times.append(at_us)
            if len(self._frames) == BLOCK_FRAMES:
                self._flush()

    def beat(self, ts_us: int) -> None:
        """Add a beat that fell after the frames so far."""
        self._beats.append((len(self._frames), ts_us))

    def _finish(self) -> None:
        self._flush()
        last = Last(
            frames=self._count,
            first_us=self._first_us or 0,
            last_us=self._last_us,
            digest=self._hash.hexdigest(),
        )
        self._put_block(LAST, msgspec.json.encode(last))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self._part.replace(self._path)

    def _flush(self) -> None:
        if self._frames or self._beats:
            self._put_block(FRAMES, blocks.pack(self._frames, self._times, self._beats))
        self._frames, self._times, self._beats = [], [], []

    def _put_block(self, kind: bytes, data: bytes) -> None:
        self._put(BLOCK_START.pack(kind, len(data), zlib.crc32(data, zlib.crc32(kind))) + data)

    def _put(self, data: bytes) -> None:
        self._hash.update(data)
        self._file.write(data)
