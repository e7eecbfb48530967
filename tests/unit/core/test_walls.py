import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.walls import Towards, oi_walls, sr_levels, sr_position_score
from tests.unit.core.chains import chains, changes, column, is_finite, levels, like, two_sided

STRIKE = column(100, 110, 120, 130, 140)


def test_support_is_below_and_resistance_above_the_level():
    oi = two_sided((50, 10, 10, 90, 60), (80, 30, 10, 70, 20))

    found = sr_levels(STRIKE, oi, np.zeros((2, 5)), 121.0)

    assert found.support.wall == 100
    assert found.resistance.wall == 130
    assert all(k <= 121 for k, _ in found.support.strongest)
    assert [k for k, _ in found.resistance.strongest] == [130, 140]


def test_a_strike_at_the_level_is_a_candidate_of_both_sides():
    found = sr_levels(STRIKE, np.ones((2, 5)), np.zeros((2, 5)), 120.0)

    assert found.support.strongest[0][0] == 120
    assert found.resistance.strongest[0][0] == 120


def test_strength_adds_its_four_parts():
    oi = two_sided((0, 0, 0, 0, 0), (40, 20, 0, 0, 0))
    change = two_sided((0, 0, 0, 0, 0), (-10, 5, 0, 0, 0))

    (first, strength), (second, other) = sr_levels(STRIKE, oi, change, 120.0).support.strongest

    assert (first, second) == (100, 110)
    assert strength == pytest.approx(50 + 0 + 15 * np.exp(-20 / 1.2) + 15)
    assert other == pytest.approx(25 + 15 + 15 * np.exp(-10 / 1.2) + 15)


def test_a_second_wall_nearly_as_large_makes_a_level_weak():
    oi = two_sided((0, 0, 0, 100, 75), (75, 100, 0, 0, 0))

    found = sr_levels(STRIKE, oi, np.zeros((2, 5)), 120.0)

    assert (found.resistance.second_ratio, found.resistance.weak_towards) == (0.75, Towards.TOP)
    assert found.support.weak_towards is Towards.BOTTOM


def test_of_equally_strong_levels_the_nearest_comes_first():
    strike = column(1, 2, 3, 1_000, 5_000, 6_000, 7_000)  # but for one none is near

    found = sr_levels(strike, np.ones((2, 7)), np.zeros((2, 7)), 1_000.0)

    assert [k for k, _ in found.support.strongest] == [1_000, 3, 2]
    assert [k for k, _ in found.resistance.strongest] == [1_000, 5_000, 6_000]
    assert found.resistance.strongest[1][1] == found.resistance.strongest[2][1]


def test_an_empty_side_has_no_levels():
    found = sr_levels(STRIKE, np.ones((2, 5)), np.zeros((2, 5)), 90.0)

    assert found.support == ((), None, None, None)


def test_of_equal_walls_the_nearest_to_the_level_comes_first():
    below, above = oi_walls(STRIKE, np.ones((2, 5)), 121.0)

    assert [k for k, _ in below] == [120, 110, 100]
    assert [k for k, _ in above] == [130, 140]


@given(chains(), levels, st.data())
def test_levels_are_finite_ordered_and_bounded(chain, level, data):
    strike, oi = chain
    found = sr_levels(strike, oi, like(data.draw, oi, changes), level)

    assert is_finite(tuple(found.support) + tuple(found.resistance))
    for side in found:
        strengths = [strength for _, strength in side.strongest]
        assert strengths == sorted(strengths, reverse=True)
        assert all(0 < strength <= 100 + 1e-9 for strength in strengths)


@given(chains(), levels, st.data())
def test_an_empty_strike_changes_no_level(chain, level, data):
    strike, oi = chain
    change = like(data.draw, oi, changes)
    wider = np.append(strike, strike[-1] + 50)
    gap = np.full((2, 1), np.nan)

    before = sr_levels(strike, oi, change, level)
    after = sr_levels(wider, np.hstack([oi, gap]), np.hstack([change, gap]), level)

    assert after == before


@given(chains(), levels)
def test_mirroring_the_chain_about_the_level_swaps_the_walls(chain, level):
    strike, oi = chain
    mirrored = (2 * level - strike)[::-1]

    below, above = oi_walls(strike, oi, level)
    other_below, other_above = oi_walls(mirrored, oi[::-1, ::-1], level)

    assert [(2 * level - k, q) for k, q in other_above] == list(below)
    assert [(2 * level - k, q) for k, q in other_below] == list(above)


def test_the_position_between_the_primaries_is_scored():
    assert sr_position_score(26_052.4, (26_000, 82.0), (26_200, 71.0)) == pytest.approx(0.293)
    assert sr_position_score(26_052.4, None, (26_200, 71.0)) is None
    assert sr_position_score(26_000, (26_000, 90.0), (26_000, 70.0)) == pytest.approx(0.1)
