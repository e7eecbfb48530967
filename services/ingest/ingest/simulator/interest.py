"""Open interest: what is true every five seconds, and what of it has been published (pure). Source: specification, 13.4."""

import numpy as np
import numpy.typing as npt

from ingest.simulator.regimes import REGIMES, Codes
from oimon.core.chain import FloatArray

STEP_S = 5
"""True open interest moves so often, and what is due for publication in these seconds comes in one burst at their end."""
_WINDOW_S = 900.0
_NOISE = 0.004  # of the base, a square root of 15 minutes
_ATM = 0.3  # % of moneyness
Lots = npt.NDArray[np.int64]


def weights(
    chance: np.random.Generator, strike: FloatArray, forward: float, step: float, peak: float
) -> FloatArray:
    """Return what each leg has for itself in its base, in lots where the hump is 1, calls then puts, shape (2, n).

    Args:
        chance: the stream's generator.
        strike: rupees, ascending, shape (n,).
        forward: rupees, at the open.
        step: between strikes, rupees.
        peak: lots of the largest strike at the open, before its lognormal factor.
    """
    rounded = np.where(strike % (10 * step) == 0, 3.0, np.where(strike % (2 * step) == 0, 1.8, 1.0))
    shape = _hump(strike, np.array([forward]))[0] * rounded
    found: FloatArray = peak * rounded / shape.max() * chance.lognormal(0.0, 0.3, shape.shape)
    return found


def base_lots(weight: FloatArray, strike: FloatArray, forward: FloatArray) -> FloatArray:
    """Return the base of each leg's open interest in lots while the forward is there, shape (times, 2, n).

    At the open it is what is held; later it is what flows are a share of, so writers go where the price has gone.

    Args:
        weight: of :func:`weights`, shape (2, n).
        strike: rupees, shape (n,).
        forward: rupees, shape (times,).
    """
    return weight * _hump(strike, forward)


def _hump(strike: FloatArray, forward: FloatArray) -> FloatArray:
    """Return where calls and puts are held, by moneyness, shape (times, 2, n)."""
    money = 100 * (strike / forward[:, None, None] - 1)
    found: FloatArray = np.exp(-(((money - np.array([[1.2], [-1.2]])) / 1.6) ** 2)) + 0.03
    return found


def activity(strike: FloatArray, forward: FloatArray) -> FloatArray:
    """Return how active each strike is while the forward is there, shape (times, n)."""
    away = (strike - forward[:, None]) / (0.01 * forward[:, None])
    found: FloatArray = np.exp(-0.5 * away * away) + 0.10
    return found


def option_lots(
    chance: np.random.Generator,
    base: FloatArray,
    strike: FloatArray,
    forward: FloatArray,
    codes: Codes,
) -> Lots:
    """Return the true open interest of a chain in lots at each step, shape (steps, 2, n); at the first it is the base.

    Args:
        chance: the stream's generator.
        base: lots at each step, shape (steps, 2, n).
        strike: rupees, shape (n,).
        forward: rupees at each step, shape (steps,).
        codes: regime at each step, shape (steps,).
    """
    money = 100 * (strike - forward[:, None]) / forward[:, None]
    above = np.where(
        np.abs(money) <= _ATM, 1, np.where(money > 0, 2, 0)
    )  # a call's bucket: in, at, out of the money
    flows = np.array([(regime.ce_flow, regime.pe_flow) for regime in REGIMES])[codes]
    places = np.arange(len(codes))[:, None]
    flow = np.stack([flows[places, 0, above], flows[places, 1, 2 - above]], axis=1)
    flow *= activity(strike, forward)[:, None, :]
    return _grown(chance, base, flow, noise=_NOISE)


def future_lots(chance: np.random.Generator, base: float, codes: Codes) -> Lots:
    """Return the true open interest of a future in lots at each step, shape (steps,): the noise is that of legs."""
    flow = np.array([regime.future_flow for regime in REGIMES])[codes]
    return _grown(chance, np.full(flow.shape, base), flow, noise=0.0)


def _grown(
    chance: np.random.Generator, base: FloatArray, flow: FloatArray, *, noise: float
) -> Lots:
    """Return lots after each step of a flow and of noise (shares of that step's base in 15 minutes), never below 0."""
    part = STEP_S / _WINDOW_S
    spread = noise * np.sqrt(part) * chance.standard_normal(flow.shape)
    moved = base * (flow * part * chance.lognormal(0.0, 0.5, flow.shape) + spread)
    moved[0] = np.rint(base[0])
    total = np.cumsum(moved, axis=0)
    # Held at 0 at every step: the whole is what it would be without a floor, less its deepest dive so far.
    total -= np.minimum(np.minimum.accumulate(total, axis=0), 0.0)
    found: Lots = np.rint(total).astype(np.int64)
    return found


def published(chance: np.random.Generator, true: Lots, publish_s: float) -> Lots:
    """Return what of the true open interest has been published at each step, of the same shape.

    Each leg publishes every ``publish_s`` with a phase of its own; until its first publication it shows the open's.
    """
    phase = chance.random(true.shape[1:]) * publish_s
    at_s = (STEP_S * np.arange(len(true))).reshape(-1, *(1,) * phase.ndim)
    count = np.floor((at_s - phase) / publish_s)
    is_due = np.diff(count, axis=0, prepend=count[:1]) > 0
    newest = np.maximum.accumulate(np.where(is_due, at_s // STEP_S, 0), axis=0)
    return np.take_along_axis(true, newest, axis=0)
