"""Layout of the broker's binary packets: one packet to its fields, fields to one packet (pure).

Little-endian throughout; prices in paise, quantities in units of the underlying. Source: smartapi, sections 4.3 and 4.4.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

LTP, QUOTE, SNAP_QUOTE, DEPTH_20 = 1, 2, 3, 4
"""A packet's first byte: its mode."""

EXCHANGE_TYPES: Mapping[str, int] = {"NSE": 1, "NFO": 2, "BSE": 3, "BFO": 4, "MCX": 5}
"""A packet's second byte, by the instrument master's ``exch_seg``."""

LEVEL = np.dtype([("flag", "<u2"), ("qty", "<i8"), ("price", "<i8"), ("orders", "<u2")])
"""One of a SNAP_QUOTE's ten levels. Flag 1 is a buy, 0 a sell: trust it, not the position."""

_LEVEL_20 = np.dtype([("qty", "<i4"), ("price", "<i4"), ("orders", "<i2")])

_NAME: list[tuple[str, str]] = [("mode", "u1"), ("exchange_type", "u1"), ("token", "S25")]
_PRICE = [*_NAME, ("sequence", "<i8"), ("exchange_ms", "<i8"), ("ltp", "<i8")]
_DAY = [
    *_PRICE,
    ("last_qty", "<i8"),
    ("average", "<i8"),
    ("volume", "<i8"),
    ("total_buy_qty", "<f8"),
    ("total_sell_qty", "<f8"),
    ("open", "<i8"),
    ("high", "<i8"),
    ("low", "<i8"),
    ("prev_close", "<i8"),
]

PACKETS: Mapping[int, np.dtype[np.void]] = {
    LTP: np.dtype(_PRICE),
    QUOTE: np.dtype(_DAY),
    SNAP_QUOTE: np.dtype(
        [
            *_DAY,
            ("traded_s", "<i8"),
            ("oi", "<i8"),
            ("oi_change_pct", "<f8"),  # the broker's papers call it a dummy; the SDK reads an i8
            ("levels", LEVEL, (10,)),
            ("upper_circuit", "<i8"),
            ("lower_circuit", "<i8"),
            ("high_52w", "<i8"),
            ("low_52w", "<i8"),
        ]
    ),
    # Withdrawn by the broker in April 2025; read here because its papers still show it, never asked for.
    DEPTH_20: np.dtype(
        [
            *_NAME,
            ("exchange_ms", "<i8"),
            ("packet_received_ms", "<i8"),
            ("buys", _LEVEL_20, (20,)),
            ("sells", _LEVEL_20, (20,)),
        ]
    ),
}
"""Layout of each mode: 51, 123, 379 and 443 bytes."""


def fields(packet: bytes) -> dict[str, Any]:
    """Return every field of one packet by name, levels as lists of such dictionaries.

    For people and for tests; ``frames.decode`` is what the feed uses. The worked LTP packet of section 5,
    ``0101393939323630303000…b3eb240000000000``, gives ``{"mode": 1, "exchange_type": 1, "token": "99926000", "sequence": 0,
    "exchange_ms": 1795578301000, "ltp": 2419635}``.

    Raises:
        ValueError: the mode is unknown, or the length is not that of the mode.
    """
    mode = packet[0] if packet else 0
    if mode not in PACKETS:
        raise ValueError(f"a packet's mode must be 1 to 4, was {mode}")
    layout = PACKETS[mode]
    if len(packet) != layout.itemsize:
        raise ValueError(
            f"a packet of mode {mode} has {layout.itemsize} bytes, this has {len(packet)}"
        )
    return _plain(np.frombuffer(packet, layout)[0])


def packet(mode: int, exchange: str, token: str, **values: Any) -> bytes:
    """Return one packet; a field that is not named is 0.

    Args:
        mode: LTP, QUOTE, SNAP_QUOTE or DEPTH_20.
        exchange: the instrument master's ``exch_seg``.
        token: at most 25 ASCII characters.
        **values: fields of ``PACKETS[mode]`` by name.
    """
    record = np.zeros(1, PACKETS[mode])
    record["mode"], record["exchange_type"] = mode, EXCHANGE_TYPES[exchange]
    record["token"] = token.encode("ascii")
    for name, value in values.items():
        record[name] = value
    return record.tobytes()


def book(
    buys: Sequence[tuple[int, int, int]] = (), sells: Sequence[tuple[int, int, int]] = ()
) -> npt.NDArray[np.void]:
    """Return the ten levels of a SNAP_QUOTE as the broker sends them: five buys, then five sells.

    Args:
        buys: quantity, price in paise, number of orders; best first, at most five.
        sells: likewise.
    """
    levels = np.zeros(10, LEVEL)
    levels["flag"][:5] = 1  # a slot that is not used carries its flag all the same
    for start, side in ((0, buys), (5, sells)):
        for slot, (qty, price, orders) in enumerate(side, start):
            levels["qty"][slot], levels["price"][slot], levels["orders"][slot] = qty, price, orders
    return levels


def _plain(record: np.void) -> dict[str, Any]:
    names = record.dtype.names or ()
    values: dict[str, Any] = {}
    for name in names:
        value = record[name]
        if isinstance(value, np.ndarray):
            values[name] = [_plain(level) for level in value]
        elif isinstance(value, bytes):
            values[name] = value.split(b"\0", 1)[0].decode("latin-1")
        else:
            values[name] = value.item()
    return values
