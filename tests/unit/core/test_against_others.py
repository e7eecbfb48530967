"""Ten thousand random options: our prices, Greeks and volatilities beside those of other people's libraries.

15 minutes to a year, volatility 3 % to 300 %, strikes up to 60 % from the forward.
"""

import math
from dataclasses import dataclass

import numpy as np
import pytest
import QuantLib as Ql
from blackscholes import Black76Call, Black76Put
from lets_be_rational import implied_volatility_from_a_transformed_rational_guess as jaeckel
from vollib.black.implied_volatility import implied_volatility

from oimon.core.greeks import black76
from oimon.core.implied_vol import IV_STATUSES, SIGMA_MAX, SIGMA_MIN, IvStatus, implied_vol

COUNT, RATE, TICK = 10_000, 0.055, 0.05
YEAR_S = 365 * 86_400
SIGMA_ERROR = 1e-8
GREEKS = ("price", "delta", "gamma", "vega", "theta")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Random options, each column of shape (COUNT,)."""

    is_call: np.ndarray
    forward: np.ndarray
    strike: np.ndarray
    years: np.ndarray
    sigma: np.ndarray

    def rows(self):
        columns = (self.is_call, self.forward, self.strike, self.years, self.sigma)
        return zip(*(column.tolist() for column in columns), strict=True)


@pytest.fixture(scope="module")
def options():
    random = np.random.default_rng(20_260_818)
    forward = random.uniform(100.0, 90_000.0, COUNT)
    return Options(
        is_call=random.random(COUNT) < 0.5,
        forward=forward,
        strike=forward * random.uniform(0.4, 1.6, COUNT),
        years=np.exp(random.uniform(math.log(900 / YEAR_S), 0.0, COUNT)),
        sigma=np.exp(random.uniform(math.log(0.03), math.log(3.0), COUNT)),
    )


@pytest.fixture(scope="module")
def ours(options):
    """Price and Greeks by our own hand, shape (5, COUNT)."""
    found = np.empty((len(GREEKS), COUNT))
    for i, (is_call, forward, strike, years, sigma) in enumerate(options.rows()):
        one = black76(forward, np.array([strike]), years, np.array([sigma]), RATE)
        side = 0 if is_call else 1
        for row, values in enumerate((one.price[side], one.delta[side], one.gamma, one.vega, one.theta[side])):  # fmt: skip
            found[row, i] = values[0]
    return found


def quantlib_calculator(is_call, forward, strike, years, sigma):
    payoff = Ql.PlainVanillaPayoff(Ql.Option.Call if is_call else Ql.Option.Put, strike)
    deviation, discount = sigma * math.sqrt(years), math.exp(-RATE * years)
    return Ql.BlackCalculator(payoff, forward, deviation, discount)


def quantlib(is_call, forward, strike, years, sigma):
    made = quantlib_calculator(is_call, forward, strike, years, sigma)
    return (
        made.value(),
        made.deltaForward(),
        made.gammaForward(),
        made.vega(years) / 100.0,  # theirs for a volatility of 1, ours for a point
        made.theta(forward, years) / 365.0,  # theirs a year, ours a day
    )


def blackscholes(is_call, forward, strike, years, sigma):
    made = (Black76Call if is_call else Black76Put)(forward, strike, years, RATE, sigma)
    return made.price(), made.delta(), made.gamma(), made.vega() / 100.0, made.theta() / 365.0


@pytest.mark.parametrize("library", [quantlib, blackscholes])
def test_prices_and_greeks_are_those_of_another_library(options, ours, library):
    theirs = np.array([library(*row) for row in options.rows()]).T

    # Both sides subtract two numbers of the forward's size; what is left of the last digit is no relative error.
    last_digit = 1e-13 * np.array([options.forward, np.ones(COUNT), 1 / options.forward, options.forward, options.forward])  # fmt: skip
    for name, got, expected, least in zip(GREEKS, ours, theirs, last_digit, strict=True):
        far = np.abs(got - expected) > 1e-9 * np.abs(expected) + least
        assert not far.any(), f"{name}: {got[far][:3]} is not {expected[far][:3]}"


def solved(options, price):
    return implied_vol(
        price,
        options.is_call,
        options.strike,
        forward=options.forward,
        years=options.years,
        rate=RATE,
        tick=TICK,
    )


def unknowable(options, vega):
    """How far a price of float64 leaves its volatility open, shape (COUNT,).

    An option deep in the money has it in the last digits of a price of the forward's size: of 1e-10 rupees of time
    value in a price of 8,000, three digits are left.
    """
    last_digits = 4 * np.finfo(float).eps * (options.forward + options.strike)
    return last_digits / np.maximum(vega * 100, 1e-300)


def test_volatility_is_found_wherever_it_exists(options):
    price, vega = np.array([quantlib(*row)[0:4:3] for row in options.rows()]).T

    found = solved(options, price)

    exists = found.status == 0
    error = np.abs(found.sigma - options.sigma)[exists]
    assert (error < SIGMA_ERROR + unknowable(options, vega)[exists]).all()
    is_out = (options.is_call == (options.strike >= options.forward))[exists]
    assert is_out.sum() > COUNT / 10
    assert error[is_out].max() < SIGMA_ERROR


def expected_status(price, is_call, forward, strike, years):
    """The definition of 9.2, in its order, with QuantLib's prices; None within a hair of a limit."""
    discount = math.exp(-RATE * years)
    intrinsic = discount * max(forward - strike if is_call else strike - forward, 0.0)
    bound = discount * (forward if is_call else strike)
    at_min, at_max = (
        quantlib_calculator(is_call, forward, strike, years, sigma).value()
        for sigma in (SIGMA_MIN, SIGMA_MAX)
    )
    limits = (2 * TICK, intrinsic, bound, at_min, at_max)
    if any(abs(price - limit) < 1e-9 * (1 + limit) for limit in limits):
        return None
    for status, holds in (
        (IvStatus.TOO_CLOSE, years * YEAR_S < 60),
        (IvStatus.TICK_FLOOR, price < 2 * TICK),
        (IvStatus.BELOW_INTRINSIC, price <= intrinsic),
        (IvStatus.ABOVE_BOUND, price >= bound),
        (IvStatus.BELOW_MIN, price < at_min),
        (IvStatus.ABOVE_MAX, price > at_max),
    ):
        if holds:
            return status
    return IvStatus.OK


def test_each_status_is_the_first_of_the_definition_that_holds(options):
    random = np.random.default_rng(9)
    bound = np.where(options.is_call, options.forward, options.strike)
    intrinsic = bound - np.minimum(options.forward, options.strike)
    # Half of the prices are anything up to beyond the bound, half lie close above what is paid at once.
    close = intrinsic + 10 ** random.uniform(-3, 3, COUNT)
    price = np.where(random.random(COUNT) < 0.5, random.uniform(0, 1.1, COUNT) * bound, close)
    short = random.random(COUNT) < 0.05
    options = Options(
        is_call=options.is_call,
        forward=options.forward,
        strike=options.strike,
        years=np.where(short, random.uniform(1, 120, COUNT) / YEAR_S, options.years),
        sigma=options.sigma,
    )

    got = [IV_STATUSES[code] for code in solved(options, price).status]

    seen = dict.fromkeys(IV_STATUSES, 0)
    for value, row, status in zip(price.tolist(), options.rows(), got, strict=True):
        expected = expected_status(value, *row[:4])
        if expected is not None:
            assert status is expected, (value, row)
            seen[status] += 1
    never = {IvStatus.NO_PRICE, IvStatus.EXPIRED}  # are not in doubt, and no random option has them
    assert all(number > 10 for status, number in seen.items() if status not in never), seen


def lets_be_rational(price, is_call, forward, strike, years):
    return jaeckel(price / math.exp(-RATE * years), forward, strike, years, 1 if is_call else -1)


def vollib(price, is_call, forward, strike, years):
    return implied_volatility(price, forward, strike, RATE, years, "c" if is_call else "p")


@pytest.mark.parametrize("library", [lets_be_rational, vollib])
def test_volatility_is_that_of_another_library(options, ours, library):
    price, vega = ours[0], ours[3]

    found = solved(options, price)

    exists = found.status == 0
    rows = zip(price.tolist(), options.rows(), exists, strict=True)
    theirs = np.array([library(value, *row[:4]) for value, row, is_there in rows if is_there])
    error = np.abs(found.sigma[exists] - theirs)
    assert len(error) > COUNT / 3
    assert (error < SIGMA_ERROR + unknowable(options, vega)[exists]).all()
