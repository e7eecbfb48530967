"""Which expiry and which strikes."""

import pytest

from oimon.core.contract import Mode, pick_contract, pick_expiry
from oimon.terms import OptionKind

STRIKES = [25900.0, 25950.0, 26000.0, 26050.0, 26100.0]
EXPIRIES = ["2026-12-01", "2026-11-23"]


@pytest.mark.parametrize(
    ("day", "second", "expiry"),
    [
        ("2026-11-18", 43_200, "2026-11-23"),
        ("2026-11-23", 46_799, "2026-11-23"),
        ("2026-11-23", 46_800, "2026-12-01"),
        ("2026-12-01", 46_800, None),
        ("2026-12-02", 43_200, None),
    ],
)
def test_the_next_expiry_is_taken_from_one_o_clock_on_the_expiry_day(day, second, expiry):
    assert pick_expiry(EXPIRIES, day, second) == expiry


def test_one_strike_in_the_money_is_below_for_a_call_and_above_for_a_put():
    assert pick_contract(OptionKind.CE, STRIKES, 26000.0, Mode.ITM1).buy == 25950.0
    assert pick_contract(OptionKind.PE, STRIKES, 26000.0, Mode.ITM1).buy == 26050.0


def test_at_the_edge_of_the_list_the_money_itself_is_taken():
    choice = pick_contract(OptionKind.CE, STRIKES, 25900.0, Mode.ITM1)

    assert (choice.mode, choice.buy) == (Mode.ATM, 25900.0)


def test_a_spread_sells_at_least_two_strikes_away():
    choice = pick_contract(OptionKind.PE, STRIKES, 26000.0, Mode.SPREAD, em_day=10.0)

    assert (choice.buy, choice.sell) == (26000.0, 25900.0)


@pytest.mark.parametrize("em_day", [None, 100.0])
def test_without_a_move_or_a_strike_to_sell_it_is_no_spread(em_day):
    choice = pick_contract(OptionKind.CE, STRIKES, 26050.0, Mode.SPREAD, em_day=em_day)

    assert (choice.mode, choice.sell) == (Mode.ATM, None)


def test_an_unknown_percentile_is_not_rich():
    choice = pick_contract(OptionKind.CE, STRIKES, 25900.0, Mode.AUTO, em_day=100.0)

    assert choice.mode is Mode.ATM
