"""The price of a leg: the middle of a good quote, else a fresh last trade."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from oimon.core.chain import BoolArray, FloatArray, IntArray
from oimon.core.compare import SLACK

MAX_AGE_S = 60.0  # of a quote or a trade
WIDEST = (0.25, 10.0)  # spread of a good quote: as a share of its mid, in ticks; the wider counts


class MarkSource(StrEnum):
    """Where a mark comes from."""

    MID = "mid"
    LTP = "ltp"


MARK_SOURCES = (None, MarkSource.LTP, MarkSource.MID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Mark of each leg in rupees, NaN where there is none, and whether it is a mid; shapes as the legs given."""

    price: FloatArray
    is_mid: BoolArray

    @property
    def source(self) -> IntArray:
        """Source of each mark as an index into ``MARK_SOURCES``, shape as the legs'."""
        return np.where(np.isnan(self.price), np.int8(0), np.int8(1) + self.is_mid)


def mark_price(
    bid: FloatArray,
    ask: FloatArray,
    ltp: FloatArray,
    *,
    quote_age_s: FloatArray,
    trade_age_s: FloatArray,
    tick: float | FloatArray,
    max_age_s: float = MAX_AGE_S,
) -> Marks:
    """Return the mark of each leg; all arrays have one shape, prices in rupees, NaN where missing.

    The last price of a quiet strike is minutes old, so the mark feeds build-up, volatility and straddle.

    Args:
        bid: best bid.
        ask: best ask.
        ltp: last traded price.
        quote_age_s: seconds since the quote was seen.
        trade_age_s: seconds since the last trade.
        tick: smallest step of the price, in rupees: one for all, or one a leg.
        max_age_s: age above which a quote or a trade is not used.

    Source: analytics specification, 1.4.
    """
    mid = (bid + ask) * 0.5
    oldest = max_age_s + SLACK
    widest = np.maximum(mid * WIDEST[0], tick * WIDEST[1])
    widest += SLACK
    is_mid = (ask - bid <= widest) & (ask >= bid) & (bid > 0) & (quote_age_s <= oldest)
    is_ltp = (ltp > 0) & (trade_age_s <= oldest)
    price = np.where(is_mid, mid, np.where(is_ltp, ltp, np.nan))
    return Marks(price=price, is_mid=is_mid)
