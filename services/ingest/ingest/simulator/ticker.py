"""From prices and trades to what a feed shows: quotes on the tick, the last trade, the day's volume (pure but for its memory)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.simulator.interest import Lots
from ingest.simulator.packing import Numbers, Quotes
from oimon.core.chain import FloatArray

_NEVER = 2**62  # paise: above any price


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Part:
    """Some instruments at some times, each array of shape (times, instruments)."""

    price: FloatArray  # paise
    half: FloatArray  # paise, to the bid and to the ask
    trades: Numbers  # lots since the time before, as chance has it
    true: Lots  # open interest
    shown: Lots  # of it, published


class DayRange:
    """Remembers of each instrument the day's open, high, low and turnover."""

    def __init__(self, count: int) -> None:
        self._open, self._high = np.zeros((2, count), np.int64)
        self._low = np.full(count, _NEVER)
        self._turnover, self._volume = np.zeros((2, count))

    def after(self, last: Numbers, units: Numbers) -> Mapping[str, Numbers]:
        """Return open, high, low and average at some times in paise, 0 before the first trade, shape (times, instruments).

        Args:
            last: price at which was traded, where it was, shape (times, instruments).
            units: traded since the time before, of the same shape.
        """
        is_trade = units > 0
        seen = np.logical_or.accumulate(is_trade, axis=0) | (self._open > 0)
        first = np.take_along_axis(last, is_trade.argmax(axis=0)[None, :], axis=0)
        opened = np.where(seen, np.where(self._open > 0, self._open, first), 0)
        high = np.maximum(np.maximum.accumulate(np.where(is_trade, last, 0), axis=0), self._high)
        low = np.minimum(np.minimum.accumulate(np.where(is_trade, last, _NEVER), axis=0), self._low)
        turnover = self._turnover + np.cumsum(last * units, axis=0, dtype=np.float64)
        volume = self._volume + np.cumsum(units, axis=0)
        self._open, self._high, self._low = opened[-1], high[-1], low[-1]
        self._turnover, self._volume = turnover[-1], volume[-1]
        average = np.rint(turnover / np.maximum(volume, 1)).astype(np.int64)
        return {"open": opened, "high": high, "low": np.where(seen, low, 0), "average": average}


class Ticker:
    """Remembers of each instrument its last trade and the day's volume."""

    def __init__(
        self,
        tick: FloatArray,
        lot: Numbers,
        prev_close: Numbers,
        *,
        traded_s: int,
        tells_day: bool = False,
    ) -> None:
        """Prepare a day.

        Args:
            tick: step of each price, paise.
            lot: units of each contract; 0 of an index, which is not traded: its price always counts.
            prev_close: paise: the last trade, until there is one.
            traded_s: when that was.
            tells_day: open, high, low and average too, which only boards of quotes read.
        """
        self._day = DayRange(len(lot)) if tells_day else None
        self._tick, self._lot = tick, lot
        self._ltp = prev_close
        self._traded_s = np.where(lot > 0, traded_s, 0)
        self._volume = np.zeros_like(lot)
        self._true: Lots | None = None

    def quotes(self, at_s: Numbers, parts: Sequence[Part]) -> Quotes:
        """Return what is shown at some times, which come after those asked before.

        Args:
            at_s: epoch seconds, shape (times,).
            parts: the instruments, in their order.
        """
        price, half, trades, true, shown = (
            np.concatenate([getattr(part, name) for part in parts], axis=1)
            for name in ("price", "half", "trades", "true", "shown")
        )
        tick = self._tick
        middle, apart = np.maximum(np.rint(price / tick), 1), np.rint(half / tick)
        bid, ask = np.maximum(middle - apart, 0) * tick, (middle + apart) * tick
        last = (middle * tick).astype(np.int64)
        before = true[:1] if self._true is None else self._true
        moved = np.abs(
            np.diff(true, axis=0, prepend=before)
        )  # a contract opened or closed is one traded
        units = np.maximum(trades, moved) * self._lot
        volume = self._volume + np.cumsum(units, axis=0)
        ltp, traded_s = self._last_trades(at_s, last, (units > 0) | (self._lot == 0))
        self._volume, self._true = volume[-1], true[-1:]
        return Quotes(
            ltp=ltp,
            bid=bid.astype(np.int64),
            ask=ask.astype(np.int64),
            volume=volume,
            oi=shown * np.maximum(self._lot, 1),
            traded_s=traded_s,
            day={} if self._day is None else self._day.after(last, units),
        )

    def _last_trades(
        self,
        at_s: Numbers,
        last: Numbers,
        has_traded: np.ndarray[tuple[int, ...], np.dtype[np.bool_]],
    ) -> tuple[Numbers, Numbers]:
        """Return price and time of the last trade of each instrument at each time, shape (times, instruments)."""
        place = np.arange(1, len(at_s) + 1)[:, None]
        newest = np.maximum.accumulate(np.where(has_traded, place, 0), axis=0)
        prices = np.concatenate([self._ltp[None, :], last])
        times = np.concatenate(
            [self._traded_s[None, :], np.repeat(at_s[:, None], last.shape[1], axis=1)]
        )
        ltp = np.take_along_axis(prices, newest, axis=0)
        traded_s = np.take_along_axis(times, newest, axis=0)
        self._ltp, self._traded_s = ltp[-1], traded_s[-1]
        return ltp, traded_s
