"""The day's average price, weighed by volume, from ticks alone: for feeds that do not tell their own."""

from dataclasses import dataclass

import numpy as np

from oimon.core.chain import FloatArray


@dataclass(frozen=True, slots=True)
class Dealt:
    """What ticks have shown to be dealt: ``top`` is the largest cumulative volume seen, None before the first tick."""

    top: float | None = None
    volume: float = 0.0
    value: float = 0.0

    @property
    def vwap(self) -> float | None:
        """Average price of all that was seen dealt, in rupees; None where nothing was."""
        return self.value / self.volume if self.volume else None


def dealt_on(before: Dealt, price: FloatArray, volume: FloatArray) -> Dealt:
    """Return what is known to be dealt after more ticks of one instrument.

    Only a rise above the largest volume so far is a deal: a late tick, whose volume is smaller, adds nothing. Of what was dealt
    before the first tick the price is not known.

    Args:
        before: after the ticks before.
        price: last price of each tick in rupees, in order of arrival, shape (n,).
        volume: cumulative volume of the day, in quantity, shape (n,).

    Source: analytics specification, 10.1.
    """
    if not len(price):
        return before
    top = volume[0] if before.top is None else before.top
    tops = np.maximum.accumulate(np.concatenate(([top], volume)))
    rise = tops[1:] - tops[:-1]
    return Dealt(
        top=float(tops[-1]),
        volume=before.volume + float(rise.sum()),
        value=before.value + float(rise.dot(price)),
    )


def tick_vwap(price: FloatArray, volume: FloatArray) -> float | None:
    """Return the average price of what ticks show to be dealt, None where they show nothing.

    Args:
        price: last price of each tick in rupees, in order of arrival, shape (n,).
        volume: cumulative volume of the day, in quantity, shape (n,).

    Source: analytics specification, 10.1.
    """
    return dealt_on(Dealt(), price, volume).vwap
