"""Black-76: price and Greeks of European options on a forward."""

import math
from dataclasses import dataclass

import numpy as np

from oimon.core import fast
from oimon.core.chain import FloatArray, Terms
from oimon.core.normal import both_sides, normal_pdf

YEAR_S = 365.0 * 86_400.0
_HALF = np.array(0.5)


@dataclass(frozen=True, slots=True)
class Greeks:
    """Value of one unit of underlying, a row of ``table`` a number, shape (8, n): NaN where the volatility is."""

    table: FloatArray

    @property
    def price(self) -> FloatArray:
        """Of the call and the put, in rupees, shape (2, n)."""
        return self.table[0:2]

    @property
    def delta(self) -> FloatArray:
        """To the forward, of the call and the put, shape (2, n)."""
        return self.table[2:4]

    @property
    def gamma(self) -> FloatArray:
        """A rupee of the forward, shape (n,)."""
        found: FloatArray = self.table[4]
        return found

    @property
    def vega(self) -> FloatArray:
        """In rupees a volatility point, shape (n,)."""
        found: FloatArray = self.table[5]
        return found

    @property
    def theta(self) -> FloatArray:
        """In rupees a calendar day, of the call and the put, shape (2, n)."""
        return self.table[6:8]


def years_to_expiry(seconds: float) -> float:
    """Return the time to a contract's close in years of 365 days, 0 after it. Source: specification, 9.1."""
    return max(seconds, 0.0) / YEAR_S


def d1(forward: Terms, strike: FloatArray, years: Terms, sigma: FloatArray) -> FloatArray:
    """Return d1 = ln(F/K)/(σ√T) + σ√T/2, shape (n,), NaN where the volatility is.

    Source: analytics specification, 9.2.
    """
    deviation = sigma * np.sqrt(years)
    found: FloatArray = np.log(forward / strike) / deviation + deviation * 0.5
    return found


def deltas(d_one: FloatArray, discount: Terms) -> FloatArray:
    """Return the deltas to the forward, D·N(d1) and −D·N(−d1), shape (2, n).

    Source: analytics specification, 9.2.
    """
    both = both_sides(d_one, normal_pdf(d_one))
    both *= discount
    both[1] *= -1.0
    return both


def gammas(
    d_one: FloatArray, forward: float, years: float, sigma: FloatArray, discount: float
) -> FloatArray:
    """Return D·φ(d1)/(F·σ√T), a rupee of the forward, shape (n,).

    Source: analytics specification, 9.2.
    """
    return normal_pdf(d_one) * discount / (sigma * (forward * math.sqrt(years)))


def black76(
    forward: float, strike: FloatArray, years: float, sigma: FloatArray, rate: float
) -> Greeks:
    """Return price and Greeks of the call and the put at each strike.

    Args:
        forward: rupees, above 0.
        strike: rupees, above 0, shape (n,).
        years: time to expiry, above 0.
        sigma: volatility a year at each strike, shape (n,).
        rate: a year, continuous.

    Source: analytics specification, 9.2.
    """
    table = np.empty((8, len(strike)))
    if fast.loops is not None:
        fast.loops.black76(forward, strike, years, sigma, rate, table)
        return Greeks(table)
    discount, root, n = math.exp(-rate * years), math.sqrt(years), len(strike)
    ratio, deviation = forward / strike, sigma * root
    ends, densities = np.empty(2 * n), np.empty(2 * n)
    d_one = np.log(ratio, out=ends[:n])
    d_one /= deviation
    d_one += deviation * _HALF
    np.subtract(d_one, deviation, out=ends[n:])
    densities[:n] = normal_pdf(d_one)
    np.multiply(densities[:n], ratio, out=densities[n:])  # φ(d2)·K = φ(d1)·F
    sides = both_sides(ends, densities)
    price, delta, theta = table[0:2], table[2:4], table[6:8]
    np.multiply(sides[0, :n], discount, out=delta[0])
    np.multiply(sides[1, :n], -discount, out=delta[1])
    paid = sides[:, n:]
    paid *= strike * discount
    np.multiply(delta, forward, out=price)
    price[0] -= paid[0]
    price[1] += paid[1]
    density = densities[:n] * (discount * forward)
    deviation *= forward * forward
    np.divide(density, deviation, out=table[4])
    np.multiply(density, root / 100.0, out=table[5])
    density *= sigma
    density *= 0.5 / root
    np.multiply(price, rate, out=theta)
    theta -= density
    theta *= 1.0 / 365.0
    return Greeks(table)
