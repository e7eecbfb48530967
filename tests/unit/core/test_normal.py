"""The normal distribution beside the C library's error function."""

import math

import numpy as np
import pytest

from oimon.core.normal import both_sides, mills, normal_pdf


def tail(z):
    return 0.5 * math.erfc(z / math.sqrt(2))


def test_both_sides_are_exact_in_both_tails():
    x = np.concatenate((np.linspace(-37, 37, 2001), [-8.0, 0.0, 8.0]))

    found = both_sides(x, normal_pdf(x))

    # the exponent's last digit is worth x²/2 of the density's
    assert found[0].tolist() == pytest.approx([tail(-value) for value in x], rel=3e-13, abs=0)
    assert found[1].tolist() == pytest.approx([tail(value) for value in x], rel=3e-13, abs=0)
    near = np.abs(x) < 5
    assert found[0, near].tolist() == pytest.approx(
        [tail(-value) for value in x[near]], rel=5e-15, abs=0
    )


def test_the_ratio_falls_to_nothing_far_out_and_does_not_know_the_unknown():
    assert mills(np.array([0.0]))[0] == pytest.approx(math.sqrt(math.pi / 2), rel=1e-15)
    assert mills(np.array([1e8]))[0] == pytest.approx(1e-8, rel=1e-15)
    assert mills(np.array([math.inf]))[0] == 0.0
    assert np.isnan(mills(np.array([math.nan]))[0])


def test_no_ratio_depends_on_its_neighbours():
    z = np.random.default_rng(3).exponential(2.0, 301)

    together = mills(z)

    for size in (1, 2, 7, 64):
        assert np.array_equal(mills(z[20 : 20 + size]), together[20 : 20 + size])
