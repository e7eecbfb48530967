"""Strategies and small hand-made chains for the tests of the core."""

import math

import numpy as np
from hypothesis import strategies as st

nan = float("nan")
quantities = st.one_of(st.just(nan), st.integers(0, 200_000).map(lambda lots: float(65 * lots)))
changes = st.one_of(st.just(nan), st.integers(-90_000, 90_000).map(lambda lots: float(65 * lots)))
prices = st.one_of(st.just(nan), st.just(0.0), st.integers(1, 400_000).map(lambda t: t * 0.05))
levels = st.integers(20_000, 32_000).map(float)


def column(*values):
    return np.array([nan if value is None else value for value in values], np.float64)


def two_sided(calls, puts):
    return np.stack([column(*calls), column(*puts)])


@st.composite
def chains(draw, values=quantities, *, least=1, most=25):
    """Draw strikes of shape (n,) and a two-sided column of shape (2, n)."""
    n = draw(st.integers(least, most))
    first = draw(st.integers(450, 560)) * 50
    strike = first + 50.0 * np.arange(n)
    oi = [draw(st.lists(values, min_size=n, max_size=n)) for _ in range(2)]
    return strike, np.array(oi, np.float64)


def like(draw, oi, values):
    """Draw another column of the same shape."""
    rows = [draw(st.lists(values, min_size=oi.shape[1], max_size=oi.shape[1])) for _ in oi]
    return np.array(rows, np.float64)


def is_finite(value) -> bool:
    """Say whether a result, however nested, holds no NaN and no infinity."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, tuple | list):
        return all(is_finite(part) for part in value)
    if isinstance(value, np.ndarray):
        return bool(np.isfinite(value).all())
    return True
