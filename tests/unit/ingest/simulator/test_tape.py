"""A day's prices and volume against the specification, 13.3."""

import math
from dataclasses import replace

import numpy as np
import pytest

from ingest.simulator import pricing
from ingest.simulator.day import Plan, SimulatedDay
from ingest.simulator.universe import COMMODITIES, INDICES

YEAR_S = 365 * 86_400
EXPIRES_S = 5 * 86_400 + 6 * 3_600 + 25 * 60
"""From the open on 18 November to 15:40 on the 23rd."""
NEXT_FUTURE_S = 36 * 86_400
"""From there to 29 December."""
SMALL = replace(INDICES[0], strikes=5, expiries=2)


@pytest.fixture(scope="module")
def tape():
    return SimulatedDay(Plan(seed=4), SMALL).tape


def test_the_spot_lies_below_the_forward_by_the_carry_to_expiry(tape):
    second = np.arange(21_600)  # then the auction begins

    off = tape._single[:21_600, 0] / 100 / tape.path.forward[:21_600]

    carry = np.exp(-0.055 * (EXPIRES_S - second) / YEAR_S)
    assert off / carry == pytest.approx(1.0, abs=6e-5)
    assert (off / carry).std() == pytest.approx(8e-6, rel=0.05)


def test_a_future_lies_above_the_forward_by_the_carry_from_expiry_to_expiry(tape):
    near, coming = (tape._single[:, 2:] / 100 / tape.path.forward[:, None]).T

    assert near.mean() == pytest.approx(1.0, abs=1e-6)
    assert coming.mean() == pytest.approx(math.exp(0.055 * NEXT_FUTURE_S / YEAR_S), abs=1e-6)
    assert near.std() == pytest.approx(1.5e-5, rel=0.05)


def test_the_volatility_index_is_the_volatility_at_the_money_in_percent(tape):
    assert tape._single[:, 1] / 100 == pytest.approx(100 * tape.path.atm_iv)


def test_a_commodity_has_no_spot_and_its_near_future_is_carried_from_the_options_expiry():
    tape = SimulatedDay(Plan(seed=4), COMMODITIES[0]).tape

    near, coming = (tape._single / 100 / tape.path.forward[:, None]).T

    # options on 17 December, futures on 19 November and on 18 December, since the 19th is a Saturday
    assert near.mean() == pytest.approx(math.exp(0.055 * -28 / 365), abs=1e-6)
    assert coming.mean() == pytest.approx(math.exp(0.055 * 1 / 365), abs=1e-6)


def test_volume_is_u_shaped_over_the_day_and_less_far_from_the_money(tape):
    traded = np.concatenate([quotes.volume for _, quotes in tape.blocks(231)])
    by_tenth = np.diff(traded[9::10], axis=0, prepend=0)

    future = by_tenth[:, 2] / by_tenth[4, 2]
    places = (np.arange(100) + 1) * 231 - 1
    shape = (1 + 2 * (2 * places / 23_100 - 1) ** 2).reshape(10, 10).sum(axis=1)
    assert future == pytest.approx(shape / shape[4], rel=0.03)
    near, coming = traded[-1, 4:14].sum(), traded[-1, 14:].sum()
    assert coming / near == pytest.approx(0.5, rel=0.05)


def test_the_day_before_closed_a_little_elsewhere_by_one_gap_for_all(tape):
    close = tape.prev_close()

    gap = close[0] / (tape._single[0, 0] / 100)
    assert 0.001 < abs(gap - 1) < 0.016
    assert close[1] == round(tape._single[0, 1]) / 100, "of volatility there is no gap"
    assert close[2] == pytest.approx(gap * tape._single[0, 2] / 100, abs=0.03)
    strike, calls, puts = tape._listed.strike, np.array(close[4:9]), np.array(close[9:14])
    years = (EXPIRES_S + 63_300) / YEAR_S  # 15:40 the day before
    parity = math.exp(-0.055 * years) * (gap * tape.path.forward[0] - strike)
    assert calls - puts == pytest.approx(parity, abs=0.06)


def test_quotes_have_three_tenths_of_a_percent_of_noise(tape):
    (expiry, *_), way = tape._listed.options, tape.path
    noise = []
    for at, quotes in tape.blocks(231):
        for place, second in enumerate(at.tolist()):
            price, _ = pricing.chain_prices(
                tape._listed.strike, float(way.forward[second]), tape._years(expiry, second),
                way.atm_iv[second], way.slope[second],
            )  # fmt: skip
            middle = (quotes.bid[place, 4:14] + quotes.ask[place, 4:14]) / 2
            noise.append(middle / (100 * price.ravel()) - 1)

    assert np.std(noise) == pytest.approx(0.003, rel=0.1)
    assert abs(np.mean(noise)) < 0.0004
