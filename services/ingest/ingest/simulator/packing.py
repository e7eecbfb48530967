"""Packets of many instruments at once, as the broker's socket would deliver them (pure). Source: smartapi, section 4."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingest.instruments import MasterRow
from ingest.packets import EXCHANGE_TYPES, PACKETS, SNAP_QUOTE

LEVELS = 5
"""Of each side of a book; the best is simulated, the others are empty."""
_SNAP = PACKETS[SNAP_QUOTE]
Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Quotes:
    """What all instruments show at some times: prices in paise, quantities in units, each of shape (times, instruments)."""

    ltp: Numbers
    bid: Numbers  # 0: nobody bids
    ask: Numbers
    volume: Numbers
    oi: Numbers
    traded_s: Numbers
    day: Mapping[str, Numbers] = field(
        default_factory=dict
    )  # open, high, low, average; 0: no trade yet


class Packer:
    """Turns quotes into SNAP_QUOTE packets of one session's instruments."""

    def __init__(self, rows: Sequence[MasterRow]) -> None:
        self._blank = np.zeros(len(rows), _SNAP)
        self._blank["mode"] = SNAP_QUOTE
        self._blank["exchange_type"] = [EXCHANGE_TYPES[row.exch_seg] for row in rows]
        self._blank["token"] = [row.token.encode("ascii") for row in rows]
        self._blank["levels"]["flag"][:, :LEVELS] = 1
        self._lots = np.array([int(row.lotsize) for row in rows])

    def packets(
        self, quotes: Quotes, exchange_us: Numbers, first_sequence: int
    ) -> npt.NDArray[np.void]:
        """Return one packet an instrument and time, shape (times, instruments).

        Args:
            quotes: what they show.
            exchange_us: the times, shape (times,).
            first_sequence: number of the first packet.
        """
        found = np.repeat(self._blank[None, :], len(exchange_us), axis=0)
        found["sequence"] = np.arange(found.size).reshape(found.shape) + first_sequence
        found["exchange_ms"] = exchange_us[:, None] // 1000
        for name in ("ltp", "volume", "oi", "traded_s"):
            found[name] = getattr(quotes, name)
        for name, values in quotes.day.items():
            found[name] = values
        levels = found["levels"]
        for slot, price in ((0, quotes.bid), (LEVELS, quotes.ask)):
            levels["price"][..., slot] = price
            levels["qty"][..., slot] = np.where(price > 0, self._lots, 0)
            levels["orders"][..., slot] = price > 0
        return found


def frames(packets: npt.NDArray[np.void]) -> list[bytes]:
    """Return packets as frames, one after the other."""
    data = packets.tobytes()
    return [data[at : at + _SNAP.itemsize] for at in range(0, len(data), _SNAP.itemsize)]
