import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.chain import atm_strike, nearest_index, strike_window
from oimon.core.forward import ForwardSource, synthetic_forward
from oimon.core.mark import MARK_SOURCES, Marks, mark_price
from tests.unit.core.chains import chains, column, levels, prices, two_sided

STRIKE = column(25_900, 25_950, 26_000, 26_050, 26_100)


def parity(forward=26_020.0, *, is_mid=True):
    intrinsic = np.maximum(forward - STRIKE, 0)
    price = np.stack([intrinsic + 100, intrinsic + 100 - (forward - STRIKE)])
    return Marks(price=price, is_mid=np.full(price.shape, is_mid))


def forward_of(marks, **changed):
    known = {"spot": 26_000.0, "years": 0.0, "rate": 0.0} | changed
    return synthetic_forward(STRIKE, marks, **known)


def test_the_forward_is_parity_at_the_strikes_nearest_spot():
    found = forward_of(parity())

    assert (found.price, found.source, found.strikes) == (26_020, ForwardSource.SYNTHETIC_MID, 5)


def test_last_prices_serve_when_there_is_no_quote():
    found = forward_of(parity(is_mid=False))

    assert (found.price, found.source) == (26_020, ForwardSource.SYNTHETIC_LTP)


def test_both_marks_of_a_strike_must_be_mids():
    marks = parity()
    marks.is_mid[0, 0] = marks.is_mid[1, 4] = False

    assert forward_of(marks).strikes == 3


@pytest.mark.parametrize("leg", [(0, 1), (1, 1)])
def test_a_strike_without_one_of_its_marks_says_nothing(leg):
    marks = parity(is_mid=False)
    marks.price[leg] = math.nan

    found = forward_of(marks)

    assert (found.price, found.source, found.strikes) == (26_020, ForwardSource.SYNTHETIC_LTP, 4)


@pytest.mark.parametrize("spot", [25_975.0, 26_025.0])
def test_of_two_strikes_equally_near_the_lower_is_asked(spot):
    marks = parity()
    marks.price[0] += [-50.0, -40.0, 0.0, 40.0, 50.0]  # parity says more the higher the strike

    found = forward_of(marks, spot=spot, nearest=1)

    assert found.price == 26_020 + (-40.0 if spot == 25_975 else 0.0)


def test_a_forward_far_from_spot_is_not_believed():
    found = forward_of(parity(forward=26_600.0), future=26_050.0)

    assert (found.price, found.source, found.strikes) == (26_050, ForwardSource.FUTURE, 0)


def test_without_anything_else_spot_is_carried():
    nothing = Marks(price=np.full((2, 5), math.nan), is_mid=np.zeros((2, 5), np.bool_))

    found = forward_of(nothing, years=1.0, rate=0.05, future=30_000.0)

    assert (found.source, found.strikes) == (ForwardSource.CARRY, 0)
    assert found.price == pytest.approx(26_000 * math.exp(0.05))


def test_a_chain_without_strikes_carries_spot():
    nothing = Marks(price=np.empty((2, 0)), is_mid=np.empty((2, 0), np.bool_))

    found = synthetic_forward(column(), nothing, spot=26_000.0, years=0.0)

    assert (found.price, found.source) == (26_000, ForwardSource.CARRY)


@given(chains(prices), levels)
def test_a_forward_is_always_found_and_near_spot(chain, spot):
    strike, price = chain

    found = synthetic_forward(
        strike, Marks(price=price, is_mid=price > 1_000), spot=spot, years=0.02, rate=0.055
    )

    assert abs(found.price - spot) <= 0.02 * spot + 1e-6


def test_the_nearest_strike_is_at_the_money_and_of_two_the_lower():
    assert atm_strike(STRIKE, 26_024) == 26_000
    assert atm_strike(STRIKE, 26_025) == 26_000
    assert atm_strike(STRIKE, 99_999) == 26_100
    assert atm_strike(STRIKE, 0) == 25_900
    assert nearest_index(STRIKE, 99_999) == 4
    assert nearest_index(column(), 1.0) is None
    assert atm_strike(column(), 1.0) is None


def test_a_window_is_cut_at_an_edge_without_compensation():
    assert STRIKE[strike_window(STRIKE, 25_950, 2)].tolist() == [25_900, 25_950, 26_000, 26_050]
    assert strike_window(column(), 1.0, 3) == slice(0, 0)


def mark_of(bid, ask, ltp, quote_age_s=1.0, trade_age_s=1.0, **limits):
    legs = (column(bid), column(ask), column(ltp))
    found = mark_price(
        *legs,
        quote_age_s=column(quote_age_s),
        trade_age_s=column(trade_age_s),
        tick=0.05,
        **limits,
    )
    return found.price[0], bool(found.is_mid[0])


def test_a_good_quote_makes_the_mark():
    assert mark_of(142.1, 142.6, 150.0) == (pytest.approx(142.35), True)


@pytest.mark.parametrize(
    "quote",
    [(0.0, 0.1), (40.0, 60.0), (12.1, 12.0), (None, 47.0)],
    ids=["one-sided", "wide", "crossed", "missing"],
)
def test_a_bad_quote_gives_way_to_a_fresh_trade(quote):
    assert mark_of(*quote, 47.2) == (47.2, False)


@pytest.mark.parametrize(
    ("bid", "ask", "is_mid"),
    [(1.0, 1.5, True), (1.0, 1.55, False), (35.0, 45.0, True), (35.0, 45.1, False)],
)
def test_a_quote_may_be_as_wide_as_ten_ticks_or_a_quarter_of_its_mid(bid, ask, is_mid):
    assert mark_of(bid, ask, 40.0) == ((bid + ask) / 2 if is_mid else 40.0, is_mid)


def test_what_is_old_makes_no_mark_unless_the_source_is_slow():
    assert math.isnan(mark_of(40.0, 40.2, 40.1, 61.0, 61.0)[0])
    assert mark_of(40.0, 40.2, 40.0, 60.1, 60.0) == (40.0, False)
    assert mark_of(40.0, 40.2, 40.0, 60.0, 60.0)[1]
    assert mark_of(40.0, 40.2, 40.1, 61.0, 61.0, max_age_s=90.0)[1]


@given(st.lists(st.tuples(prices, prices, prices), min_size=1, max_size=9))
def test_a_mark_is_a_price_or_nothing(legs):
    bid, ask, ltp = (np.array(part) for part in zip(*legs, strict=True))
    ages = np.ones(bid.shape)

    found = mark_price(bid, ask, ltp, quote_age_s=ages, trade_age_s=ages, tick=0.05)

    assert (found.price[~np.isnan(found.price)] > 0).all()


def test_sources_are_named_by_side():
    marks = Marks(
        price=two_sided((1.0, None), (2.0, 3.0)),
        is_mid=np.array([[True, False], [False, True]]),
    )

    assert [[MARK_SOURCES[code] for code in side] for side in marks.source] == [
        ["mid", None],
        ["ltp", "mid"],
    ]
