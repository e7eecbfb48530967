import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.max_pain import max_pain, max_pain_applies, max_pain_score, pain_curve
from tests.unit.core.chains import chains, column, is_finite, levels, two_sided


def pain_by_definition(strike, oi):
    held = np.nan_to_num(oi)
    return [
        sum(held[0] * np.maximum(0, at - strike)) + sum(held[1] * np.maximum(0, strike - at))
        for at in strike
    ]


def test_max_pain_is_the_strike_where_writers_pay_least():
    strike = column(7900, 8000, 8100)
    oi = two_sided((322_950, 5_966_225, 570_975), (1_110_975, 3_114_525, 2_259_900))

    found = max_pain(strike, oi, 8000.0)

    assert found.strike == 8000
    assert pain_curve(strike, oi).tolist() == [763_432_500, 258_285_000, 661_212_500]


def test_of_equal_strikes_the_nearest_to_the_level_stands():
    strike = column(100, 110, 120)
    oi = two_sided((10, 0, 0), (0, 0, 10))

    assert max_pain(strike, oi, 113.0).strike == 110
    assert max_pain(strike, oi, 99.0).strike == 100
    assert max_pain(strike, oi, 115.0).strike == 110  # still tied: the lower


def test_a_flat_bottom_is_the_zone():
    found = max_pain(column(100, 110, 120), two_sided((10, 0, 0), (0, 0, 10)), 113.0)

    assert found.zone == (100, 120)


def test_one_side_alone_has_its_max_pain():
    strike, nothing = column(100, 110, 120), (None, None, None)

    assert max_pain(strike, two_sided((5, 10, 5), nothing), 115.0).strike == 100
    assert max_pain(strike, two_sided(nothing, (5, 10, 5)), 105.0).strike == 120


def test_rounding_makes_no_strike_of_paise_fall_out_of_the_flat_bottom():
    strike = column(0.1, 0.2, 0.3, 0.4)  # by running sums 0.3 lies below its neighbours by a bit
    found = max_pain(strike, two_sided((1e6, 0, 0, 0), (0, 0, 0, 1e6)), 0.11)

    assert (found.strike, found.zone) == (0.1, (0.1, 0.4))


def test_no_open_interest_has_no_max_pain():
    assert max_pain(column(100), two_sided((0,), (None,)), 100.0) is None
    assert max_pain(column(), two_sided((), ()), 100.0) is None
    assert not len(pain_curve(column(), two_sided((), ())))


@given(chains(), levels)
def test_running_sums_equal_the_definition(chain, level):
    strike, oi = chain

    found = max_pain(strike, oi, level)

    expected = pain_by_definition(strike, oi)
    if not np.nansum(oi):
        assert found is None
        return
    assert pain_curve(strike, oi).tolist() == expected
    assert found.pain == min(expected)
    ties = [k for k, pain in zip(strike, expected, strict=True) if pain == min(expected)]
    assert found.strike == min(ties, key=lambda k: (abs(k - level), k))
    near = [k for k, pain in zip(strike, expected, strict=True) if pain <= 1.02 * min(expected)]
    assert found.zone == (near[0], near[-1])


@given(chains(), levels, st.integers(2, 9))
def test_scaling_all_open_interest_leaves_the_strike(chain, level, factor):
    strike, oi = chain

    once, scaled = max_pain(strike, oi, level), max_pain(strike, oi * factor, level)

    assert (once and once.strike) == (scaled and scaled.strike)


@given(chains(), levels)
def test_an_empty_strike_changes_nothing_beyond_its_own_place_on_the_curve(chain, level):
    strike, oi = chain
    wider = np.append(strike, strike[-1] + 50)
    empty = np.hstack([oi, np.full((2, 1), np.nan)])

    before, after = max_pain(strike, oi, level), max_pain(wider, empty, level)

    if before is None:
        assert after is None
    else:
        assert after.pain == before.pain
        assert np.array_equal(pain_curve(wider, empty)[:-1], pain_curve(strike, oi))


@given(chains(), levels)
def test_results_are_finite(chain, level):
    assert is_finite(max_pain(*chain, level))


def test_max_pain_pulls_only_in_the_last_three_days():
    assert not max_pain_applies(3 / 365)
    assert max_pain_applies(2.9 / 365)
    assert max_pain_score(26_052.4, None, 0.118, 1 / 365) is None
    assert max_pain_score(26_052.4, 20_000.0, 0.118, 1 / 365) == -1.0
    assert max_pain_score(26_052.4, 30_000.0, 0.118, 1 / 365) == 1.0


@pytest.mark.parametrize(
    ("days", "nearness"), [(4.0, 0.0), (3.0, 0.0), (2.0, 0.5), (1.0, 1.0), (0.1, 1.0), (-0.1, 1.0)]
)
def test_the_pull_of_max_pain_grows_until_the_last_day(days, nearness):
    assert max_pain_score(26_000.0, 30_000.0, 0.118, days / 365) == pytest.approx(nearness)


def test_at_the_close_the_move_is_a_thousandth_of_the_forward():
    assert max_pain_score(26_000.0, 26_013.0, 0.118, 0.0) == pytest.approx(0.5)
