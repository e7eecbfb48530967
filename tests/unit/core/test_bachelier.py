"""The start of a volatility is as close as it says, wherever a price has one."""

import numpy as np
import pytest

from oimon.core.bachelier import near_deviation
from oimon.core.greeks import black76


def options(low, high, widest):
    """Return deviation, value, distance and logarithm of random out-of-the-money calls."""
    dice = np.random.default_rng(4)
    s, x = dice.uniform(low, high, 20_000), -(10.0 ** dice.uniform(-7, np.log10(widest), 20_000))
    strike = np.exp(-x)
    value = black76(1.0, strike, 1.0, s, 0.0).price[0] / np.sqrt(strike)
    is_told = value > 1e-8
    return s[is_told], value[is_told], (2 * np.sinh(-x / 2))[is_told], x[is_told]


@pytest.mark.parametrize(
    ("low", "high", "widest", "error"), [(0.005, 0.3, 0.25, 4e-5), (0.3, 2.0, 0.9, 0.04)]
)
def test_the_start_is_as_close_as_it_says(low, high, widest, error):
    s, value, apart, x = options(low, high, widest)

    off = np.abs(near_deviation(value, apart, x) / s - 1)

    assert len(s) > 5_000
    assert error / 3 < off.max() < error
