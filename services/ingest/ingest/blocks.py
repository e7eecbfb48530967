"""One block of a recording: frames with their times, and beats, to bytes and back (pure).

Frames of one length are stored by byte column: the first byte of each, then the second byte of each, and so on. Packets of a
feed differ in few columns, so that LZMA shrinks them thirtyfold. Source: rulings, 24.
"""

import lzma
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MAX_RAW = 64 * 1024 * 1024
"""A block's bytes before compression are at most this many, so that a damaged length can't ask for all memory."""
MAX_FRAME = 0xFFFF

_HEAD = struct.Struct("<IIq")
_RAW = struct.Struct("<I")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Block:
    """Frames in order of arrival, and the beats that fell among them."""

    frames: list[bytes]
    received_us: npt.NDArray[np.int64]
    """When each frame came, never falling, shape (frames,)."""
    beats: list[tuple[int, int]]
    """Number of this block's frames that came before the beat, and the beat's ``ts_us``."""


def pack(
    frames: Sequence[bytes], received_us: Sequence[int], beats: Sequence[tuple[int, int]]
) -> bytes:
    """Return the block's bytes, compressed.

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
    parts = [
        _HEAD.pack(len(frames), len(beats), int(times[0]) if len(times) else 0),
        _columns(lengths.astype("<u2")),
        _columns(steps.astype("<i8")),
        np.array(beats, "<i8").reshape(-1, 2).tobytes(),
    ]
    for length in np.unique(lengths):
        same = b"".join([frame for frame in frames if len(frame) == length])
        parts.append(np.frombuffer(same, np.uint8).reshape(-1, max(length, 1)).T.tobytes())
    raw = b"".join(parts)
    if len(raw) > MAX_RAW:
        raise ValueError(f"a block has at most {MAX_RAW} bytes, this has {len(raw)}")
    return _RAW.pack(len(raw)) + lzma.compress(raw, check=lzma.CHECK_NONE)


def unpack(data: bytes) -> Block:
    """Return the block that the bytes hold.

    Raises:
        ValueError: the bytes are no such block.
    """
    raw = _decompress(data)
    try:
        count, beat_count, first_us = _HEAD.unpack_from(raw)
        lengths_end = _HEAD.size + 2 * count
        times_end = lengths_end + 8 * count
        frames_start = times_end + 16 * beat_count
        lengths = _from_columns(raw[_HEAD.size : lengths_end], "<u2")
        steps = _from_columns(raw[lengths_end:times_end], "<i8")
        beats = np.frombuffer(raw, "<i8", 2 * beat_count, times_end).reshape(-1, 2)
    except (struct.error, ValueError) as error:
        raise ValueError(f"its tables are cut short ({error})") from error
    if len(raw) - frames_start != int(lengths.sum()) or (steps < 0).any():
        raise ValueError("its tables contradict each other")
    return Block(
        frames=_frames(raw, frames_start, lengths),
        received_us=first_us + np.cumsum(steps),
        beats=[(int(before), int(ts_us)) for before, ts_us in beats],
    )


def _decompress(data: bytes) -> bytes:
    if len(data) < _RAW.size:
        raise ValueError(f"it has {len(data)} bytes")
    (size,) = _RAW.unpack_from(data)
    if size > MAX_RAW:
        raise ValueError(f"it claims {size} bytes, at most {MAX_RAW} are allowed")
    try:
        raw = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(data[_RAW.size :], size + 1)
    except lzma.LZMAError as error:
        raise ValueError(f"it cannot be decompressed ({error})") from error
    if len(raw) != size:
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
