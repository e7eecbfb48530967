"""How many lots a position may have."""

import math

from oimon.core.compare import SLACK

RISK_SHARE = 0.01  # of capital, lost at the stop
COST_SHARE = 0.20  # of capital, paid for premium
MOST_LOTS = 20


def position_size(capital: float, entry: float, stop: float, lot: int) -> int:
    """Return the lots that risk and cost allow; 0 when not one lot fits.

    Args:
        capital: rupees.
        entry: price of one unit, above ``stop``.
        stop: price at which the position is left.
        lot: units in a lot.

    Source: analytics specification, 7.4.
    """
    by_risk = RISK_SHARE * capital / ((entry - stop) * lot)
    by_cost = COST_SHARE * capital / (entry * lot)
    return max(0, min(math.floor(by_risk + SLACK), math.floor(by_cost + SLACK), MOST_LOTS))
