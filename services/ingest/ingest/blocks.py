"""One block of a recording: frames with their times, and what was told among them, to bytes and back (pure).

Frames of one length are stored by byte column: the first byte of each, then the second byte of each, and so on. Packets of a
feed differ in few columns, so that LZMA shrinks them thirtyfold. Source: rulings, 24.
"""

import lzma
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ingest.told import Told, pack_told, unpack_told

MAX_RAW = 64 * 1024 * 1024
"""A block's bytes before compression are at most this many, so that a damaged length can't ask for all memory."""
MAX_FRAME = 0xFFFF
SMALLEST = 6
"""LZMA's preset for a file that is made once."""
QUICKEST = 0
"""And for one that is made while a feed runs: a quarter of the time for a twentieth more bytes."""
NO_TIMES = np.zeros(0, np.int64)
"""Of a block without frames."""

_HEAD = struct.Struct("<IIq")
_RAW = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """Frames in order of arrival, and the beats that fell among them."""

    frames: list[bytes]
    received_us: npt.NDArray[np.int64]
    """When each frame came, never falling, shape (frames,)."""
    told: Sequence[Told] = ()
    """Of a live feed: what was told, in order, never before what stands above it."""


def pack(
    frames: Sequence[bytes],
    received_us: Sequence[int],
    told: Sequence[Told] = (),
    *,
    preset: int = SMALLEST,
) -> bytes:
    """Return the block's bytes, compressed: counts, what was told, lengths, times, frames.

    Raises:
        ValueError: a frame is longer than MAX_FRAME, or times fall.
    """
    lengths = np.fromiter(map(len, frames), np.int64, len(frames))
    times = np.array(received_us, np.int64)
    steps = np.diff(times, prepend=times[:1])
    if (lengths > MAX_FRAME).any():
        raise ValueError(f"a frame has at most {MAX_FRAME} bytes, one has {lengths.max()}")
    if (steps < 0).any():
        raise ValueError("the times of frames must not fall")
    said = pack_told(told)
    parts = [
        _HEAD.pack(len(frames), len(said), int(times[0]) if len(times) else 0),
        said,
        _columns(lengths.astype("<u2")),
        _columns(steps.astype("<i8")),
    ]
    for length in np.unique(lengths):
        same = b"".join([frame for frame in frames if len(frame) == length])
        parts.append(np.frombuffer(same, np.uint8).reshape(-1, max(length, 1)).T.tobytes())
    raw = b"".join(parts)
    if len(raw) > MAX_RAW:
        raise ValueError(f"a block has at most {MAX_RAW} bytes, this has {len(raw)}")
    return _RAW.pack(len(raw)) + lzma.compress(raw, check=lzma.CHECK_NONE, preset=preset)


def unpack(data: bytes) -> Block:
    """Return the block that the bytes hold.

    Raises:
        ValueError: the bytes are no such block.
    """
    raw = _decompress(data)
    _, _, first_us = _head(raw)
    count, told, start = _told(raw)
    try:
        times_start = start + 2 * count
        frames_start = times_start + 8 * count
        lengths = _from_columns(raw[start:times_start], "<u2")
        steps = _from_columns(raw[times_start:frames_start], "<i8")
    except ValueError as error:
        raise ValueError(f"its tables are cut short ({error})") from error
    if (
        len(lengths) + len(steps) != 2 * count
        or len(raw) - frames_start != int(lengths.sum())
        or (steps < 0).any()
    ):
        raise ValueError("its tables contradict each other")
    return Block(
        frames=_frames(raw, frames_start, lengths),
        received_us=first_us + np.cumsum(steps),
        told=told,
    )


class Inside(NamedTuple):
    """What a block holds beside its frames."""

    frames: int
    first_us: int  # when the first came, 0 without any
    told: Sequence[Told]


def peek(data: bytes) -> Inside:
    """Return what the block holds, without unpacking its frames.

    Raises:
        ValueError: the bytes are no such block.
    """
    count, told_bytes, first_us = _head(_decompress(data, _HEAD.size))
    _, told, _ = _told(_decompress(data, _HEAD.size + told_bytes))
    return Inside(count, first_us, told)


def _head(raw: bytes) -> tuple[int, int, int]:
    """Return the number of frames, the bytes of what was told, and the time of the first frame."""
    try:
        count, told_bytes, first_us = _HEAD.unpack_from(raw)
    except struct.error as error:
        raise ValueError(f"its tables are cut short ({error})") from error
    return count, told_bytes, first_us


def _told(raw: bytes) -> tuple[int, list[Told], int]:
    """Return the number of frames, what was told, and where the lengths start."""
    count, told_bytes, _ = _head(raw)
    end = _HEAD.size + told_bytes
    told = unpack_told(raw[_HEAD.size : end])
    if any(not 0 <= before <= count for before, _ in told):
        raise ValueError("its tables contradict each other")
    return count, told, end


def _decompress(data: bytes, most: int | None = None) -> bytes:
    """Return all bytes, or the first so many."""
    if len(data) < _RAW.size:
        raise ValueError(f"it has {len(data)} bytes")
    (size,) = _RAW.unpack_from(data)
    if size > MAX_RAW:
        raise ValueError(f"it claims {size} bytes, at most {MAX_RAW} are allowed")
    wanted = size if most is None else min(size, most)
    try:
        raw = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(
            data[_RAW.size :], size + 1 if most is None else wanted
        )
    except lzma.LZMAError as error:
        raise ValueError(f"it cannot be decompressed ({error})") from error
    if len(raw) != wanted:
        raise ValueError(f"it should hold {size} bytes, it holds {len(raw)}")
    return raw


def _frames(raw: bytes, start: int, lengths: npt.NDArray[np.int64]) -> list[bytes]:
    frames = [b""] * len(lengths)
    for length in np.unique(lengths[lengths > 0]).tolist():
        places = np.flatnonzero(lengths == length).tolist()
        size = length * len(places)
        rows = np.frombuffer(raw, np.uint8, size, start).reshape(length, -1).T.tobytes()
        for number, place in enumerate(places):
            frames[place] = rows[number * length : (number + 1) * length]
        start += size
    return frames


def _columns(numbers: npt.NDArray[np.integer]) -> bytes:
    return numbers.view(np.uint8).reshape(len(numbers), -1).T.tobytes() if len(numbers) else b""


def _from_columns(data: bytes, kind: str) -> npt.NDArray[np.int64]:
    width = np.dtype(kind).itemsize
    rows = np.frombuffer(data, np.uint8).reshape(width, -1).T
    return np.ascontiguousarray(rows).view(kind).ravel().astype(np.int64)
