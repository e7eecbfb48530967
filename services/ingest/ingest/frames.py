"""Binary frames of the broker's stream to one array of ticks, as many at once as have arrived (pure).

A frame is one packet. What is not a tick of this session is dropped and counted by reason, never an exception: a feed outlives
any byte that it is sent. A few frames go through ``struct``, many through one numpy view; what is unusual is read with care,
one at a time. All ways give the same ticks, and so does any way of cutting a stream of frames into calls.

Source: smartapi, sections 4.3 and 4.4 (layout, traps); messages-sketch (tick); performance, section 1 (the two ways).
"""

import struct
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ingest.packets import LTP, PACKETS, QUOTE, SNAP_QUOTE
from ingest.tokens import NAME_BYTES, TokenTable
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
_I4, _U4, _I8 = 2**31 - 1, 2**32 - 1, 2**63 - 1
_MAX_MS = _I8 // 1000


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
    after_us = times - times[0]
    data = b"".join(frames)
    # Were the lengths mixed and right in sum only, the names would not stand where they should, and not all were usual.
    if len(data) == _SNAP_BYTES * len(frames) and after_us[-1] <= _U4:
        ticks, usual = _snap_ticks(data, after_us, tokens)
        if usual is None:
            return ticks, {}
        if all(len(frame) == _SNAP_BYTES for frame in frames):
            return _complete(ticks.view(_RECORD), usual, frames, after_us, tokens)
    return _decode_mixed(frames, np.minimum(after_us, _U4), tokens)


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
        data = b"".join([frames[place] for place in snaps])
        ticks, stand = _snap_ticks(data, after_us[snaps], tokens)
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
_SNAP = struct.Struct(f"<{NAME_BYTES}s3xI4xQQ16xQ48xQQ8xBxQQ82xBxQQ114x")
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
        name, seq, ms, ltp, volume, traded_s, oi, buy, bid_qty, bid, other, ask_qty, ask = (
            _SNAP.unpack(frame)
        )
        if ltp and bid < ask and buy == 1 and not other:
            # fmt: off
            return _TICK_OF_HEAD.pack(
                tokens.snap_heads[name], ms * 1000, after_us, traded_s, seq, ltp, bid, ask, bid_qty, ask_qty, volume, oi
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
    if frame[1:NAME_BYTES] not in tokens.rows:
        return Drop.UNKNOWN
    row, believed = tokens.rows[frame[1:NAME_BYTES]]
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
    after_us = max(0, min(after_us, _U4))  # beyond 71 minutes the age no longer matters
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

# What of many packets is read goes to ten rows of one table, one column a packet.
_SEQ, _MS, _LTP, _VOLUME, _TRADED, _OI, _BID_QTY, _BID, _ASK_QTY, _ASK = range(10)
# As unsigned, a negative number is larger than every limit: one comparison tests both ends.
_LIMITS = np.array([2**64 - 1, _MAX_MS, _I4, _I8, _U4, _I8, _U4, _I4, _U4, _I4], np.uint64).reshape(
    10, 1
)
_VIEW = np.dtype(
    {
        "names": ["names", "keys", "price", "volume", "oi", "first", "sixth"],
        "formats": [f"S{NAME_BYTES}", "<u8", ("<u8", 3), "<u8", ("<u8", 2), ("<u8", 2), ("<u8", 2)],
        "offsets": [0, 2, 27, 67, 123, 149, 249],
        "itemsize": _SNAP_BYTES,
    }
)
_MS_TO_US = np.uint64(1000)


def _snap_ticks(
    data: bytes, after_us: npt.NDArray[np.int64], tokens: TokenTable
) -> tuple[Ticks, npt.NDArray[np.bool_] | None]:
    """Return one tick a SNAP_QUOTE packet, and which of the ticks stand; None: all of them.

    Those of usual packets stand: a known name, a price, bids first and below the asks, no number that a tick cannot hold.
    """
    count = len(after_us)
    packets = np.ndarray(count, _VIEW, data)
    names = packets["names"]
    rows, flags, expected = tokens.find_snaps(packets["keys"])
    table = np.empty((10, count), np.uint64)
    table[_SEQ : _LTP + 1] = packets["price"].T
    table[_VOLUME] = packets["volume"]
    table[_TRADED : _OI + 1] = packets["oi"].T
    table[_BID_QTY : _BID + 1] = packets["first"].T
    table[_ASK_QTY : _ASK + 1] = packets["sixth"].T
    fits, has_spread = table <= _LIMITS, table[_BID] < table[_ASK]
    first, sixth = data[147::_SNAP_BYTES], data[247::_SNAP_BYTES]  # flags of the two sides
    ticks = _ticks_of(table, after_us, rows, flags)
    if (
        expected.tobytes() == names.tobytes()
        and b"\0" not in fits.tobytes()  # a third of the cost of fits.all()
        and b"\0" not in has_spread.tobytes()
        and np.count_nonzero(table[_LTP]) == count
        and first == b"\1" * count
        and sixth == bytes(count)
    ):
        return ticks, None
    usual = (expected == names) & fits.all(axis=0) & has_spread & (table[_LTP] > 0)
    usual &= (np.frombuffer(first, "u1") == 1) & (np.frombuffer(sixth, "u1") == 0)
    return ticks, usual


def _ticks_of(
    table: npt.NDArray[np.uint64],
    after_us: npt.NDArray[np.int64],
    rows: npt.NDArray[np.uint32],
    flags: npt.NDArray[np.uint32],
) -> Ticks:
    count = len(rows)
    ticks = np.ndarray(count, TICK, bytearray(count * TICK.itemsize))  # half the cost of np.empty
    ticks["row"] = rows
    ticks["flags"] = flags
    ticks["exchange_us"] = table[_MS] * _MS_TO_US
    ticks["received_after_us"] = after_us
    ticks["traded_s"] = table[_TRADED]
    ticks["seq"] = table[_SEQ]
    ticks["ltp"] = table[_LTP]
    ticks["bid"] = table[_BID]
    ticks["ask"] = table[_ASK]
    ticks["bid_qty"] = table[_BID_QTY]
    ticks["ask_qty"] = table[_ASK_QTY]
    ticks["volume"] = table[_VOLUME]
    ticks["oi"] = table[_OI]
    return ticks
