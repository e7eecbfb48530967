import math

import pytest

from oimon import figures


@pytest.mark.parametrize(
    ("value", "text"),
    [(24_512.35, "24,512.35"), (1_02_345.6, "1,02,345.60"), (-0.001, "0.00"), (999, "999.00")],
)
def test_prices_are_grouped_the_indian_way(value, text):
    assert figures.grouped(value) == text


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        (16_300_000, "1.63cr"),
        (9_999_999, "1.00cr"),
        (6_130_000, "61.3L"),
        (45_300, "0.45L"),
        (9_750, "9,750"),
        (0, "0"),
        (-12_00_000, "-12.0L"),
    ],
)
def test_open_interest_is_told_in_lakh_and_crore(quantity, text):
    assert figures.lakh_crore(quantity) == text


def test_a_change_of_open_interest_bears_its_sign_and_zero_bears_none():
    assert figures.lakh_crore_change(410_000) == "+4.1L"
    assert figures.lakh_crore_change(-30_000) == "-0.30L"
    assert figures.lakh_crore_change(0) == "0"


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_what_is_unknown_is_a_dash_never_zero(unknown):
    assert {
        figures.grouped(unknown),
        figures.plain(unknown),
        figures.decimal(unknown),
        figures.signed(unknown),
        figures.percent(unknown),
        figures.lakh_crore(unknown),
        figures.lakh_crore_change(unknown),
        figures.rupees(unknown),
        figures.age(unknown),
    } == {"--"}


def test_a_change_that_rounds_to_nothing_has_no_sign():
    assert figures.signed(0.001) == "0.00"
    assert figures.signed(-0.001) == "0.00"
    assert figures.signed(-1.2) == "-1.20"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.31, "0.3s"),
        (-1, "0.0s"),
        (42, "42s"),
        (72, "1m12s"),
        (7_500, "2h05m"),
        (277_000, "3d 04h"),
    ],
)
def test_an_age_is_as_long_as_a_person_needs_it(seconds, text):
    assert figures.age(seconds) == text


def test_times_are_in_ist_whatever_the_machine_is_set_to():
    instant_us = 1_787_037_067_000_000  # 07:11:07 UTC

    assert figures.clock_time(instant_us) == "12:41:07"
    assert figures.date_time(instant_us) == "2026-08-18 12:41:07"
    assert figures.day(1_787_079_600_000_000) == "2026-08-19"  # 00:30 IST, 19:00 UTC of the 18th


def test_money_bears_its_sign_and_groups():
    assert figures.rupees("1140.50") == "+₹1,140"
    assert figures.rupees(-248.29) == "-₹248"
    assert figures.rupees("150000.00") == "+₹1,50,000"


def test_an_expiry_is_written_as_traders_write_it():
    assert figures.short_date("2026-08-20") == "20 Aug"
    assert figures.short_date("2026-11-03") == "3 Nov"
