import pytest

from oimon.core.day_range import range_position


def test_a_price_stands_between_the_day_s_low_and_high():
    assert range_position(1_432.5, 1_418.0, 1_441.0) == pytest.approx(0.630435, abs=1e-6)


@pytest.mark.parametrize("day", [(10.0, 10.0, 10.0), (None, 9.0, 11.0), (10.0, None, 11.0)])
def test_a_range_of_no_width_or_an_unknown_price_has_no_place(day):
    assert range_position(*day) is None
