import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.gex import gex
from oimon.core.greeks import black76
from oimon.core.iv_rank import iv_rank
from oimon.core.smile import Quotes, smile, smiles
from oimon.core.straddle import expected_move, straddle
from tests.unit.core.chains import chains, is_finite, levels, like, prices

MARKET = {"forward": 26_052.4, "years": 5.2 / 365, "rate": 0.055}
STRIKE = 25_000 + 100.0 * np.arange(22)


def skewed(sigma_atm=0.12, slope=-0.08):
    sigma = sigma_atm + slope * np.log(STRIKE / MARKET["forward"])
    return sigma, black76(MARKET["forward"], STRIKE, MARKET["years"], sigma, MARKET["rate"]).price


def curve_of(strike, price, **changed):
    terms = MARKET | changed
    return smile(Quotes(strike, price, terms["forward"], terms["years"], 0.01), terms["rate"])


def test_an_expiry_s_smile_does_not_depend_on_the_others():
    _, price = skewed()
    live = Quotes(STRIKE, price, 26_052.4, MARKET["years"], 0.01)
    expired = live._replace(years=0.0)
    shorter = Quotes(STRIKE[3:], price[:, 3:], 26_000.0, 0.5 / 365, 0.05)

    together = smiles([expired, live, shorter], 0.055)

    for quotes, curve in zip((expired, live, shorter), together, strict=True):
        alone = smile(quotes, 0.055)
        assert np.array_equal(curve.iv, alone.iv, equal_nan=True)
        assert np.array_equal(curve.delta, alone.delta, equal_nan=True)
        assert (curve.atm_iv, curve.rr25) == (alone.atm_iv, alone.rr25)
    assert together[0].atm_iv is None
    assert smiles([], 0.055) == []


def test_one_volatility_a_strike_comes_from_the_leg_out_of_the_money():
    sigma, price = skewed()
    price[0, STRIKE < 26_052.4] = 9_999.0  # a wrong price in the money is not asked

    curve = curve_of(STRIKE, price)

    assert curve.is_call.tolist() == (STRIKE >= 26_052.4).tolist()
    assert curve.iv == pytest.approx(sigma, abs=1e-9)


def test_the_measures_are_read_off_the_curve():
    sigma, price = skewed()

    curve = curve_of(STRIKE, price)

    assert curve.atm_iv == pytest.approx(np.interp(26_052.4, STRIKE, sigma))
    assert curve.rr25 == pytest.approx(curve.call25 - curve.put25)
    assert curve.rr25 < 0
    assert curve.delta[0] - curve.delta[1] == pytest.approx(np.exp(-0.055 * 5.2 / 365))


def test_a_chain_without_wings_has_no_risk_reversal():
    _, price = skewed()
    near = slice(9, 12)

    curve = curve_of(STRIKE[near], price[:, near])

    assert curve.atm_iv is not None
    assert curve.rr25 is None


def test_gamma_exposure_is_calls_minus_puts():
    _, price = skewed()
    curve = curve_of(STRIKE, price)
    oi = np.zeros((2, 22))
    oi[0, 12] = 650.0

    calls = gex(STRIKE, oi, curve, **MARKET)
    puts = gex(STRIKE, oi[::-1], curve, **MARKET)

    assert calls.net == calls.absolute == -puts.net > 0
    assert calls.zero_gamma is None


def test_zero_gamma_lies_between_put_and_call_interest():
    _, price = skewed()
    curve = curve_of(STRIKE, price)
    oi = np.zeros((2, 22))
    oi[1, 8], oi[0, 13] = 65_000.0, 65_000.0

    assert 25_800 < gex(STRIKE, oi, curve, **MARKET).zero_gamma < 26_300


def test_beyond_the_listed_strikes_no_exposure_is_no_crossing():
    near = slice(10, 12)
    market = MARKET | {"years": 0.001 / 365}
    price = np.full((2, 22), 0.5)
    curve = curve_of(STRIKE[near], price[:, near], **market)
    oi = np.array([[65.0, 65.0], [0.0, 0.0]])

    assert gex(STRIKE[near], oi, curve, **market).zero_gamma is None


def test_a_crossing_far_from_the_forward_is_found():
    _, price = skewed()
    curve = curve_of(STRIKE, price)
    oi = np.zeros((2, 22))
    oi[1, 0], oi[0, 6:] = 6_500_000.0, 65.0

    zero = gex(STRIKE, oi, curve, **MARKET).zero_gamma

    assert 0.015 < abs(zero / 26_052.4 - 1) < 0.05


@given(chains(prices), levels, st.floats(0, 0.1), st.data())
def test_results_are_finite_whatever_is_missing(chain, level, years, data):
    strike, price = chain
    oi = like(data.draw, price, prices)

    curve = curve_of(strike, price, forward=level, years=years)
    exposure = gex(strike, oi, curve, forward=level, years=years, rate=0.055)

    assert is_finite((curve.atm_iv, curve.call25, curve.put25, curve.rr25))
    assert (np.isnan(curve.iv) == (curve.status != 0)).all()
    if exposure is not None:
        assert is_finite((exposure.net, exposure.absolute, exposure.zero_gamma))


def test_the_straddle_needs_both_legs():
    found = straddle(146.85, 144.55, 26_052.4)

    assert (found.price, found.move_pct) == pytest.approx((291.40, 1.118515))
    assert straddle(None, 144.55, 26_052.4) is None
    assert expected_move(26_052.4, 0.118, 1 / 365) == pytest.approx(160.910103)


def test_iv_rank_needs_twenty_closes():
    history = [0.10 + 0.001 * i for i in range(21)]

    assert iv_rank(history[:19], 0.11) is None
    assert iv_rank(history, 0.11).rank == pytest.approx(50.0)
    assert iv_rank(history, 0.5).rank == 100.0
    assert iv_rank(history, 0.01).rank == 0.0
    assert iv_rank([0.9, *[0.1, 0.2] * 126], 0.2).rank == 100.0  # the last 252 count
    assert iv_rank([0.12] * 20, 0.12).rank is None
