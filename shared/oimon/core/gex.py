"""Gamma exposure: rupees of underlying that hedgers trade for one per cent of move, if they are placed as assumed."""

import math
from dataclasses import dataclass

import numpy as np

from oimon.core import fast
from oimon.core.chain import CE, PE, FloatArray, without_gaps
from oimon.core.greeks import gammas
from oimon.core.smile import Smile

_GRID = np.linspace(0.95, 1.05, 101)
_GRID.flags.writeable = False
_RINGS = (slice(45, 56), slice(35, 66), slice(None))  # ±0.5 %, ±1.5 %, all


@dataclass(frozen=True, slots=True, kw_only=True)
class Gex:
    """Net and absolute exposure in rupees a per cent of move, each strike's, and the forward of no net gamma.

    The sign assumes dealers long calls and short puts, which in India is an assumption and no fact.
    """

    net: float
    absolute: float
    per_strike: FloatArray
    zero_gamma: float | None


def gex(
    strike: FloatArray, oi: FloatArray, curve: Smile, *, forward: float, years: float, rate: float
) -> Gex | None:
    """Return the gamma exposure of the strikes that have a volatility; None where none has.

    Args:
        strike: rupees, ascending, shape (n,).
        oi: open interest in quantity (no lot comes in again), shape (2, n), NaN where missing.
        curve: the smile of the same strikes.
        forward: rupees.
        years: time to expiry.
        rate: a year, continuous.

    Source: analytics specification, 9.4.
    """
    if fast.loops is not None:
        return _by_machine_code(strike, oi, curve, forward, years, rate)
    has_iv = (curve.status == 0).nonzero()[0]
    if not len(has_iv):
        return None
    sigma, at = curve.iv[has_iv], strike[has_iv]
    held = without_gaps(oi[:, has_iv])
    discount = math.exp(-rate * years)
    unit = gammas(curve.d1[has_iv], forward, years, sigma, discount) * (0.01 * forward * forward)
    net = held[CE] - held[PE]
    exposure = unit * net
    per_strike = np.full(strike.shape, np.nan)
    per_strike[has_iv] = exposure
    return Gex(
        net=float(np.add.reduce(exposure)),
        absolute=float(unit.dot(held[CE] + held[PE])),
        per_strike=per_strike,
        zero_gamma=_zero_gamma(at, net, sigma * math.sqrt(years), forward),
    )


def _by_machine_code(
    strike: FloatArray, oi: FloatArray, curve: Smile, forward: float, years: float, rate: float
) -> Gex | None:
    told, per_strike = (curve.iv, curve.status, curve.d1), np.empty(len(strike))
    asked = (strike, oi, *told, forward, years, rate, _GRID, per_strike)
    count, net, absolute, zero = fast.loops.gex(*asked)  # type: ignore[union-attr]  # asked where it is used
    if not count:
        return None
    return Gex(
        net=net,
        absolute=absolute,
        per_strike=per_strike,
        zero_gamma=None if math.isnan(zero) else zero,
    )


def _zero_gamma(
    strike: FloatArray, net: FloatArray, deviation: FloatArray, forward: float
) -> float | None:
    """Return the crossing nearest to the forward of net exposure with fixed volatilities; None without one.

    The middle of the grid is asked first: whatever crosses there is nearer than anything beyond.
    """
    if not np.count_nonzero(net):
        return None
    found = (_nearest_crossing(strike, net, deviation, forward, _GRID[ring]) for ring in _RINGS)
    return next((crossing for crossing in found if crossing is not None), None)


def _nearest_crossing(
    strike: FloatArray, net: FloatArray, deviation: FloatArray, forward: float, grid: FloatArray
) -> float | None:
    """Return where net exposure changes its sign nearest to the forward, by lines between the grid's levels.

    Exposure at F is D·0.01·F·Σ net·φ(d1)/s; what has no F in it moves no crossing.
    """
    levels = forward * grid
    density = np.log(levels)[:, None] - np.log(strike)
    density /= deviation
    density += deviation * 0.5
    density *= density
    density *= -0.5
    exposure = np.exp(density, out=density).dot(net / deviation) * levels
    held = exposure.nonzero()[0]  # far from every strike it is nothing at all, which is no crossing
    levels, exposure = levels[held], exposure[held]
    is_short = exposure < 0
    found = []
    for i in (is_short[:-1] != is_short[1:]).nonzero()[0].tolist():
        (x0, x1), (y0, y1) = levels[i : i + 2].tolist(), exposure[i : i + 2].tolist()
        found.append(x0 - y0 * (x1 - x0) / (y1 - y0))
    return min(found, key=lambda level: abs(level - forward), default=None)
