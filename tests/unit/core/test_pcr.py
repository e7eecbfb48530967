import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.chain import strike_window
from oimon.core.pcr import PcrBand, pcr, pcr_band, pcr_level_score, pcr_slope
from tests.unit.core.chains import chains, column, is_finite, two_sided


def test_pcr_is_put_interest_over_call_interest():
    oi, volume = two_sided((100, 300), (200, 400)), two_sided((10, 10), (5, 5))

    found = pcr(oi, volume)

    assert (found.by_oi, found.by_volume) == (1.5, 0.5)
    assert (found.ce_oi, found.pe_oi) == (400, 600)


def test_a_ratio_to_nothing_is_unknown():
    nothing = two_sided((0, None), (None, 0))

    found = pcr(nothing, nothing)

    assert (found.by_oi, found.by_volume) == (None, None)


def test_the_scope_is_the_columns_given():
    strike = column(100, 150, 200, 250, 300)
    oi = two_sided((1, 1, 2, 1, 1), (9, 1, 1, 1, 9))
    window = strike_window(strike, 200, 1)

    assert pcr(oi[:, window], oi[:, window]).by_oi == 0.75


@given(chains(), st.integers(2, 9))
def test_scaling_all_open_interest_leaves_pcr(chain, factor):
    _, oi = chain

    assert pcr(oi * factor, oi).by_oi == pytest.approx(pcr(oi, oi).by_oi)


@given(chains())
def test_swapping_calls_and_puts_inverts_pcr(chain):
    _, oi = chain

    ratio, inverse = pcr(oi, oi).by_oi, pcr(oi[::-1], oi).by_oi

    if ratio and inverse:
        assert inverse == pytest.approx(1 / ratio)
    assert is_finite((ratio, inverse))


def test_bands_take_their_lower_bound():
    assert pcr_band(0.49) is PcrBand.EXTREME_LOW
    assert pcr_band(0.9) is PcrBand.NEUTRAL
    assert pcr_band(1.6) is PcrBand.EXTREME_HIGH


@given(st.floats(0, 100))
def test_the_level_score_stays_within_bounds_and_fades_at_the_extremes(value):
    assert -1 <= pcr_level_score(value) <= 1
    if value >= 2 or value <= 0.3:
        assert pcr_level_score(value) == 0


def test_the_slope_is_the_drift_an_hour():
    samples = [(at, 0.9 + 0.1 * at / 3600) for at in range(0, 901, 180)]

    found = pcr_slope(samples, 900.0)

    assert found.per_hour == pytest.approx(0.1)
    assert found.score == pytest.approx(0.5)


def test_unknown_samples_are_skipped_and_a_short_history_has_no_slope():
    samples = [(0.0, 0.9), (60.0, None), (120.0, 0.9), (180.0, 0.9), (240.0, 0.9), (299.0, 0.9)]

    assert pcr_slope(samples, 300.0) is None
    assert pcr_slope([*samples, (300.0, 0.9)], 300.0).per_hour == pytest.approx(0.0)


def test_samples_before_the_window_do_not_count():
    old = [(float(at), 5.0) for at in range(5)]
    window = [(1000.0 + 100 * i, 1.0) for i in range(5)]

    assert pcr_slope(old + window, 1400.0).per_hour == pytest.approx(0.0)
