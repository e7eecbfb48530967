"""Binary frames of the broker's stream to one array of ticks, as many at once as have arrived (pure).

A frame is one packet. What is not a tick of this session is dropped and counted by reason, never an exception: a feed outlives
any byte that it is sent. A few frames go through ``struct``, many through numpy as ``words``; what is unusual is read with care,
one at a time. All ways give the same ticks, and so does any way of cutting a stream of frames into calls.

Source: smartapi, sections 4.3 and 4.4 (layout, traps); messages-sketch (tick); performance, section 1 (the two ways).
"""

import struct
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ingest.packets import LTP, PACKETS, QUOTE, SNAP_QUOTE
from ingest.tokens import HEAD, NAME_BYTES, TokenTable
from ingest.words import ROW_BYTES, Parts, join, split
from oimon.messages import TICK, TickFlag

Times = Sequence[int] | npt.NDArray[np.int64]
Ticks = npt.NDArray[np.void]


class Drop(StrEnum):
    """Why a frame was no tick."""

    LENGTH = "length"  # that of no packet that is subscribed: cut short, too long
    MODE = "mode"  # another than that of the length
    UNKNOWN = "unknown"  # exchange and token are not of this session
    VALUE = "value"  # a price, quantity or time that is negative, or larger than a tick can hold


Drops = dict[Drop, int]

FEW = 16
"""Below this many frames ``struct`` is the faster way."""

_RECORD = np.dtype(f"V{TICK.itemsize}")  # a tick as bytes: numpy copies fields one by one
_MODES = {PACKETS[mode].itemsize: mode for mode in (LTP, QUOTE, SNAP_QUOTE)}
_SNAP_BYTES = PACKETS[SNAP_QUOTE].itemsize
_I4, _U4 = 2**31 - 1, 2**32 - 1
_MAX_MS = (2**63 - 1) // 1000
MOST_AFTER_US = _U4
"""Beyond 71 minutes a tick's age no longer matters."""


def decode(frames: Sequence[bytes], received_us: Times, tokens: TokenTable) -> tuple[Ticks, Drops]:
    """Return the ticks of many frames in order of arrival, and how many frames were none, by reason.

    ``received_after_us`` counts from ``received_us[0]``. A packet without a price yet (0) gives a tick without ``PRICE``. A tick
    with ``QUOTE`` says what the book is: a side whose price is 0 is empty. Without ``QUOTE`` nothing is known of the book (modes
    1 and 2, an index' sentinel of −1, bids at or above asks).

    Args:
        frames: packets of modes 1 to 3 in any mix.
        received_us: when each came, never falling.
        tokens: whose rows the ticks name.

    Returns:
        Array of dtype TICK, shape (ticks,), and the drops.
    """
    if len(frames) < FEW:
        return _decode_few(frames, received_us, tokens)
    times = np.asarray(received_us, np.int64)
    after_us = times - times[0, ...]  # of no dimension, as _MS_TO_US
    data = join(frames)
    # Were the lengths mixed and right in sum only, the names would not stand where they should, and not all were usual.
    if len(data) == ROW_BYTES * len(frames) and after_us[-1] <= _U4:
        parts = split(data)
        del data  # the largest by far; kept longer, glibc would give memory back after each call and fetch it anew
        ticks, usual = _snap_ticks(parts, after_us, tokens)
        if usual is None:
            return ticks, {}
        if all(len(frame) == _SNAP_BYTES for frame in frames):
            return _complete(ticks.view(_RECORD), usual, frames, after_us, tokens)
    return _decode_mixed(frames, np.minimum(after_us, MOST_AFTER_US), tokens)


def _decode_few(
    frames: Sequence[bytes], received_us: Times, tokens: TokenTable
) -> tuple[Ticks, Drops]:
    start_us = int(received_us[0]) if len(frames) else 0
    drops: Drops = {}
    packed = []
    for frame, at_us in zip(frames, received_us, strict=True):
        record = tick(frame, int(at_us) - start_us, tokens)
        if isinstance(record, Drop):
            drops[record] = drops.get(record, 0) + 1
        else:
            packed.append(record)
    return np.frombuffer(b"".join(packed), TICK), drops


def _decode_mixed(
    frames: Sequence[bytes], after_us: npt.NDArray[np.int64], tokens: TokenTable
) -> tuple[Ticks, Drops]:
    """Decode the usual SNAP_QUOTE packets at once and the others one at a time."""
    count = len(frames)
    records, usual = np.zeros(count, _RECORD), np.zeros(count, np.bool_)
    snaps = [place for place, frame in enumerate(frames) if len(frame) == _SNAP_BYTES]
    if snaps:
        parts = split(join([frames[place] for place in snaps]))
        ticks, stand = _snap_ticks(parts, after_us[snaps], tokens)
        records[snaps] = ticks.view(_RECORD)
        usual[snaps] = True if stand is None else stand
    return _complete(records, usual, frames, after_us, tokens)


def _complete(
    records: npt.NDArray[np.void],
    usual: npt.NDArray[np.bool_],
    frames: Sequence[bytes],
    after_us: npt.NDArray[np.int64],
    tokens: TokenTable,
) -> tuple[Ticks, Drops]:
    """Decode the frames that are not usual one at a time, into records, and leave out those that are no ticks."""
    drops: Drops = {}
    places, packed = [], []
    for place in np.flatnonzero(~usual).tolist():
        record = _careful_tick(frames[place], int(after_us[place]), tokens)
        if isinstance(record, Drop):
            drops[record] = drops.get(record, 0) + 1
        else:
            places.append(place)
            packed.append(record)
    if places:
        records[places] = np.frombuffer(b"".join(packed), _RECORD)
        usual[places] = True
    return records[usual].view(TICK), drops


# --- one at a time -------------------------------------------------------------------------------------------------

_TICK = struct.Struct("<IIqIIIiiiIIqq")
_TICK_OF_HEAD = struct.Struct("<8sqIIIiiiIIqq")
# Numbers are read as unsigned and packed as signed or short: struct itself refuses what is negative or too large.
_SNAP = struct.Struct(f"<B{NAME_BYTES - 1}s3xI4xQQ16xQ48xQQ8xBxQQ82xBxQQ114x")
_PRICE = struct.Struct("<qqq")
_LEVELS = struct.Struct("<Bxqq82xBxqq")


def tick(frame: bytes, after_us: int, tokens: TokenTable) -> bytes | Drop:
    """Return one frame's tick as the 64 bytes of TICK, or why it is none.

    Args:
        frame: one packet.
        after_us: when it came, counted from the batch's ``received_us``.
        tokens: whose row the tick names.
    """
    try:
        mode, name, seq, ms, ltp, volume, traded_s, oi, buy, bid_qty, bid, other, ask_qty, ask = (
            _SNAP.unpack(frame)
        )
        if ltp and bid < ask and buy == 1 and not other and mode == SNAP_QUOTE:
            # fmt: off
            return _TICK_OF_HEAD.pack(
                tokens.heads[name], ms * 1000, after_us, traded_s, seq, ltp, bid, ask, bid_qty, ask_qty, volume, oi
            )
            # fmt: on
    except (struct.error, KeyError):
        pass  # not the usual packet: another mode, a half-empty book, or a drop; the careful way tells
    return _careful_tick(frame, after_us, tokens)


def _careful_tick(frame: bytes, after_us: int, tokens: TokenTable) -> bytes | Drop:
    mode = _MODES.get(len(frame))
    if mode is None:
        return Drop.LENGTH
    if frame[0] != mode:
        return Drop.MODE
    head = tokens.heads.get(frame[1:NAME_BYTES])
    if head is None:
        return Drop.UNKNOWN
    row, believed = HEAD.unpack(head)
    seq, ms, ltp = _PRICE.unpack_from(frame, 27)
    (volume,) = struct.unpack_from("<q", frame, 67) if mode != LTP else (0,)
    traded_s, oi = struct.unpack_from("<qq", frame, 123) if mode == SNAP_QUOTE else (0, 0)
    if min(ms, ltp, volume, traded_s, oi) < 0 or ms > _MAX_MS or ltp > _I4 or traded_s > _U4:
        return Drop.VALUE
    book = _book(frame) if mode == SNAP_QUOTE else None
    bid_qty, bid, ask_qty, ask = book or (0, 0, 0, 0)
    flags = (
        (TickFlag.PRICE if ltp else 0)
        | (TickFlag.VOLUME if mode != LTP else 0)
        | (TickFlag.OI if mode == SNAP_QUOTE else 0)
        | (TickFlag.QUOTE if book else 0)
    ) & believed
    after_us = max(0, min(after_us, MOST_AFTER_US))
    # fmt: off
    return _TICK.pack(
        row, flags, ms * 1000, after_us, traded_s, seq & _U4, ltp, bid, ask, bid_qty, ask_qty, volume, oi
    )
    # fmt: on


def _book(frame: bytes) -> tuple[int, int, int, int] | None:
    """Return quantity and price of the best bid and ask, or None for a book that makes no sense.

    Five levels of one side, then five of the other, the best first; the flag says which side is which (builds of the SDK had
    them swapped, and so have recorded feeds).
    """
    buy, bid_qty, bid, other, ask_qty, ask = _LEVELS.unpack_from(frame, 147)
    if (buy, other) == (0, 1):
        bid_qty, bid, ask_qty, ask = ask_qty, ask, bid_qty, bid
    elif (buy, other) != (1, 0):
        return None
    if not (0 <= bid_qty <= _U4 and 0 <= ask_qty <= _U4 and 0 <= bid <= _I4 and 0 <= ask <= _I4):
        return None
    return (bid_qty, bid, ask_qty, ask) if bid < ask or not ask else None


# --- many at once --------------------------------------------------------------------------------------------------

_HEAD = np.dtype("<u8")  # row and flags as one number
_MS_TO_US = np.array(1000)  # no dimension: half the cost of a plain number


def _snap_ticks(
    parts: Parts, after_us: npt.NDArray[np.int64], tokens: TokenTable
) -> tuple[Ticks, npt.NDArray[np.bool_] | None]:
    """Return one tick a SNAP_QUOTE packet, and which of the ticks stand; None: all of them.

    Those of usual packets stand: a known name, a price, bids first and below the asks, no number that a tick cannot hold.
    """
    count = len(after_us)
    records, found, has_signs = parts
    heads, expected = tokens.find_snaps(found)
    np.ndarray(count, _HEAD, records, 0, (TICK.itemsize,))[:] = heads
    ticks = np.ndarray(count, TICK, records)
    ticks["received_after_us"] = after_us
    exchange_us, ltp, bid = ticks["exchange_us"], ticks["ltp"], ticks["bid"]
    exchange_us *= _MS_TO_US
    has_spread = bid < ticks["ask"]
    if (
        found.tobytes() == expected.tobytes()  # far cheaper than a comparison of arrays
        and np.count_nonzero(has_spread) == count
        and np.count_nonzero(ltp) == count
        and not has_signs
    ):
        return ticks, None
    return ticks, (found == expected).all(axis=1) & has_spread & (ltp > 0) & (bid >= 0)
