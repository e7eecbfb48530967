"""One packet of the feed in each mode that is subscribed (pure). Source: smartapi, sections 4.3 and 4.4."""

from collections.abc import Mapping

import numpy as np

from ingest.fakebroker.subscriptions import Name, name_of
from ingest.instruments import MasterRow
from ingest.packets import EXCHANGE_TYPES, LTP, PACKETS, QUOTE, SNAP_QUOTE, book

SIZES: Mapping[int, int] = {mode: PACKETS[mode].itemsize for mode in (LTP, QUOTE, SNAP_QUOTE)}
SNAP_BYTES = SIZES[SNAP_QUOTE]


def _template() -> bytes:
    """Return a SNAP_QUOTE packet that says "none" of all but the price, as an index' does: −1 bid at −1 paise, no asks."""
    record = np.zeros(1, PACKETS[SNAP_QUOTE])
    record["levels"] = book(buys=[(-1, -1, 0)] * 5)
    return record.tobytes()


_NONE = _template()


def is_whole(frame: bytes) -> bool:
    """Return whether a frame has the length of its mode."""
    return bool(frame) and SIZES.get(frame[0]) == len(frame)


def as_mode(frame: bytes, mode: int) -> bytes:
    """Return a whole packet in another mode: cut, or filled with what an index' packet says of all but its price."""
    if frame[0] == mode:
        return frame
    size = SIZES[mode]
    return bytes([mode]) + frame[1:size] + _NONE[min(len(frame), size) : size]


def name_of_row(row: MasterRow) -> Name:
    """Return how packets name a row of the master."""
    return name_of(EXCHANGE_TYPES[row.exch_seg], row.token)
