"""One leg's quote out of an analysis."""

import dataclasses

import numpy as np
import pytest

from coach_minimal.quotes import quote_of
from oimon.terms import OptionKind
from tests.unit.coach.market import NOON_US, STRIKES, make_analysis, make_legs

CE, PE = OptionKind.CE, OptionKind.PE
ATM = 26_050.0


def with_calls(analysis=None, **columns):
    """The market with some of its calls' columns replaced by one value for all strikes."""
    analysis = analysis or make_analysis()
    values = {name: np.full(len(STRIKES), value) for name, value in columns.items()}
    chain = dataclasses.replace(analysis.chain, ce=make_legs(**values))
    return dataclasses.replace(analysis, chain=chain)


def test_a_quote_has_both_sides_sizes_and_age():
    quote = quote_of(make_analysis(), "2026-11-23", ATM, PE)

    assert (quote.bid, quote.ask, quote.bid_qty, quote.ask_qty) == (140.0, 140.2, 6_500, 6_500)
    assert quote.age_s == pytest.approx(0.3)
    assert quote.spread_share == pytest.approx(0.2 / 140.1)


@pytest.mark.parametrize(
    "columns",
    [{"bid": np.nan}, {"ask": np.nan}, {"bid": 0.0}, {"bid": 150.3, "ask": 150.2}],
)
def test_one_side_is_no_quote(columns):
    assert quote_of(with_calls(**columns), "2026-11-23", ATM, CE) is None


@pytest.mark.parametrize(
    ("expiry", "strike"),
    [("2026-12-01", ATM), ("2026-11-23", 26_075.0), ("2026-11-23", 99_000.0)],
)
def test_a_leg_that_is_not_there_has_no_quote(expiry, strike):
    assert quote_of(make_analysis(), expiry, strike, CE) is None


def test_another_expirys_quote_is_its_own():
    more = dataclasses.replace(with_calls(bid=200.0, ask=200.2), expiry="2026-12-01")

    quote = quote_of(make_analysis(more=[more]), "2026-12-01", ATM, CE)

    assert quote.bid == 200.0


@pytest.mark.parametrize(
    ("age_s", "cadence_s", "is_fresh"),
    [(30.0, 0.0, True), (30.1, 0.0, False), (90.0, 60.0, True), (90.1, 60.0, False)],
)
def test_a_slow_sources_quote_stays_fresh_for_longer(age_s, cadence_s, is_fresh):
    analysis = make_analysis(cadence_s=cadence_s)

    quote = quote_of(with_calls(analysis, received_us=NOON_US - age_s * 1e6), "2026-11-23", ATM, CE)

    assert quote.is_fresh is is_fresh


def test_a_quote_of_unknown_age_is_not_fresh():
    quote = quote_of(with_calls(received_us=np.nan, bid_qty=np.nan), "2026-11-23", ATM, CE)

    assert (quote.is_fresh, quote.bid_qty) == (False, None)
