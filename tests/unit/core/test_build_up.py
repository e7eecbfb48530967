import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.build_up import (
    CLASSES,
    DeadBands,
    WhyNone,
    build_up,
    classes,
    em_window,
    future_bands,
    moves,
    one_build_up,
    option_bands,
    why_none,
)
from oimon.terms import BuildUp
from tests.unit.core.chains import changes, column, prices, quantities


def option_class(p0, p1, oi0, oi1, **known):
    then, oi_then = column(p0), column(oi0)
    bands = option_bands(then, oi_then, lot=65, tick=0.05, **known)
    return CLASSES[build_up(column(p1) - then, column(oi1) - oi_then, bands)[0]]


@pytest.mark.parametrize(
    ("p1", "oi1", "expected"),
    [
        (163.0, 4_745_000, BuildUp.LONG_BUILDUP),
        (138.0, 4_745_000, BuildUp.SHORT_BUILDUP),
        (163.0, 4_420_000, BuildUp.SHORT_COVERING),
        (138.0, 4_420_000, BuildUp.LONG_UNWINDING),
    ],
)
def test_price_and_open_interest_together_make_the_class(p1, oi1, expected):
    assert option_class(150.0, p1, 4_550_000, oi1) is expected


def test_ordinary_noise_of_spot_is_no_build_up():
    move = {"delta": column(0.52), "em_w": 38.2}

    assert option_class(150.0, 153.0, 4_550_000, 4_745_000) is BuildUp.LONG_BUILDUP
    assert option_class(150.0, 153.0, 4_550_000, 4_745_000, **move) is BuildUp.NONE


def test_an_unknown_delta_counts_as_no_noise():
    move = {"delta": column(None), "em_w": 38.2}

    assert option_class(150.0, 153.0, 4_550_000, 4_745_000, **move) is BuildUp.LONG_BUILDUP


def test_dead_bands_are_reached_when_equal():
    assert option_class(0.5, 0.6, 13_000, 13_000 + 25 * 65) is BuildUp.LONG_BUILDUP
    assert option_class(0.5, 0.6, 13_000, 13_000 + 25 * 65 - 1) is BuildUp.NONE


@pytest.mark.parametrize(
    ("price", "delta", "em_w", "band"),
    [
        (150.0, None, None, 1.5),
        (2.0, None, None, 0.1),
        (150.0, 0.52, 38.2, 0.35 * 0.52 * 38.2),
        (150.0, -0.52, 38.2, 0.35 * 0.52 * 38.2),
        (150.0, 0.01, 38.2, 1.5),
        (150.0, None, 38.2, 1.5),
        (150.0, 0.52, None, 1.5),
    ],
)
def test_an_option_s_price_must_move_by_the_largest_of_three(price, delta, em_w, band):
    bands = option_bands(column(price), column(65.0), lot=65, tick=0.05, delta=column(delta), em_w=em_w)  # fmt: skip

    assert bands.price == pytest.approx(band)


@pytest.mark.parametrize(("oi", "band"), [(4_550_000, 45_500), (13_000, 1_625)])
def test_an_option_s_open_interest_must_move_by_the_larger_of_two(oi, band):
    assert option_bands(column(1.0), column(oi), lot=65, tick=0.05).oi == pytest.approx(band)


@pytest.mark.parametrize(
    ("noise", "band", "flow", "expected"),
    [
        (None, 3.0, 100.0, BuildUp.LONG_BUILDUP),
        (1.0, 3.0, 100.0, BuildUp.LONG_BUILDUP),
        (3.0, 1.0, 100.0, BuildUp.LONG_BUILDUP),
        (3.1, 1.0, 100.0, BuildUp.NONE),
        (None, 3.1, 100.0, BuildUp.NONE),
        (1.0, 1.0, 99.0, BuildUp.NONE),
        (1.0, 1.0, -100.0, BuildUp.SHORT_COVERING),
    ],
)
def test_a_price_must_reach_its_dead_band_and_the_noise(noise, band, flow, expected):
    found = moves(column(3.0), column(flow), DeadBands(column(band), column(100.0)))

    assert CLASSES[classes(found, column(noise))[0]] is expected


def test_a_missing_value_has_no_class():
    for missing in range(4):
        values = [150.0, 163.0, 4_550_000, 4_745_000]
        values[missing] = None
        assert option_class(*values) is BuildUp.NONE


def test_the_reason_names_the_dead_band():
    bands = {"price_band": 1.0, "oi_band": 100.0}

    assert why_none(None, 500, **bands) is WhyNone.MISSING
    assert why_none(0.5, None, **bands) is WhyNone.MISSING
    assert why_none(0.5, 500, **bands) is WhyNone.PRICE_DEADBAND
    assert why_none(1.0, 99, **bands) is WhyNone.OI_DEADBAND
    assert why_none(0.5, 99, **bands) is WhyNone.BOTH_DEADBAND
    assert why_none(1.0, 100, **bands) is None


def test_a_future_has_bands_of_its_own():
    price_band, oi_band = future_bands(26_029.0, 11_527_750, lot=65, tick=0.05, em_w=38.22)
    bands = {"price_band": price_band, "oi_band": oi_band}

    assert (price_band, oi_band) == pytest.approx((0.35 * 38.22, 28_819.375))
    assert one_build_up(49.5, 55_250, **bands) is BuildUp.LONG_BUILDUP
    assert one_build_up(-49.5, -55_250, **bands) is BuildUp.LONG_UNWINDING
    assert one_build_up(-9.5, -55_250, **bands) is BuildUp.NONE


def test_a_small_future_must_move_by_two_ticks_and_ten_lots():
    price_band, oi_band = future_bands(90.0, 65_000, lot=65, tick=0.05)
    bands = {"price_band": price_band, "oi_band": oi_band}

    assert (price_band, oi_band) == (0.1, 650.0)
    assert future_bands(26_000.0, 65_000, lot=65, tick=0.05)[0] == 13.0
    assert one_build_up(0.1, 650, **bands) is BuildUp.LONG_BUILDUP


@given(changes, changes)
def test_one_contract_and_many_have_the_same_class(price_change, oi_change):
    moved, flowed = column(price_change), column(oi_change)
    bands = DeadBands(column(100.0), column(65_000.0))

    many = CLASSES[build_up(moved, flowed, bands)[0]]

    known = not (np.isnan(price_change) or np.isnan(oi_change))
    one = one_build_up(price_change, oi_change, price_band=100.0, oi_band=65_000.0)
    assert many is (one if known else BuildUp.NONE)


@given(st.lists(st.tuples(prices, prices, quantities, changes), min_size=1, max_size=20))
def test_classes_are_in_the_table_whatever_is_missing(legs):
    p0, p1, oi, change = (np.array(part) for part in zip(*legs, strict=True))

    codes = build_up(p1 - p0, change, option_bands(p0, oi - change, lot=65, tick=0.05))

    assert set(codes.tolist()) <= set(range(len(CLASSES)))
    unknown = np.isnan(p1 - p0) | np.isnan(change)
    assert not codes[unknown].any()


def test_the_expected_move_grows_with_the_root_of_the_window():
    once = em_window(26_000.0, 0.12, 900, 23_100)

    assert em_window(26_000.0, 0.12, 3_600, 23_100) == pytest.approx(2 * once)
