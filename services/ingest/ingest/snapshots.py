"""Rows of one snapshot to the packets that the broker's socket would have delivered, and when."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingest.contracts import TICK_PAISE, Key
from ingest.instruments import MasterRow
from ingest.packets import EXCHANGE_TYPES, LTP, PACKETS, SNAP_QUOTE, packet
from oimon.chain_csv import ChainRow
from oimon.errors import InputError

APART_US = 100
"""Frames of one snapshot come this far apart: a source gives one time for all of them."""

_SNAP = PACKETS[SNAP_QUOTE]
_SCALE = 2_000_000  # half a spread, as a share, in whole numbers


class Snapshots:
    """Turns snapshots into packets, one after the other; knows each contract's last trade."""

    def __init__(
        self,
        source: Path,
        master: Sequence[MasterRow],
        keys: Sequence[Key],
        factors: Mapping[str, int],
        spread: float | None,
    ) -> None:
        """Prepare a day.

        Args:
            source: the CSV, for messages.
            master: row of the underlying's own price, then those of the contracts.
            keys: the contracts.
            factors: what the source's open interest and volume are multiplied by, by expiry.
            spread: share of a price that lies between its bid and its ask; ``None``: no quotes.
        """
        self._source = source
        self._spot = master[0]
        self._exchange_type = EXCHANGE_TYPES[master[-1].exch_seg]
        self._rows = dict(zip(keys, master[1:], strict=True))
        self._factors = factors
        self._half = None if spread is None else round(spread * _SCALE / 2)
        self._traded: dict[Key, tuple[float, float, int]] = {}
        self._sequence = 0
        self._at_us = 0

    def frames(self, rows: Sequence[ChainRow]) -> tuple[list[bytes], list[int]]:
        """Return the packets of one snapshot and when each comes: the underlying first, then the rows in their order.

        Args:
            rows: of one time, which is not before that of the snapshot before.

        Raises:
            InputError: open interest or volume are no whole quantity.
        """
        first = rows[0]
        exchange_ms = first.ts_us // 1000
        spot = packet(
            LTP, self._spot.exch_seg, self._spot.token, exchange_ms=exchange_ms, ltp=round(first.spot * 100)
        )  # fmt: skip
        snaps = np.zeros(len(rows), _SNAP)
        keys = [Key(row.expiry, row.strike, row.right) for row in rows]
        snaps["mode"], snaps["exchange_type"] = SNAP_QUOTE, self._exchange_type
        snaps["token"] = [self._rows[key].token.encode() for key in keys]
        snaps["sequence"] = np.arange(1, len(rows) + 1) + self._sequence
        snaps["exchange_ms"] = exchange_ms
        snaps["ltp"] = np.rint(np.array([row.ltp for row in rows]) * 100)
        snaps["volume"] = [self._quantity(row, row.volume) for row in rows]
        snaps["oi"] = [self._quantity(row, row.oi) for row in rows]
        snaps["traded_s"] = [self._traded_s(key, row) for key, row in zip(keys, rows, strict=True)]
        snaps["levels"]["flag"][:, :5] = 1
        if self._half is not None:
            lots = np.array([int(self._rows[key].lotsize) for key in keys])
            _put_quotes(snaps, self._half, lots)
        self._sequence += len(rows)
        data = snaps.tobytes()
        frames = [data[at : at + _SNAP.itemsize] for at in range(0, len(data), _SNAP.itemsize)]
        return [spot, *frames], self._times(first.ts_us, len(frames) + 1)

    def _times(self, ts_us: int, count: int) -> list[int]:
        """Return when each frame comes: not before the source's time, nor before the frames of the snapshot before."""
        start = max(ts_us, self._at_us)
        self._at_us = start + count * APART_US
        return list(range(start, self._at_us, APART_US))

    def _quantity(self, row: ChainRow, value: float) -> int:
        quantity = value * self._factors[row.expiry]
        whole = round(quantity)
        if abs(quantity - whole) > 1e-6:
            raise InputError(
                self._source, f"line {row.line}", f"{value!r} is no whole quantity", "Correct the value, or see --oi-unit"
            )  # fmt: skip
        return whole

    def _traded_s(self, key: Key, row: ChainRow) -> int:
        """Return when the contract traded last, as far as the source shows: 0 before a trade was seen.

        A trade is a new price, or volume that rose.
        """
        seen = self._traded.get(key)
        at_s = 0
        if seen is not None:
            ltp, volume, at_s = seen
            if row.ltp != ltp or row.volume > volume:
                at_s = row.ts_us // 1_000_000
        self._traded[key] = row.ltp, row.volume, at_s
        return at_s


def _put_quotes(snaps: npt.NDArray[np.void], half: int, lots: npt.NDArray[np.int64]) -> None:
    """Put a best bid and ask around each price, rounded outward to the tick, one lot each.

    No bid where it would be 0, no quote without a price. ``half`` is half the spread in 1/``_SCALE`` of the price.
    """
    price = snaps["ltp"]
    step = _SCALE * TICK_PAISE
    bid = price * (_SCALE - half) // step * TICK_PAISE
    ask = -(-price * (_SCALE + half) // step) * TICK_PAISE
    for slot, side in ((0, bid), (5, ask)):
        snaps["levels"]["price"][:, slot] = side
        snaps["levels"]["qty"][:, slot] = np.where(side > 0, lots, 0)
