"""The forward that options are priced off: put-call parity near the money, else a future, else carry."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from oimon.core import fast
from oimon.core.chain import CE, PE, FloatArray, nearest_index
from oimon.core.compare import SLACK
from oimon.core.mark import Marks

RATE = 0.055  # a year, continuous; Source: analytics specification, 9.1
NEAREST = 5  # strikes asked
MAX_DISTANCE = 0.02  # of spot


class ForwardSource(StrEnum):
    """How a forward was found."""

    SYNTHETIC_MID = "synthetic_mid"
    SYNTHETIC_LTP = "synthetic_ltp"
    FUTURE = "future"
    CARRY = "carry"


_SYNTHETIC = (ForwardSource.SYNTHETIC_MID, ForwardSource.SYNTHETIC_LTP)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forward:
    """A forward in rupees, how it was found, and from how many strikes (0 for future and carry)."""

    price: float
    source: ForwardSource
    strikes: int


class Pair(NamedTuple):
    """A call and a put of one strike: the difference of their marks in rupees, and whether both are mids."""

    strike: float
    difference: float
    is_mid: bool


def synthetic_forward(
    strike: FloatArray,
    marks: Marks,
    *,
    spot: float,
    years: float,
    rate: float = RATE,
    future: float | None = None,
    nearest: int = NEAREST,
) -> Forward:
    """Return the forward of one expiry.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        marks: of each leg, shape (2, n).
        spot: rupees.
        years: time to expiry.
        rate: a year, continuous.
        future: mark of the future of the same expiry; None where there is none.
        nearest: listed strikes nearest to spot that are asked.

    Source: analytics specification, 1.5.
    """
    if fast.loops is not None:
        growth = math.exp(rate * years)
        asked = (strike, marks.price, marks.is_mid, spot, growth, nearest)
        mids, mid, prices, price = fast.loops.parity(*asked)
        found = [(mids, mid), (prices, price)]
        return _chosen(found, spot=spot, growth=growth, future=future)
    pairs = nearest_pairs(strike, marks, spot=spot, nearest=nearest)
    return forward_by_parity(pairs, spot=spot, years=years, rate=rate, future=future)


def forward_by_parity(
    pairs: Sequence[Pair],
    *,
    spot: float,
    years: float,
    rate: float = RATE,
    future: float | None = None,
) -> Forward:
    """Return the forward of one expiry from the pairs nearest to spot.

    Args:
        pairs: of :func:`nearest_pairs`.
        spot: rupees.
        years: time to expiry.
        rate: a year, continuous.
        future: mark of the future of the same expiry; None where there is none.

    Source: analytics specification, 1.5.
    """
    growth = math.exp(rate * years)
    parity = [(pair.strike + growth * pair.difference, pair.is_mid) for pair in pairs]
    mids = [price for price, is_mid in parity if is_mid]
    found = [
        (len(prices), statistics.median(prices) if prices else math.nan)
        for prices in (mids, [price for price, _ in parity])
    ]
    return _chosen(found, spot=spot, growth=growth, future=future)


def _chosen(
    found: Sequence[tuple[int, float]], *, spot: float, growth: float, future: float | None
) -> Forward:
    """Return the first forward that is near spot: of all pairs of mids, of all pairs of marks (how many, their median), the future's."""
    for (count, median), source in zip(found, _SYNTHETIC, strict=True):
        if count and _is_near(median, spot):
            return Forward(price=median, source=source, strikes=count)
    if future is not None and _is_near(future, spot):
        return Forward(price=future, source=ForwardSource.FUTURE, strikes=0)
    return Forward(price=spot * growth, source=ForwardSource.CARRY, strikes=0)


def nearest_pairs(
    strike: FloatArray, marks: Marks, *, spot: float, nearest: int = NEAREST
) -> list[Pair]:
    """Return the strikes nearest to spot of which both marks are known; of two equally near, the lower first.

    Args:
        strike: strikes in rupees, ascending, shape (n,).
        marks: of each leg, shape (2, n).
        spot: rupees.
        nearest: listed strikes that are asked.

    Source: analytics specification, 1.5.
    """
    centre = nearest_index(strike, spot)
    if centre is None:
        return []
    around = slice(max(centre - nearest, 0), centre + nearest + 1)
    rows = zip(
        strike[around].tolist(),
        *marks.price[:, around].tolist(),
        (marks.is_mid[CE, around] & marks.is_mid[PE, around]).tolist(),
        strict=True,
    )
    chosen = sorted(rows, key=lambda row: (abs(row[0] - spot), row[0]))[:nearest]
    pairs = [Pair(k, call - put, is_mid) for k, call, put, is_mid in chosen]
    return [pair for pair in pairs if not math.isnan(pair.difference)]


def _is_near(price: float, spot: float) -> bool:
    return abs(price - spot) <= MAX_DISTANCE * spot + SLACK
