import pytest

from oimon.core.day_range import Broken, range_broken, range_position


def test_a_price_stands_between_the_day_s_low_and_high():
    assert range_position(1_432.5, 1_418.0, 1_441.0) == pytest.approx(0.630435, abs=1e-6)


@pytest.mark.parametrize(
    "day",
    [
        (10.0, 10.0, 10.0),
        (10.0, 11.0, 9.0),
        (None, 9.0, 11.0),
        (10.0, None, 11.0),
        (10.0, 9.0, None),
    ],
)
def test_a_range_of_no_width_or_an_unknown_price_has_no_place(day):
    assert range_position(*day) is None


@pytest.mark.parametrize(
    ("ltp", "way"),
    [
        (11.05, Broken.UP),
        (11.0, None),
        (10.0, None),
        (9.0, None),
        (8.95, Broken.DOWN),
        (None, None),
    ],
)
def test_a_range_is_left_beyond_its_edges(ltp, way):
    assert range_broken(ltp, 9.0, 11.0) is way


@pytest.mark.parametrize("edges", [(None, 11.0), (9.0, None)])
def test_a_range_that_is_not_known_is_not_left(edges):
    assert range_broken(20.0, *edges) is None
