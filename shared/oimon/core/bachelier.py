"""Black's deviation from a price, closely: by way of Bachelier's, which depends on one number."""

import numpy as np

from oimon.core.chain import FloatArray

START_OVER = (2.506628891573859, 0.13327224610755378, 0.08934038218103103, 0.004073531623892339, 0.0006651743091783848, 3.975519722831955e-06)  # fmt: skip
START_UNDER = (1.0, 0.053174197177190484, 0.11519195409941932, 0.00590079334813262, 0.001412388761032192, 5.8794691960379464e-05)  # fmt: skip
"""Bachelier's deviation over value + apart/2, as a fraction of two polynomials in ln(1 + apart/value), to 3e-7; ours."""

_HALF, _SHIFT = np.array(0.5), np.array(24.0)
_UPS, _DOWNS = tuple(map(np.array, START_OVER[::-1])), tuple(map(np.array, START_UNDER[::-1]))


def near_deviation(value: FloatArray, apart: FloatArray, x: FloatArray) -> FloatArray:
    """Return Black's s = σ√T of a price, shape (n,): to 4e-5 for s below 0.3 and strikes within a quarter, to 4 % for s below 2.

    Bachelier's deviation of the same price depends on one number, apart/value, and has a close approximation in its
    logarithm; Black's is that, times x/2 over sinh(x/2) and 1 + s²/24.

    Args:
        value: time value over √(F·K), shape (n,).
        apart: |F − K| over √(F·K), shape (n,).
        x: ln(F/K), of either sign, shape (n,).
    """
    level = apart / value
    np.log1p(level, out=level)
    over, under = level * _UPS[0], level * _DOWNS[0]
    for up, down in zip(_UPS[1:-1], _DOWNS[1:-1], strict=True):
        over += up
        over *= level
        under += down
        under *= level
    over += _UPS[-1]
    under += _DOWNS[-1]
    s: FloatArray = apart * _HALF
    s += value
    s *= over
    s /= under
    s *= (s * s + _SHIFT) / (x * x + _SHIFT)
    return s
