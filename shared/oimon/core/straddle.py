"""The at-the-money straddle and the moves it expects."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Straddle:
    """Price of the straddle in rupees and in per cent of the forward."""

    price: float
    move_pct: float


def straddle(call: float | None, put: float | None, forward: float) -> Straddle | None:
    """Return the at-the-money straddle from its two marks in rupees; None where one is missing.

    Source: analytics specification, 9.3.
    """
    if call is None or put is None:
        return None
    price = call + put
    return Straddle(price=price, move_pct=100.0 * price / forward)


def expected_move(forward: float, sigma: float, years: float) -> float:
    """Return the one-sigma move in rupees over a time in years: F·σ·√T; one day is 1/365.

    Source: analytics specification, 9.3.
    """
    return forward * sigma * math.sqrt(max(years, 0.0))
