"""A small made-up market: the same session and ticks for the same seed, underlying and second, at any pace (pure)."""

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ingest.instruments import instruments, read_row, table_hash
from oimon.bus import Pulse
from oimon.calendar import market_state
from oimon.messages import TICK, Session, TickBatch, TickFlag
from oimon.terms import FeedState, Segment
from tests.builders import NINE_FIFTEEN_MS, make_row, make_session

PARTITIONS = ("BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "NIFTY", "NIFTYNXT50", "SENSEX")
OPEN_US = NINE_FIFTEEN_MS // 1000 * 1_000_000
SESSION_EVERY = 60
"""Beats after which the session is said again, as ingest does."""
_STRIKES = range(23_700, 24_701, 100)
_LOT = 65
_MIDDLE = 24_200


@dataclass(kw_only=True)
class Market:
    """One underlying's made-up day: eleven strikes around a spot that swings."""

    underlying: str
    run: str
    seed: int

    @cached_property
    def session(self) -> Session:
        """What the ticks mean: row 0 is the index, then a call and a put of each strike."""
        rows = [make_row("1", kind="INDEX", name=self.underlying)]
        for number, strike in enumerate(_STRIKES):
            for side, kind in enumerate(("CE", "PE")):
                token = str(100 + 2 * number + side)
                rows.append(
                    make_row(
                        token, kind=kind, strike=strike, expiry="01DEC2026", name=self.underlying
                    )
                )
        columns = instruments(
            [read_row(row) for row in rows],
            prev_close=[24_150.0] + [None] * (len(rows) - 1),
            oi_prev=[None] + [self._oi(row, 0) for row in range(1, len(rows))],
            oi_open=[None] * len(rows),
        )
        return make_session(
            run=self.run,
            underlying=self.underlying,
            source=f"chaos:{self.seed}",
            instruments=columns,
            table=table_hash(columns),
        )

    def ticks(self, second: int) -> TickBatch:
        """Return what came in the second before beat ``second`` (1, 2, 3…): all rows at first, then the index and a few."""
        count = 2 * len(_STRIKES)
        chosen = self._dice(second).permutation(np.arange(1, count + 1))
        rows = [0, *sorted(chosen.tolist() if second == 1 else chosen[:6].tolist())]
        received_us = OPEN_US + (second - 1) * 1_000_000 + 200_000
        records = np.zeros(len(rows), TICK)
        for place, row in enumerate(rows):
            self._fill(records[place : place + 1], row, second, received_us)
        return TickBatch(received_us=received_us, table=self.session.table, records=records)

    def messages(self, second: int) -> Sequence[Session | TickBatch]:
        """Return what is published with beat ``second``."""
        batch = self.ticks(second)
        return [self.session, batch] if second % SESSION_EVERY == 1 else [batch]

    def pulse(self, second: int, *, server_clock: bool = False) -> Pulse:
        """Return what beat ``second`` says."""
        ts_us = OPEN_US + second * 1_000_000
        return Pulse(
            run=self.run,
            market=market_state(Segment.NFO, ts_us),
            feed=FeedState.OK,
            age_ms=800,
            event_us=None if server_clock else ts_us,
        )

    def _dice(self, second: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, zlib.crc32(self.underlying.encode()), second])

    def _fill(self, tick: np.ndarray, row: int, second: int, received_us: int) -> None:
        flags = TickFlag.PRICE
        spot = _MIDDLE + 60 * math.sin(second / 90 + self.seed)
        price = spot if row == 0 else _premium(row, spot)
        paise = round(price * 20) * 5
        tick["row"], tick["seq"], tick["ltp"] = row, second, paise
        tick["exchange_us"], tick["received_after_us"] = received_us - 100_000, row
        if row:
            flags |= TickFlag.QUOTE | TickFlag.VOLUME | TickFlag.OI
            tick["bid"], tick["ask"], tick["bid_qty"], tick["ask_qty"] = (
                paise - 5,
                paise + 5,
                130,
                65,
            )
            tick["volume"], tick["oi"] = second * _LOT * 10, self._oi(row, second)
            tick["traded_s"] = received_us // 1_000_000
        tick["flags"] = flags

    def _oi(self, row: int, second: int) -> int:
        lots = 20_000 + 900 * row + 400 * math.sin(second / 120 + row + self.seed)
        return round(lots) * _LOT


def _premium(row: int, spot: float) -> float:
    strike = _STRIKES[(row - 1) // 2]
    intrinsic = max(0.0, spot - strike if row % 2 else strike - spot)
    return intrinsic + 110 * math.exp(-(((spot - strike) / 400) ** 2))
