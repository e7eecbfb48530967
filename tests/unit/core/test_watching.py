"""Readings in time: what dithers tells once, what lasts tells."""

import math

import numpy as np
import pytest

from oimon.core.build_up_flip import build_up_side
from oimon.core.held import Held, hold
from oimon.core.oi_speed import SpeedWatch, chain_flow, oi_speed, watch_speed
from oimon.core.pcr import PcrBand, pcr_band
from oimon.core.pcr_cross import HOLD_S, MARGIN, pcr_band_from
from oimon.core.straddle_band import BandSide, StraddleBand, band_side
from oimon.terms import Verdict

BAND = StraddleBand(level=24_500.0, straddle=345.0, at_s=0.0)


def crossings(ratios, *, step_s=1.0):
    """Feed one ratio a step; return each band that came into force after the first."""
    held, told = Held(), []
    for k, ratio in enumerate(ratios):
        before = held
        held = hold(before, k * step_s, pcr_band_from(before.value, ratio), HOLD_S)
        told += [held.value] if before.value not in (None, held.value) else []
    return told


def flows(*sizes):
    """Return a watch that has seen these flows 30 s apart, and when the next is due."""
    return SpeedWatch(samples=tuple((30.0 * k, size) for k, size in enumerate(sizes))), 30.0 * len(
        sizes
    )


def test_the_first_reading_is_in_force_at_once():
    assert hold(Held(), 7.0, "neutral", 60.0) == Held(value="neutral")


def test_another_reading_counts_when_it_has_lasted_and_an_unknown_one_ends_the_wait():
    held = hold(Held(value="a"), 0.0, "b", 60.0)
    waiting = hold(held, 59.0, "b", 60.0)
    reached = hold(held, 60.0, "b", 60.0)
    unknown = hold(held, 59.0, None, 60.0)

    assert (waiting, reached) == (held, Held(value="b"))
    assert unknown == Held(value="a")
    assert hold(unknown, 61.0, "b", 60.0).value == "a"


def test_a_third_reading_restarts_the_wait():
    held = hold(hold(Held(value="a"), 0.0, "b", 60.0), 50.0, "c", 60.0)

    assert hold(held, 70.0, "c", 60.0).value == "a"
    assert hold(held, 110.0, "c", 60.0).value == "c"


@pytest.mark.parametrize("boundary", [0.50, 0.70, 0.90, 1.10, 1.30, 1.60])
def test_a_ratio_that_dithers_on_a_boundary_tells_nothing(boundary):
    noise = 0.019 * np.sin(np.arange(3600) / 200)

    assert crossings(boundary + noise) == []


def test_a_ratio_that_passes_a_boundary_and_dithers_there_tells_once():
    rise = np.linspace(1.00, 1.125, 300)
    dither = 1.10 + 0.025 * np.sin(
        np.arange(1.6, 40, 0.2)
    )  # back, but each time for less than a minute

    assert crossings([*rise, *[1.125] * 60, *dither]) == [PcrBand.MILDLY_BULLISH]


def test_a_ratio_that_goes_and_comes_tells_both_ways():
    there = [1.0] * 10 + [1.13] * 100 + [1.07] * 100

    assert crossings(there) == [PcrBand.MILDLY_BULLISH, PcrBand.NEUTRAL]


def test_a_ratio_that_leaps_over_bands_names_the_one_where_it_landed():
    assert crossings([1.0] * 5 + [1.75] * 70) == [PcrBand.EXTREME_HIGH]


@pytest.mark.parametrize("ratio", [0.3, 0.55, 0.8, 1.0, 1.2, 1.4, 1.8])
def test_deep_in_a_band_the_band_in_force_does_not_matter(ratio):
    assert {pcr_band_from(band, ratio) for band in (None, *PcrBand)} == {pcr_band(ratio)}


def test_the_margin_is_the_same_on_both_sides_of_a_boundary():
    assert pcr_band_from(PcrBand.NEUTRAL, 1.12) is PcrBand.MILDLY_BULLISH
    assert pcr_band_from(PcrBand.NEUTRAL, 1.10 + MARGIN) is PcrBand.MILDLY_BULLISH
    assert pcr_band_from(PcrBand.NEUTRAL, 1.10 + MARGIN - 1e-6) is PcrBand.NEUTRAL
    assert pcr_band_from(PcrBand.MILDLY_BULLISH, 1.10 - MARGIN + 1e-6) is PcrBand.MILDLY_BULLISH
    assert pcr_band_from(PcrBand.MILDLY_BULLISH, 1.10 - MARGIN - 1e-6) is PcrBand.NEUTRAL


def test_between_its_thresholds_the_net_build_up_keeps_its_side():
    assert build_up_side(None, 0.24) is None
    assert build_up_side(None, 0.25) is Verdict.BULL
    assert build_up_side("Bull", -0.24) is Verdict.BULL
    assert build_up_side("Bull", -0.25) is Verdict.BEAR
    assert build_up_side("Bull", None) is None


def test_the_straddles_band_has_a_buffer_on_both_sides_of_its_edges():
    assert (BAND.low, BAND.high) == (24_155.0, 24_845.0)
    buffer = 0.0005 * BAND.high

    for in_force in (BandSide.INSIDE, BandSide.ABOVE):
        assert band_side(BAND, in_force, BAND.high, 0.05) is in_force
        assert band_side(BAND, in_force, BAND.high + buffer + 0.01, 0.05) is BandSide.ABOVE
        assert band_side(BAND, in_force, BAND.high - buffer - 0.01, 0.05) is BandSide.INSIDE
    assert band_side(BAND, BandSide.ABOVE, BAND.low - 20.0, 0.05) is BandSide.BELOW


def test_the_flow_of_a_chain_needs_most_of_its_legs():
    known = np.array([[5.0, -7.0, 0.0, 1.0, 2.0]] * 2)
    gaps = known.copy()
    gaps[0, :2] = np.nan
    few = gaps.copy()
    few[1, 0] = np.nan

    assert chain_flow(known) == 30.0
    assert chain_flow(gaps) == 18.0
    assert chain_flow(few) is None
    assert chain_flow(np.empty((2, 0))) is None


def test_the_speed_counts_deviations_from_the_half_hour_before():
    sizes = [100.0, 140.0] * 20
    watch, at_s = flows(*sizes)

    found = oi_speed(watch, at_s, 220.0, 1000.0)

    base = sizes[:-5]  # of the last 3 minutes every flow shares open interest with the present one
    mean = sum(base) / len(base)
    deviation = math.sqrt(sum((size - mean) ** 2 for size in base) / len(base))
    assert found.usual == pytest.approx(mean)
    assert found.z == pytest.approx((220.0 - mean) / deviation)


def test_a_short_history_has_no_speed():
    watch, at_s = flows(*[100.0] * 24)

    assert oi_speed(watch, at_s, 1e9, 1000.0) is None


def test_twenty_flows_of_before_the_last_three_minutes_are_enough():
    watch, at_s = flows(*[100.0] * 25)

    assert oi_speed(watch, at_s, 130.0, 0.0).z == pytest.approx(3.0)  # a tenth of what is usual


def test_a_chain_that_nobody_holds_has_no_speed_to_speak_of():
    watch, at_s = flows(*[0.0] * 25)

    assert oi_speed(watch, at_s, 0.0, 0.0).z == 0


def test_a_calm_chains_first_stir_is_no_record():
    watch, at_s = flows(*[0.0] * 60)

    assert watch_speed(watch, at_s, 1400.0, 1e6)[1] is None
    assert watch_speed(watch, at_s, 1500.0, 1e6)[1].z == pytest.approx(3.0)


def test_a_fast_flow_is_told_once_until_it_has_calmed():
    watch, at_s = flows(*[100.0, 140.0] * 30)
    told = []
    for k, size in enumerate([400.0] * 5 + [120.0] * 3 + [400.0] * 2):
        watch, found = watch_speed(watch, at_s + 30.0 * k, size, 1000.0)
        told += [k] if found is not None else []

    assert told == [0, 8]


def test_flows_older_than_half_an_hour_are_dropped():
    watch, at_s = flows(*[100.0] * 70)
    watch, _ = watch_speed(watch, at_s, 100.0, 1000.0)

    assert at_s - watch.samples[0][0] <= 1800.0
    assert len(watch.samples) == 61
