"""How fast open interest moves, against its own last half hour."""

import math
from dataclasses import dataclass

import numpy as np

from oimon.core.chain import FloatArray
from oimon.core.compare import SLACK, reaches

FLOW_WINDOW_S = (
    180.0  # a publication: NSE's page refreshes each 3 minutes; Source: specification, 1.3
)
BASE_S = 1800.0
MIN_SAMPLES, MIN_KNOWN = 20, 0.80
FAST, CALM = 3.0, 1.5  # standard deviations
LEAST_OF_MEAN, LEAST_OF_OI = 0.10, 0.0005  # what counts as one standard deviation at least


@dataclass(frozen=True, slots=True, kw_only=True)
class OiSpeed:
    """Flow of the chain in quantity, what is usual, and how many standard deviations lie between."""

    flow: float
    usual: float
    z: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeedWatch:
    """Flows of the last half hour as (seconds, quantity), oldest first, and whether a fast one was told and still lasts."""

    samples: tuple[tuple[float, float], ...] = ()
    is_fast: bool = False


def chain_flow(oi_change: FloatArray) -> float | None:
    """Return Σ|ΔOI| of a chain over 3 minutes, in quantity; None where fewer than 80 % of the legs have a change.

    Args:
        oi_change: over 3 minutes, in quantity, shape (2, n), NaN where unknown.

    Source: requirement B06 (OI speed); analytics specification, 2.2 (80 %).
    """
    known = oi_change[~np.isnan(oi_change)]
    if not oi_change.size or not reaches(known.size / oi_change.size, MIN_KNOWN):
        return None
    return float(np.abs(known).sum())


def oi_speed(watch: SpeedWatch, at_s: float, flow: float, oi: float) -> OiSpeed | None:
    """Return how fast open interest moves: z = (flow − mean) / deviation of the flows of the last 30 minutes.

    Flows younger than their own window are left out: they share open interest with the present one. The deviation is at least
    10 % of the mean and 0.05 % of the open interest, so that a calm chain's first stir is no record.

    Args:
        watch: the flows before.
        at_s: now, in seconds.
        flow: of :func:`chain_flow`.
        oi: of the whole chain, in quantity.

    Returns:
        None with fewer than 20 flows to compare with (10 minutes at a sample each 30 s).

    Source: requirement B06; decision record 0011.
    """
    since_s, until_s = at_s - BASE_S - SLACK, at_s - FLOW_WINDOW_S + SLACK
    base = [size for then_s, size in watch.samples if since_s <= then_s <= until_s]
    if len(base) < MIN_SAMPLES:
        return None
    usual = sum(base) / len(base)
    spread = math.sqrt(sum((size - usual) ** 2 for size in base) / len(base))
    deviation = max(spread, LEAST_OF_MEAN * usual, LEAST_OF_OI * oi)
    return OiSpeed(flow=flow, usual=usual, z=(flow - usual) / deviation if deviation else 0.0)


def watch_speed(
    watch: SpeedWatch, at_s: float, flow: float | None, oi: float
) -> tuple[SpeedWatch, OiSpeed | None]:
    """Return the watch after one more flow, and the speed where it is worth telling: fast now, and not since before.

    Told at z ≥ 3; not again until z has been below 1.5.

    Args:
        watch: after the flow before.
        at_s: time of this flow, in seconds.
        flow: of :func:`chain_flow`; None leaves the watch as it is.
        oi: of the whole chain, in quantity.

    Source: requirement B06; decision record 0011.
    """
    if flow is None:
        return watch, None
    found = oi_speed(watch, at_s, flow, oi)
    z = 0.0 if found is None else found.z
    is_fast = reaches(z, CALM if watch.is_fast else FAST)
    kept = tuple(sample for sample in watch.samples if sample[0] >= at_s - BASE_S - SLACK)
    after = SpeedWatch(samples=(*kept, (at_s, flow)), is_fast=is_fast)
    return after, found if is_fast and not watch.is_fast else None
