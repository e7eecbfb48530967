"""The reading of one strike: whose flow is it, and who holds more."""

from dataclasses import dataclass

import numpy as np

from oimon.core import fast
from oimon.core.build_up import CALL_SAYS, PUT_SAYS
from oimon.core.chain import CE, PE, FloatArray, IntArray, without_gaps
from oimon.core.compare import SLACK
from oimon.terms import Verdict

THRESHOLD = 0.25
_NEVER_ZERO = np.array(1e-300)  # vanishes beside any quantity
# By score reached: at or below −0.25, in between, at or above +0.25.
VERDICTS = (Verdict.BEAR, Verdict.NEUTRAL, Verdict.BULL)

SAYS = np.array(CALL_SAYS + PUT_SAYS)
"""What each class of a call says, then of a put."""
_PLACE = np.array(((0,), (len(CALL_SAYS),)), np.int8)  # of each side in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdicts:
    """Verdict of each strike as an index into ``VERDICTS``, and the score, flow and balance behind it, shape (n,)."""

    code: IntArray
    score: FloatArray
    flow: FloatArray
    balance: FloatArray


def class_says(build_up: IntArray) -> FloatArray:
    """Return what each leg's class says of the underlying, in [−1, 1], shape (2, n).

    Source: analytics specification, 5.2.
    """
    return SAYS.take(build_up + _PLACE)


def strike_verdict(build_up: IntArray, oi_change: FloatArray, oi: FloatArray) -> Verdicts:
    """Return the verdict of each strike; balance alone can never decide.

    Args:
        build_up: class of each leg as an index into ``build_up.CLASSES``, shape (2, n).
        oi_change: over the short-term window, in quantity, shape (2, n), NaN where unknown.
        oi: open interest in quantity, shape (2, n), NaN where missing.

    Source: analytics specification, 5.3.
    """
    if fast.loops is not None:
        code, found = np.empty(oi.shape[1], np.int8), np.empty((3, oi.shape[1]))
        told = np.ascontiguousarray(build_up)
        fast.loops.verdicts(told, oi_change, oi, SAYS, THRESHOLD - SLACK, code, found)
        return Verdicts(code=code, score=found[0], flow=found[1], balance=found[2])
    size = np.abs(without_gaps(oi_change))
    said = class_says(build_up) * size
    held = without_gaps(oi)
    flow = _ratio(said[CE] + said[PE], size[CE] + size[PE])
    balance = _ratio(held[PE] - held[CE], held[PE] + held[CE])
    score = 0.8 * flow + 0.2 * balance
    code = (score >= THRESHOLD - SLACK).astype(np.int8)
    code += score > SLACK - THRESHOLD
    return Verdicts(code=code, score=score, flow=flow, balance=balance)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """Return part/whole, 0 where the whole is 0: nothing moved or nothing is held says nothing."""
    ratio: FloatArray = part / (whole + _NEVER_ZERO)
    return ratio
