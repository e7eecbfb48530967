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
    assert pick_contract(OptionKind.CE, STRIKES, 25950.0, Mode.ITM1).buy == 25900.0
    assert pick_contract(OptionKind.PE, STRIKES, 26050.0, Mode.ITM1).buy == 26100.0


@pytest.mark.parametrize(("side", "atm"), [(OptionKind.CE, 25900.0), (OptionKind.PE, 26100.0)])
def test_at_the_edge_of_the_list_the_money_itself_is_taken(side, atm):
    choice = pick_contract(side, STRIKES, atm, Mode.ITM1)

    assert (choice.mode, choice.buy) == (Mode.ATM, atm)


@pytest.mark.parametrize(
    ("side", "atm", "em_day", "sell"),
    [
        (OptionKind.PE, 26000.0, 10.0, 25900.0),
        (OptionKind.CE, 25900.0, 10.0, 26000.0),
        (OptionKind.CE, 25900.0, 160.0, 26050.0),
        (OptionKind.CE, 25900.0, 125.0, 26000.0),
        (OptionKind.PE, 26100.0, 160.0, 25950.0),
    ],
)
def test_a_spread_sells_the_strike_nearest_to_the_move_but_two_away_at_least(
    side, atm, em_day, sell
):
    choice = pick_contract(side, STRIKES, atm, Mode.SPREAD, em_day=em_day)

    assert (choice.mode, choice.buy, choice.sell) == (Mode.SPREAD, atm, sell)


@pytest.mark.parametrize(
    ("side", "atm", "em_day"),
    [
        (OptionKind.CE, 26000.0, None),
        (OptionKind.CE, 26050.0, 100.0),
        (OptionKind.PE, 25950.0, 100.0),
        (OptionKind.PE, 25900.0, 100.0),
    ],
)
def test_without_a_move_or_a_strike_to_sell_it_is_no_spread(side, atm, em_day):
    choice = pick_contract(side, STRIKES, atm, Mode.SPREAD, em_day=em_day)

    assert (choice.mode, choice.sell) == (Mode.ATM, None)


@pytest.mark.parametrize(
    ("percentile", "mode"), [(None, Mode.ATM), (79.9, Mode.ATM), (80.0, Mode.SPREAD)]
)
def test_only_a_rich_premium_is_sold_and_an_unknown_one_is_not_rich(percentile, mode):
    choice = pick_contract(
        OptionKind.CE, STRIKES, 25900.0, Mode.AUTO, iv_percentile=percentile, em_day=100.0
    )

    assert choice.mode is mode
