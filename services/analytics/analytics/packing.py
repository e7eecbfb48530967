"""Samples as bytes and back, exactly: a minute in one piece, each sample as what differs from the one before (pure).

Most of a chain is the same from one sample to the next, so the difference of two is mostly zeros. A minute that was packed
once is remembered while its samples live: of half an hour, each new snapshot packs the newest minute only.
"""

import zlib
from collections.abc import Iterable, Sequence
from itertools import groupby
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from analytics.cells import known
from analytics.history import Sample

PIECE_S = 60.0
LEVEL = 1  # of zlib: the fastest; a better one takes much longer for little
_HEAD = 2  # numbers before the columns: instant, level

_packed: WeakKeyDictionary[Sample, tuple[int, bytes]] = WeakKeyDictionary()
"""Pieces by their first sample, each with how many samples it holds; a history only grows at its end."""


def pack(samples: Iterable[Sample]) -> list[bytes]:
    """Return the samples, oldest first, in pieces of a minute."""
    minutes = groupby(samples, key=lambda sample: sample.at_s // PIECE_S)
    return [_piece(list(minute)) for _, minute in minutes]


def unpack(pieces: Iterable[bytes], places: int) -> list[Sample]:
    """Return the samples of :func:`pack`.

    Args:
        pieces: as packed.
        places: length of each column.

    Raises:
        ValueError: a piece is damaged, or of columns of another length.
    """
    return [sample for piece in pieces for sample in _samples(piece, places)]


def _piece(samples: Sequence[Sample]) -> bytes:
    first, count = samples[0], len(samples)
    packed, piece = _packed.get(first, (0, b""))
    if packed != count:
        rows = np.array([_row(sample) for sample in samples]).view(np.uint64)
        rows[1:] ^= rows[:-1].copy()
        piece = zlib.compress(rows.tobytes(), LEVEL)
        _packed[first] = (count, piece)
    return piece


def _row(sample: Sample) -> npt.NDArray[np.float64]:
    level = np.nan if sample.level is None else sample.level
    return np.concatenate(((sample.at_s, level), sample.oi, sample.mark, sample.ltp))


def _samples(piece: bytes, places: int) -> list[Sample]:
    try:
        bits = np.frombuffer(zlib.decompress(piece), np.uint64)
    except zlib.error as error:
        raise ValueError(f"a piece of the history is damaged: {error}") from error
    width = _HEAD + 3 * places
    if not bits.size or bits.size % width:
        raise ValueError(f"a sample has {width} numbers, found {bits.size} in a piece")
    rows = np.bitwise_xor.accumulate(bits.reshape(-1, width)).view(np.float64)
    samples = []
    for row in rows:
        oi, mark, ltp = row[_HEAD:].reshape(3, places)
        at_s, level = float(row[0]), known(row[1])
        samples.append(Sample(at_s=at_s, oi=oi, mark=mark, ltp=ltp, level=level))
    _packed[samples[0]] = (len(samples), piece)
    return samples
