"""SNAP_QUOTE packets as 16-bit words, and which of them make a tick (pure).

Every field of the packet begins at an odd offset. With one byte before each packet all of them begin at even ones, so that a
tick is a choice of whole words: one call of numpy copies all fields of all packets. Source: smartapi, section 4.3 (layout).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from ingest.packets import LEVEL, PACKETS, SNAP_QUOTE
from oimon.messages import TICK

Words = npt.NDArray[np.uint16]
Parts = tuple[Words, Words, bool]

_BEFORE = b"\0"
_PACKET = PACKETS[SNAP_QUOTE]
ROW_BYTES = len(_BEFORE) + _PACKET.itemsize
"""From one packet to the next in what ``join`` returns."""
_U2, _U8 = np.dtype("<u2"), np.dtype("<u8")


def _field(layout: np.dtype[np.void], name: str) -> tuple[int, int]:
    """Return a field's offset and size in bytes."""
    place = layout[[name]]  # a dtype of this field alone, which keeps its offset
    (kind, offset, *_), *_ = (place.fields or {}).values()
    return offset, kind.itemsize


def _in_packet(name: str) -> int:
    return _field(_PACKET, name)[0]


def _in_level(place: int, name: str) -> int:
    return _in_packet("levels") + place * LEVEL.itemsize + _field(LEVEL, name)[0]


_SOURCES = {
    "exchange_us": _in_packet("exchange_ms"),  # still in milliseconds
    "traded_s": _in_packet("traded_s"),
    "seq": _in_packet("sequence"),
    "ltp": _in_packet("ltp"),
    "bid": _in_level(0, "price"),
    "ask": _in_level(5, "price"),
    "bid_qty": _in_level(0, "qty"),
    "ask_qty": _in_level(5, "qty"),
    "volume": _in_packet("volume"),
    "oi": _in_packet("oi"),
}
"""A tick's field to the offset of the 8 bytes of a packet that hold it."""


def _word(offset: int) -> int:
    return (len(_BEFORE) + offset) // 2


def _tick_words() -> npt.NDArray[np.intp]:
    chosen = np.zeros(TICK.itemsize // 2, np.intp)
    for name, source in _SOURCES.items():
        offset, size = _field(TICK, name)
        chosen[offset // 2 : (offset + size) // 2] = _word(source) + np.arange(size // 2)
    return chosen


def _zero_words() -> Iterator[int]:
    """Give the words that are 0 unless a number is negative or too large for a tick.

    Where a tick has all 8 bytes that is the highest word: below it even milliseconds are few enough for microseconds.
    """
    for name, source in _SOURCES.items():
        if name != "seq":  # a tick has its low half, whatever the other
            _, size = _field(TICK, name)
            yield from range(_word(source) + min(size // 2, 3), _word(source) + 4)


_NAME_WORDS = _word(_in_packet("sequence"))  # mode, exchange, the whole token
_TICK_WORDS = _tick_words()
_USUAL_WORDS = np.array(
    [
        *range(_NAME_WORDS),
        _word(_in_level(0, "flag")),
        _word(_in_level(5, "flag")),
        *_zero_words(),
    ],
    np.intp,
)
_USUAL_BYTES = 2 * len(_USUAL_WORDS)
_TOKEN_AT = len(_BEFORE) + _in_packet("token")
_LTP_TOP, _BID_TOP = (len(_BEFORE) + _SOURCES[name] + 3 for name in ("ltp", "bid"))


def join(frames: Sequence[bytes]) -> bytes:
    """Return packets one after the other, each at an odd offset; ``ROW_BYTES`` each if all are SNAP_QUOTE packets."""
    return _BEFORE.join([b"", *frames])


def split(data: bytes) -> Parts:
    """Return what is needed of SNAP_QUOTE packets, joined.

    Returns:
        The words of ticks, shape (packets, 32), with milliseconds in ``exchange_us`` and chance values in ``row``, ``flags`` and
        ``received_after_us``; words to compare with those of ``usual``, shape (packets, words); whether the last price or the
        bid of any tick is negative.
    """
    words = np.ndarray((len(data) // ROW_BYTES, ROW_BYTES // 2), _U2, data)
    # ASCII is what has no highest bit: a tenth of the time of comparing numbers.
    tops = data[_LTP_TOP::ROW_BYTES], data[_BID_TOP::ROW_BYTES]
    has_signs = not (tops[0].isascii() and tops[1].isascii())
    return words.take(_TICK_WORDS, 1), words.take(_USUAL_WORDS, 1), has_signs


def usual(name: bytes) -> bytes:
    """Return as bytes the words that all usual packets of an instrument share.

    Bids come first, and no number is negative or too large for a tick. A packet that is not usual need not be wrong.

    Args:
        name: the first bytes of its packets: mode, exchange and token.
    """
    start = (_BEFORE + name).ljust(2 * _NAME_WORDS, b"\0")
    return (start + b"\1").ljust(_USUAL_BYTES, b"\0")


def keys(words: Words) -> npt.NDArray[np.uint64]:
    """Return the first eight characters of each token as a number, shape (n,).

    Args:
        words: from ``split`` or ``usual``, shape (n, words).
    """
    return np.ndarray(len(words), _U8, words, _TOKEN_AT, (_USUAL_BYTES,))
