import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.greeks import black76, years_to_expiry
from oimon.core.implied_vol import IV_STATUSES, IvStatus, implied_vol
from tests.unit.core.chains import column

DAY = 1 / 365
MARKET = {"forward": 26_052.4, "years": 5.2 * DAY, "rate": 0.055, "tick": 0.05}


def status_of(price, strike, *, call=True, **changed):
    found = implied_vol(column(price), np.array([call]), column(strike), **(MARKET | changed))
    return IV_STATUSES[found.status[0]]


@pytest.mark.parametrize("days", [0.01, 0.1, 1.0, 7.0, 45.0, 365.0])
@pytest.mark.parametrize("sigma", [0.011, 0.05, 0.12, 0.4, 1.5, 4.9])
def test_a_price_returns_the_volatility_that_made_it(days, sigma):
    forward, years = 26_052.4, days * DAY
    spread = sigma * math.sqrt(years)
    strike = forward * np.exp(np.linspace(-6, 6, 121) * spread)
    made = black76(forward, strike, years, np.full(strike.shape, sigma), 0.055)
    is_call = strike >= forward
    price = np.where(is_call, made.price[0], made.price[1])

    found = implied_vol(price, is_call, strike, forward=forward, years=years, rate=0.055, tick=1e-4)

    solved = found.status == 0
    assert solved.sum() > 60
    # a price holds its own volatility only as finely as the last digit of it
    limit = 1e-10 + 1e-15 * price / np.maximum(made.vega * 100, 1e-300)
    assert (np.abs(found.sigma - sigma)[solved] <= limit[solved]).all()


@given(
    moneyness=st.floats(-0.3, 0.3),
    sigma=st.floats(0.02, 4.0),
    days=st.floats(0.01, 400),
    call=st.booleans(),
)
def test_every_status_is_a_status_and_every_volatility_is_in_range(moneyness, sigma, days, call):
    strike = column(26_000 * math.exp(moneyness))
    made = black76(26_000.0, strike, days * DAY, column(sigma), 0.055)

    found = implied_vol(
        made.price[0 if call else 1],
        np.array([call]),
        strike,
        forward=26_000.0,
        years=days * DAY,
        rate=0.055,
        tick=0.05,
    )

    if found.status[0] == 0:
        assert 0.01 <= found.sigma[0] <= 5.0
    else:
        assert math.isnan(found.sigma[0])


def test_the_reasons_are_asked_in_order():
    assert status_of(None, 26_000, years=0.0) is IvStatus.NO_PRICE
    assert status_of(10.0, 26_000, years=0.0) is IvStatus.EXPIRED
    assert status_of(10.0, 26_000, years=59 / 31_536_000) is IvStatus.TOO_CLOSE
    assert status_of(0.05, 27_500) is IvStatus.TICK_FLOOR
    assert status_of(52.0, 26_000) is IvStatus.BELOW_INTRINSIC
    assert status_of(26_100.0, 26_050) is IvStatus.ABOVE_BOUND
    assert status_of(27_600.0, 27_500, call=False) is IvStatus.ABOVE_BOUND
    assert status_of(1.0, 26_052.4) is IvStatus.BELOW_MIN
    assert status_of(26_000.0, 26_052.4) is IvStatus.ABOVE_MAX
    assert status_of(146.85, 26_050) is IvStatus.OK


def test_an_option_does_not_depend_on_its_neighbours():
    strike = column(25_000, 26_000, 26_050, 26_100, 27_000)
    price = column(2.2, 122.75, 147.0, 122.55, 0.35)
    is_call = np.array([False, False, False, True, True])

    together = implied_vol(price, is_call, strike, **MARKET).sigma

    for i in range(5):
        one = slice(i, i + 1)
        assert implied_vol(price[one], is_call[one], strike[one], **MARKET).sigma == together[one]


def test_greeks_are_the_slopes_of_the_price():
    forward, strike, years, sigma = 26_052.4, column(25_900, 26_050, 26_300), 5 * DAY, column(0.12)
    step = 0.5

    at = black76(forward, strike, years, sigma, 0.055)
    up = black76(forward + step, strike, years, sigma, 0.055)
    down = black76(forward - step, strike, years, sigma, 0.055)
    richer = black76(forward, strike, years, sigma + 0.0001, 0.055)

    assert at.delta == pytest.approx((up.price - down.price) / (2 * step), rel=1e-4)
    curvature = (up.price - 2 * at.price + down.price) / step**2
    assert np.stack([at.gamma] * 2) == pytest.approx(curvature, rel=1e-3)
    assert np.stack([at.vega] * 2) == pytest.approx((richer.price - at.price) * 100, rel=1e-2)


def test_put_and_call_keep_parity():
    strike = column(25_900, 26_050, 26_300)

    made = black76(26_052.4, strike, 5 * DAY, column(0.12, 0.12, 0.13), 0.055)

    discount = math.exp(-0.055 * 5 * DAY)
    assert made.price[0] - made.price[1] == pytest.approx(discount * (26_052.4 - strike))


def test_time_to_expiry_is_in_years_of_365_days():
    assert years_to_expiry(448_800) == pytest.approx(0.0142313546)
    assert years_to_expiry(-5) == 0


def test_no_volatility_depends_on_the_options_beside_it():
    """Also where the steps are led astray and a bracket closes around each root."""
    years, dice = 5.0, np.random.default_rng(5)
    strike = 26_000 * np.exp(dice.uniform(-0.9, 0.9, 40))
    made = black76(26_000.0, strike, years, dice.uniform(3.5, 4.99, 40), 0.055)
    is_call = strike >= 26_000
    price = np.where(is_call, made.price[0], made.price[1])
    market = {"forward": 26_000.0, "years": years, "rate": 0.055, "tick": 1e-9}

    together = implied_vol(price, is_call, strike, **market).sigma

    ones = [slice(at, at + 1) for at in range(len(strike))]
    alone = [implied_vol(price[at], is_call[at], strike[at], **market).sigma for at in ones]
    assert np.isfinite(together).all()
    assert np.concatenate(alone).tolist() == together.tolist()
