import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.tick_vwap import Dealt, dealt_on, tick_vwap
from tests.unit.core.chains import column

ticks = st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**9)), max_size=30)


def test_each_rise_of_the_volume_counts_at_its_price():
    assert tick_vwap(column(100.0, 110.0, 130.0), column(10, 40, 50)) == (110 * 30 + 130 * 10) / 40


def test_a_late_tick_adds_nothing():
    late = tick_vwap(column(100.0, 110.0, 90.0, 130.0), column(10, 40, 30, 50))

    assert late == tick_vwap(column(100.0, 110.0, 130.0), column(10, 40, 50))


def test_without_a_deal_there_is_no_average():
    assert tick_vwap(column(), column()) is None
    assert tick_vwap(column(100.0, 101.0), column(50, 50)) is None


@given(ticks, st.integers(0, 30))
def test_how_ticks_come_in_changes_nothing(given_ticks, cut):
    price, volume = np.array(given_ticks, float).reshape(-1, 2).T

    whole = dealt_on(Dealt(), price, volume)
    parts = dealt_on(dealt_on(Dealt(), price[:cut], volume[:cut]), price[cut:], volume[cut:])

    assert parts.top == whole.top
    assert parts.volume == whole.volume
    assert parts.value == pytest.approx(whole.value, rel=1e-12)
    if whole.vwap is not None:
        assert min(price) * (1 - 1e-9) <= whole.vwap <= max(price) * (1 + 1e-9)
