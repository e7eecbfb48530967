"""Prices of a simulated chain and the spreads around them (pure). Source: analytics specification, 13.3."""

import math

import numpy as np

from oimon.core.chain import BoolArray, FloatArray
from oimon.core.forward import RATE
from oimon.core.greeks import YEAR_S, black76

_DAY_YEARS = 86_400.0 / YEAR_S
_FLOOR_IV = 0.05
_HALF_SPREAD, _WING_SPREAD, _WING_DELTA, _SHOCK_SPREAD = 0.0015, 0.01, 0.10, 3.0


def smile(
    strike: FloatArray, forward: float, years: float, atm_iv: float, slope: float
) -> FloatArray:
    """Return the volatility of each strike, shape (n,).

    Args:
        strike: rupees, shape (n,).
        forward: rupees.
        years: to expiry.
        atm_iv: volatility a year at the forward.
        slope: of the smile; negative where puts are dearer.

    Source: analytics specification, 13.3.
    """
    x = np.log(strike / forward) / math.sqrt(max(years, _DAY_YEARS))
    found: FloatArray = np.maximum(_FLOOR_IV, atm_iv + 0.35 * slope * x + 0.21 * x * x)
    return found


def chain_prices(
    strike: FloatArray, forward: float, years: float, atm_iv: float, slope: float
) -> tuple[FloatArray, FloatArray]:
    """Return price in rupees and delta of calls and puts, each of shape (2, n); at expiry what they are worth."""
    if years <= 0:
        inside = np.stack([forward - strike, strike - forward])
        return np.maximum(inside, 0.0), np.sign(inside.clip(min=0.0)) * np.array([[1.0], [-1.0]])
    value = black76(forward, strike, years, smile(strike, forward, years, atm_iv, slope), RATE)
    return value.price, value.delta


def half_spreads(
    price: FloatArray, delta: FloatArray, tick: float, in_shock: BoolArray
) -> FloatArray:
    """Return what lies between a price and its bid or ask, in the unit of the price, shape (times, 2, n).

    Args:
        price: shape (times, 2, n).
        delta: of each option, of the same shape.
        tick: in the unit of the price.
        in_shock: whether the regime is a SHOCK, shape (times,).
    """
    share = np.where(np.abs(delta) < _WING_DELTA, _WING_SPREAD, _HALF_SPREAD)
    found: FloatArray = np.maximum(tick, share * price)
    return found * np.where(in_shock, _SHOCK_SPREAD, 1.0)[:, None, None]
