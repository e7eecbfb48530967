"""Which strikes to ask for: those around the money, by position in the list (pure). Source: smartapi, section 7.2."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence


def at_the_money(strikes: Sequence[float], spot: float) -> int:
    """Return the position of the listed strike nearest to the spot; of two as near, the lower.

    Args:
        strikes: ascending, at least one.
        spot: price of the underlying, in the strikes' unit.
    """
    above = bisect_left(strikes, spot)
    if above == len(strikes) or (above and spot - strikes[above - 1] <= strikes[above] - spot):
        return above - 1
    return above


def around(strikes: Sequence[float], spot: float, each_side: int) -> Sequence[float]:
    """Return the strikes of ATM ± ``each_side`` by list position; at an edge there are fewer."""
    centre = at_the_money(strikes, spot)
    return strikes[max(0, centre - each_side) : centre + each_side + 1]


def around_all(strikes: Sequence[float], spots: Iterable[float], each_side: int) -> list[float]:
    """Return the strikes that were in ATM ± ``each_side`` of any of the spots, ascending.

    A live subscription that follows the spot adds strikes and keeps those it has; by the end of a day it holds these.
    """
    return sorted({strike for spot in spots for strike in around(strikes, spot, each_side)})
