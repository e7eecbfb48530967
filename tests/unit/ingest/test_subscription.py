import pytest

from ingest.subscription import around, around_all, at_the_money

STRIKES = [24_000.0, 24_050.0, 24_100.0, 24_200.0, 24_400.0]


@pytest.mark.parametrize(
    ("spot", "strike"),
    [
        (23_000, 24_000),
        (24_000, 24_000),
        (24_024, 24_000),
        (24_025, 24_000),  # as near to both: the lower
        (24_026, 24_050),
        (24_151, 24_200),
        (24_300, 24_200),
        (24_301, 24_400),
        (99_999, 24_400),
    ],
)
def test_the_money_is_the_nearest_listed_strike(spot, strike):
    assert STRIKES[at_the_money(STRIKES, spot)] == strike


def test_the_window_is_counted_in_listed_strikes_not_in_points():
    assert around(STRIKES, 24_100, 1) == [24_050, 24_100, 24_200]
    assert around(STRIKES, 24_100, 0) == [24_100]


def test_at_an_edge_the_window_is_smaller():
    assert around(STRIKES, 24_000, 2) == [24_000, 24_050, 24_100]
    assert around(STRIKES, 25_000, 1) == [24_200, 24_400]


def test_a_day_holds_the_strikes_that_were_near_at_any_time():
    assert around_all(STRIKES, [24_000, 24_100], 1) == [24_000, 24_050, 24_100, 24_200]
