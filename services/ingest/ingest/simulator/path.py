"""The way of one underlying through a day: regime, forward, volatility at the money, slope of the smile (pure).

Source: analytics specification, 13.1 (what indices share), 13.2 (regimes) and 13.3 (prices).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ingest.simulator.dice import dice
from ingest.simulator.regimes import RANGE_CODE, REGIMES, SHOCK_CODE, Codes, walk
from ingest.simulator.universe import Market
from oimon.core.chain import FloatArray

SHARED = 0.8
"""Probability that an index has the regimes of all indices on a day; else it has its own."""
OWN_VOL = 0.04
"""Volatility a year of what an index does by itself; with the common factor an index of beta 1 has that of the regime."""
SHARE_VOL = 0.20
"""Volatility a year of a share, whose quotes know no regime."""
_LEVEL_SPREAD = 0.02
"""Of the level at the open, from day to day; the specification names no level."""
_SESSIONS = 252
_RANGE_PULL = 0.0012  # a second, back to where the range began
_IV_MEAN, _IV_PULL, _IV_NOISE, _IV_FLOOR = 0.12, 2e-5, 4e-5, 0.06
_SLOPE_MEAN, _SLOPE_PULL = (
    -0.10,
    2e-5,
)  # the specification gives no rate for the slope: that of the IV
_SLOPE_RANGE = (-0.35, 0.05)
_JUMP_RATE, _JUMP = 1 / 60, 0.0012


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Path:
    """One value a second, each of shape (seconds,)."""

    regime: Codes
    forward: FloatArray  # of the nearest expiry, rupees
    atm_iv: FloatArray
    slope: FloatArray


def opened(seed: int, market: Market) -> Market:
    """Return the market at the level at which this seed's day opens, near the market's own.

    Were it the same on all days, so were the places of the large round strikes beside it, and all days would lean one way.
    """
    away = _LEVEL_SPREAD * dice(seed, f"{market.name}:level").standard_normal()
    return replace(market, level=market.level * math.exp(away))


def day_path(seed: int, market: Market, seconds: int) -> Path:
    """Return a market's day.

    Args:
        seed: of the simulation.
        market: whose day.
        seconds: length of its session, which is also the day of the volatilities.
    """
    codes = _regimes(seed, market, seconds)
    chance = dice(seed, f"{market.name}:path")
    own, iv_noise, jump_at, jumps = (
        chance.standard_normal(seconds), chance.standard_normal(seconds), chance.random(seconds),
        chance.standard_normal(seconds) * _JUMP,
    )  # fmt: skip
    table = np.array([(r.drift, r.vol, r.iv_drift, r.slope_drift) for r in REGIMES])[codes].T
    drift, vol, iv_drift, slope_drift = table
    a_second = 1 / math.sqrt(_SESSIONS * seconds)
    if market.beta is not None:
        common = dice(seed, "INDICES:path").standard_normal(seconds)
        shared_vol = np.sqrt(vol * vol - OWN_VOL * OWN_VOL)
        moves = (market.beta * shared_vol * common + OWN_VOL * own) * a_second
    else:
        moves = (vol if market.strikes else SHARE_VOL) * own * a_second
    if market.strikes:
        moves += drift / 3600 + np.where((codes == SHOCK_CODE) & (jump_at < _JUMP_RATE), jumps, 0.0)
    return Path(
        regime=codes,
        forward=market.level * np.exp(_pulled(moves, codes)),
        atm_iv=_reverting(_IV_MEAN, _IV_PULL, iv_drift / 3600 + _IV_NOISE * iv_noise, (_IV_FLOOR, math.inf)),
        slope=_reverting(_SLOPE_MEAN, _SLOPE_PULL, slope_drift / 3600, _SLOPE_RANGE),
    )  # fmt: skip


def _regimes(seed: int, market: Market, seconds: int) -> Codes:
    chance = dice(seed, f"{market.name}:regime")
    is_shared = market.beta is not None and chance.random() < SHARED
    return walk(dice(seed, "INDICES:regime") if is_shared else chance, seconds)


def _pulled(moves: FloatArray, codes: Codes) -> FloatArray:
    """Return the logarithm of the price against the open; in a RANGE it is drawn back to where that began."""
    found = np.empty_like(moves)
    level, start, before = 0.0, 0.0, -1
    for second, (move, code) in enumerate(zip(moves.tolist(), codes.tolist(), strict=True)):
        if code != before:
            start, before = level, code
        found[second] = level
        level += move - (_RANGE_PULL * (level - start) if code == RANGE_CODE else 0.0)
    return found


def _reverting(
    mean: float, pull: float, moves: FloatArray, limits: tuple[float, float]
) -> npt.NDArray[np.float64]:
    """Return a value that starts at its mean, is moved each second and drawn back to it, within limits."""
    found = np.empty_like(moves)
    low, high = limits
    value = mean
    for second, move in enumerate(moves.tolist()):
        found[second] = value
        value = min(max(value + pull * (mean - value) + move, low), high)
    return found
