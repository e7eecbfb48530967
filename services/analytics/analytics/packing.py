"""A piece of the history of prices as bytes and back, exactly: as whole numbers, each the difference from the one before (pure).

A price is a whole number of steps, but for a last bit: (bid + ask)/2 is not always the double nearest to what it says. What is no such
number goes as its very bits. Little of a difference is more than its lowest byte, so each byte of all differences is packed by itself.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from analytics.machine import loops
from oimon.core.chain import FloatArray

Row = npt.NDArray[Any]
"""One column at one instant as it is kept until its piece is over: whole numbers, or floats where they are none."""
LEVEL = 1  # of zlib: the fastest; a better one takes much longer for little
MARK_STEPS, LTP_STEPS = 200.0, 100.0
"""Half paise, and paise, in a rupee."""
_UNKNOWN = 3  # no number has both of the lowest bits set
_MOST, _MOST_NARROW = 2.0**50, 2.0**28
_BELOW_0 = np.float64(-0.0).view(np.int64)  # is no whole number's double
_WORD = 8
_HEAD = struct.Struct(
    "<II?B?BI"
)  # rows, width; of marks and of last prices, whether as bits, and bytes a number; of marks, length


def row_of(values: FloatArray, scale: float) -> Row:
    """Return a column as whole numbers: four times its steps, and in the lowest bits which of three neighbours it is, or unknown.

    Args:
        values: shape (n,), NaN where unknown.
        scale: steps in one.
    """
    compiled = loops()
    if compiled is not None:
        narrow = np.empty(len(values), np.int32)
        if compiled.row_of(values, scale, _UNKNOWN, _MOST_NARROW, narrow):
            return narrow
    with np.errstate(invalid="ignore", over="ignore"):
        steps = np.rint(values * scale)
        bits = values.view(np.int64) - (steps / scale).view(np.int64)
        is_unknown = np.isnan(values)
        is_whole = (
            (np.abs(bits) <= 1) & (np.abs(steps) < _MOST) & (values.view(np.int64) != _BELOW_0)
        )
    if not (is_whole | is_unknown).all():
        return values.copy()
    steps[is_unknown], bits[is_unknown] = 0, _UNKNOWN - 1
    return _narrow(4 * steps.astype(np.int64) + 1 + bits)


def values_of(row: Row, scale: float) -> FloatArray:
    """Return the column that :func:`row_of` made a row of."""
    if row.dtype == np.float64:
        return row
    low = row & 3
    values: FloatArray = (row >> 2) / scale
    values.view(np.int64)[:] += low - 1
    values[low == _UNKNOWN] = np.nan
    return values


def pack(marks: Sequence[Row], ltps: Sequence[Row]) -> bytes:
    """Return a piece's rows of marks and of last prices, of one width, as bytes; a last price goes as what parts it from its mark."""
    found = [_codes(marks, MARK_STEPS), _codes(ltps, LTP_STEPS)]
    (mark, is_bits), (ltp, is_ltp_bits) = found
    if not is_bits and not is_ltp_bits:
        ltp = 2 * ltp - (mark & ~3)
    mark_bytes, mark_size = _packed(mark)
    ltp_bytes, ltp_size = _packed(ltp)
    head = _HEAD.pack(*mark.shape, is_bits, mark_size, is_ltp_bits, ltp_size, len(mark_bytes))
    return head + mark_bytes + ltp_bytes


def unpack(piece: bytes, width: int) -> tuple[Row, Row]:
    """Return both kinds of rows of :func:`pack`, shape (rows, width).

    Args:
        piece: as packed.
        width: of each row.

    Raises:
        ValueError: the piece is damaged, or its rows have another width.
    """
    shape, is_bits, size, is_ltp_bits, ltp_size, end = _head(piece, width)
    mark = _unpacked(piece[_HEAD.size : _HEAD.size + end], shape, size)
    ltp = _unpacked(piece[_HEAD.size + end :], shape, ltp_size)
    if not is_bits and not is_ltp_bits:
        ltp = (ltp + (mark & ~3)) >> 1
    return _rows(mark, is_bits=is_bits), _rows(ltp, is_bits=is_ltp_bits)


def unpack_marks(piece: bytes, width: int) -> Row:
    """Return the marks of :func:`pack`; arguments and errors as of :func:`unpack`."""
    shape, is_bits, size, _, _, end = _head(piece, width)
    mark = _unpacked(piece[_HEAD.size : _HEAD.size + end], shape, size)
    return _rows(mark, is_bits=is_bits)


def _codes(rows: Sequence[Row], scale: float) -> tuple[npt.NDArray[np.int64], bool]:
    """Return rows as one array of whole numbers, and whether these are the bits of floats."""
    if any(row.dtype == np.float64 for row in rows):
        return np.array([values_of(row, scale) for row in rows]).view(np.int64), True
    return np.array(rows, np.int64), False


def _rows(codes: npt.NDArray[np.int64], *, is_bits: bool) -> Row:
    if is_bits:
        return codes.view(np.float64)
    return _narrow(codes)


def _narrow(codes: npt.NDArray[np.int64]) -> Row:
    narrow = codes.astype(np.int32)
    return narrow if (narrow == codes).all() else codes


def _packed(codes: npt.NDArray[np.int64]) -> tuple[bytes, int]:
    """Return whole numbers as bytes, and how many bytes of each are used."""
    apart = np.diff(codes, axis=0, prepend=np.int64(0))
    folded = ((apart << 1) ^ (apart >> 63)).view(np.uint64)  # small, whatever their sign
    used = max(1, (int(folded.max(initial=0)).bit_length() + 7) // 8)
    planes = folded.view(np.uint8).reshape(*codes.shape, 8).transpose(2, 0, 1)[:used]
    # Differences of prices repeat nothing but nothing: to look for more makes it larger, and slow.
    packer = zlib.compressobj(LEVEL, strategy=zlib.Z_RLE)
    return packer.compress(planes.tobytes()) + packer.flush(), used


def _unpacked(packed: bytes, shape: tuple[int, int], used: int) -> npt.NDArray[np.int64]:
    try:
        planes = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(used, *shape)
    except (zlib.error, ValueError) as error:
        raise ValueError(f"a piece of the history is damaged: {error}") from error
    folded = np.zeros((*shape, 8), np.uint8)
    folded[:, :, :used] = planes.transpose(1, 2, 0)
    words = folded.view(np.uint64)[:, :, 0]
    apart = (words >> np.uint64(1)).view(np.int64) ^ -(words & np.uint64(1)).view(np.int64)
    return np.add.accumulate(apart, axis=0)


def _head(piece: bytes, width: int) -> tuple[tuple[int, int], bool, int, bool, int, int]:
    try:
        count, told, is_bits, size, is_ltp_bits, ltp_size, end = _HEAD.unpack_from(piece)
    except struct.error as error:
        raise ValueError(f"a piece of the history is damaged: {error}") from error
    if told != width:
        raise ValueError(f"a sample has {width} numbers, found {told} in a piece")
    if not count or not 0 < size <= _WORD or not 0 < ltp_size <= _WORD:
        raise ValueError(f"a piece of the history is damaged: {count} rows of {size} bytes")
    return (count, told), is_bits, size, is_ltp_bits, ltp_size, end
