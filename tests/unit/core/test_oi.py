import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oimon.core.compare import age_limit
from oimon.core.forward import ForwardSource
from oimon.core.oi import UnitStatus, detect_oi_unit, oi_change, oi_normalise
from oimon.core.quality import chain_quality
from oimon.terms import OiUnit, Quality
from tests.unit.core.chains import column, quantities

FRESH = {"legs": 4, "underlying_age_s": 1.0, "forward_source": ForwardSource.SYNTHETIC_MID}


def test_the_same_leg_in_both_units():
    assert oi_normalise(1_058_265, OiUnit.QTY, 65) == oi_normalise(16_281, OiUnit.LOTS, 65)
    assert oi_normalise(None, OiUnit.QTY, 65) == (None, None)


def test_a_wrong_unit_is_named_and_never_switched():
    lots = [(101 + 7 * i, 65) for i in range(40)]

    found = detect_oi_unit(lots, OiUnit.QTY)

    assert (found.unit, found.status) == (OiUnit.QTY, UnitStatus.MISMATCH)


def test_half_whole_lots_are_ambiguous_between_the_limits():
    legs = [(65, 65)] * 24 + [(66, 65)] * 16

    assert detect_oi_unit(legs, OiUnit.QTY).status is UnitStatus.AMBIGUOUS
    assert detect_oi_unit(legs[:29], OiUnit.QTY).status is UnitStatus.TOO_FEW
    assert detect_oi_unit([(65, 65)] * 30, OiUnit.QTY).status is UnitStatus.OK


def test_the_change_is_from_the_window_or_a_shorter_history():
    now, oldest = column(120, 120, 120, None), column(90, 90, 90, 90)
    found = oi_change(now, column(100, None, None, 100), oldest, column(2000, 300, 299, 2000))

    assert found.delta[:2].tolist() == [20, 30]
    assert np.isnan(found.delta[2:]).all()
    assert found.partial.tolist() == [False, True, False, False]
    assert found.window_s[:2].tolist() == [900, 300]
    assert found.pct[0] == 20.0


def test_a_change_from_nothing_has_no_percentage():
    found = oi_change(column(0, 65), column(0, 0), column(0, 0), column(1000, 1000))

    assert found.pct[0] == 0
    assert math.isnan(found.pct[1])


@given(st.lists(st.tuples(quantities, quantities, quantities), min_size=1, max_size=9))
def test_an_unknown_change_has_no_base_and_no_window(legs):
    now, base, oldest = (np.array(part) for part in zip(*legs, strict=True))

    found = oi_change(now, base, oldest, np.full(now.shape, 400.0))

    unknown = np.isnan(found.delta)
    assert np.isnan(found.base[unknown]).all()
    assert np.isnan(found.window_s[unknown]).all()
    assert not found.partial[unknown].any()
    assert np.isfinite(found.pct[~np.isnan(found.pct)]).all()


def test_a_fresh_and_whole_chain_is_ok():
    found = chain_quality(column(10, 20, 30, 40), column(1, 2, 3, 4), **FRESH)

    assert (found.quality, found.why) == (Quality.OK, ())


def test_reasons_stand_in_the_order_of_the_specification():
    oi, ages = column(10, 20, 30, None), column(1, 700, None, None)
    slow = FRESH | {"underlying_age_s": 12.0, "forward_source": None}

    found = chain_quality(oi, ages, **slow)

    expected = ("underlying_slow", "chain_incomplete", "oi_stale", "no_forward")
    assert (found.quality, found.why) == (Quality.DEGRADED, expected)


@pytest.mark.parametrize("age_s", [None, 31.0])
def test_an_underlying_without_a_price_is_bad(age_s):
    found = chain_quality(
        column(1, 1, 1, 1), column(1, 1, 1, 1), **(FRESH | {"underlying_age_s": age_s})
    )

    assert (found.quality, found.why) == (Quality.BAD, ("underlying_stale",))


@pytest.mark.parametrize(
    ("age_s", "why"),
    [
        (10.0, ()),
        (10.1, ("underlying_slow",)),
        (30.0, ("underlying_slow",)),
        (30.1, ("underlying_stale",)),
    ],
)
def test_an_underlying_is_slow_after_ten_seconds_and_stale_after_thirty(age_s, why):
    found = chain_quality(
        column(1, 1, 1, 1), column(1, 1, 1, 1), **FRESH | {"underlying_age_s": age_s}
    )

    assert found.why == why


@pytest.mark.parametrize(
    ("known", "quality"),
    [
        (10, Quality.OK),
        (8, Quality.OK),
        (7, Quality.DEGRADED),
        (5, Quality.DEGRADED),
        (4, Quality.BAD),
    ],
)
def test_a_chain_is_whole_from_eight_tenths_and_bad_below_half(known, quality):
    oi = column(*[10] * known, *[None] * (10 - known))

    found = chain_quality(oi, np.ones(10), **FRESH | {"legs": 10})

    assert (found.quality, found.completeness) == (quality, known / 10)
    assert found.why == (() if quality is Quality.OK else ("chain_incomplete",))


@pytest.mark.parametrize(
    ("old", "age_s", "share"),
    [(20, 600.0, 0.0), (20, 600.1, 0.2), (21, 600.1, 0.21), (21, None, 0.21)],
)
def test_open_interest_is_old_after_ten_minutes_and_a_fifth_of_it_degrades(old, age_s, share):
    found = chain_quality(column(old, 100 - old), column(age_s, 1), **FRESH | {"legs": 2})

    assert found.stale_oi_share == pytest.approx(share)
    assert found.why == (("oi_stale",) if share > 0.2 else ())


def test_a_chain_without_open_interest_is_stale():
    found = chain_quality(column(0, 0, 0, 0), column(1, 1, 1, 1), **FRESH)

    assert found.stale_oi_share == 1.0


def test_limits_on_prices_follow_a_slow_source():
    assert age_limit(10.0, 0.0) == 10.0
    assert age_limit(10.0, 60.0) == 90.0
