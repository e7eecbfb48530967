"""Size, fills, charges and statistics of paper trades."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.charges import Product, charges, held_to_expiry, round_trip
from oimon.core.fills import fill_price
from oimon.core.size import position_size
from oimon.core.stats import stats

DAY = date(2026, 11, 23)
quotes = st.floats(0.05, 5000).map(lambda price: round(price * 20) / 20)


def test_size_is_the_least_of_risk_cost_and_the_cap():
    assert position_size(500_000, 150.30, 112.725, 65) == 2
    assert position_size(1_000_000, 20.0, 15.0, 65) == 20
    assert position_size(200_000, 480.0, 360.0, 65) == 0
    assert position_size(-50_000, 100.0, 75.0, 65) == 0


def test_cost_bounds_the_size_when_the_stop_is_near():
    assert position_size(100_000, 100.0, 99.0, 65) == 3


@given(bid=quotes, spread=st.integers(0, 40), qty=st.integers(1, 5000), top=st.integers(0, 5000))
def test_a_fill_is_never_better_than_the_book(bid, spread, qty, top):
    ask = bid + spread * 0.05

    bought = fill_price(is_buy=True, bid=bid, ask=ask, qty=qty, top_qty=top)
    sold = fill_price(is_buy=False, bid=bid, ask=ask, qty=qty, top_qty=top)

    assert bought > Decimal(f"{ask:.9g}")
    assert Decimal("0.05") <= sold
    assert sold < Decimal(f"{bid:.9g}") or sold == Decimal("0.05")
    assert bought % Decimal("0.05") == sold % Decimal("0.05") == 0


@pytest.mark.parametrize("missing", [None, 0.0])
def test_without_a_price_on_its_side_there_is_no_fill(missing):
    assert fill_price(is_buy=True, bid=10.0, ask=missing, qty=65) is None
    assert fill_price(is_buy=False, bid=missing, ask=10.0, qty=65) is None


def test_at_most_ten_ticks_are_added_for_size():
    assert fill_price(is_buy=True, bid=99.0, ask=100.0, qty=65_000, top_qty=1) == Decimal("100.55")


@pytest.mark.parametrize(
    ("qty", "sold"), [(65, "99.95"), (66, "99.90"), (200, "99.80"), (65_000, "99.45")]
)
def test_a_sale_beyond_what_is_displayed_goes_lower_a_tick_a_multiple(qty, sold):
    found = fill_price(is_buy=False, bid=100.0, ask=101.0, qty=qty, top_qty=65)

    assert found == Decimal(sold)


def test_a_price_slips_a_whole_tick_at_least():
    assert fill_price(is_buy=True, bid=9.0, ask=10.02, qty=65) == Decimal("10.10")
    assert fill_price(is_buy=True, bid=9.0, ask=1_000.0, qty=65) == Decimal("1000.50")


def test_the_lines_add_up_to_the_total():
    found = charges(Product.NFO_OPT, is_buy=False, price=Decimal("180.00"), qty=650, day=DAY)

    lines = (found.brokerage, found.stt, found.txn, found.sebi, found.stamp, found.gst)
    assert sum(lines) == found.total == Decimal("248.29")


@pytest.mark.parametrize(
    ("day", "stt"),
    [
        (date(2024, 9, 30), "73.13"),
        (date(2024, 10, 1), "117.00"),
        (date(2026, 3, 31), "117.00"),
        (date(2026, 4, 1), "175.50"),
    ],
)
def test_tax_follows_the_day_of_the_trade(day, stt):
    found = charges(Product.NFO_OPT, is_buy=False, price=Decimal("180.00"), qty=650, day=day)

    assert found.stt == Decimal(stt)


@pytest.mark.parametrize(
    ("product", "tax", "exchange", "stamp"),
    [
        (Product.NFO_OPT, 15_000, 3_553, 300),
        (Product.NFO_FUT, 5_000, 183, 200),
        (Product.BFO_OPT, 15_000, 3_250, 300),
        (Product.MCX_OPT, 5_000, 4_180, 300),
        (Product.MCX_FUT, 1_000, 210, 200),
    ],
)
def test_what_a_crore_of_turnover_costs(product, tax, exchange, stamp):
    buy, sell = (
        charges(product, is_buy=is_buy, price=Decimal(10_000), qty=1_000, day=DAY)
        for is_buy in (True, False)
    )

    assert (buy.stt, buy.txn, buy.sebi, buy.stamp) == (0, exchange, 10, stamp)
    assert (sell.stt, sell.txn, sell.sebi, sell.stamp) == (tax, exchange, 10, 0)
    assert buy.brokerage == 20
    assert buy.gst == Decimal("0.18") * (20 + exchange + 10)


def test_the_state_taxes_sales_and_stamps_purchases():
    buy = charges(Product.MCX_OPT, is_buy=True, price=Decimal(100), qty=100, day=DAY)
    sell = charges(Product.MCX_OPT, is_buy=False, price=Decimal(100), qty=100, day=DAY)

    assert (buy.stt, sell.stamp) == (0, 0)
    assert (buy.stamp, sell.stt) == (Decimal("0.30"), Decimal("5.00"))


@pytest.mark.parametrize("product", Product)
def test_a_round_trip_at_one_price_loses_exactly_its_charges(product):
    found = round_trip(
        product, entry=Decimal("150.30"), exit_price=Decimal("150.30"), qty=65, day=DAY
    )

    assert found.gross == 0
    assert found.net == -(found.buy.total + found.sell.total)
    assert found.breakeven_points * 65 == pytest.approx(found.charges)


@pytest.mark.parametrize(
    ("day", "stt"), [(date(2026, 3, 31), "12.50"), (date(2026, 4, 1), "15.00"), (DAY, "15.00")]
)
def test_what_is_held_to_expiry_is_taxed_on_its_intrinsic_value_only(day, stt):
    entry, intrinsic = Decimal("150.30"), Decimal("100.00")

    found = held_to_expiry(Product.NFO_OPT, entry=entry, intrinsic=intrinsic, qty=100, day=day)

    sell = found.sell
    assert (sell.stt, sell.total) == (Decimal(stt), Decimal(stt))
    assert (sell.brokerage, sell.txn, sell.sebi, sell.stamp, sell.gst) == (0, 0, 0, 0, 0)
    assert found.net == Decimal("-5030.00") - found.buy.total - Decimal(stt)


def test_statistics_of_no_trades_are_unknown():
    found = stats([], 100.0, [])

    assert (found.win_rate, found.profit_factor, found.expectancy) == (None, None, None)
    assert (found.net, found.max_drawdown) == (0, 0.0)


@pytest.mark.parametrize(("nets", "rate"), [([0.5], 1.0), ([-0.5], 0.0), ([0.5, -0.5, 0.0], 0.5)])
def test_the_share_of_wins_counts_the_smallest_too(nets, rate):
    assert stats(nets, 100.0, []).win_rate == rate


def test_a_trade_that_made_nothing_is_neither_won_nor_lost():
    found = stats([10.0, 0.0, -5.0], 100.0, [110.0, 110.0, 105.0])

    assert (found.trades, found.wins, found.losses, found.win_rate) == (3, 1, 1, 0.5)
    assert found.max_drawdown_pct == pytest.approx(100 * 5 / 110)
