"""docs/analytics.md and the code say the same: names, events, and every worked figure."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from oimon.core import coi as coi_module
from oimon.core.build_up import em_window, option_bands
from oimon.core.chain import atm_strike
from oimon.core.coi import coi_score
from oimon.core.day_range import range_position
from oimon.core.direction import NOT_APPLICABLE, Component, Part, confidence_factor, direction_score
from oimon.core.fills import fill_price
from oimon.core.forward import RATE, ForwardSource
from oimon.core.futures import futures_score
from oimon.core.gex import gex
from oimon.core.greeks import black76
from oimon.core.level_break import break_buffer
from oimon.core.mark import mark_price
from oimon.core.max_pain import max_pain, pain_curve
from oimon.core.oi import oi_change
from oimon.core.pcr import pcr, pcr_slope
from oimon.core.pcr_cross import pcr_band_from
from oimon.core.quality import chain_quality
from oimon.core.size import position_size
from oimon.core.skew import skew_score
from oimon.core.smile import Quotes, smile
from oimon.core.straddle import expected_move, straddle
from oimon.core.straddle_band import StraddleBand
from oimon.core.verdict import strike_verdict
from oimon.core.walls import sr_levels
from oimon.messages import ChainAnalysis
from oimon.terms import BuildUp, EventKind, Quality
from tests.documents import ROOT

TEXT = (ROOT / "docs" / "analytics.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
PLAIN = {"Where the rest is"}  # a section without numbers

STRIKE = 25_800.0 + 50.0 * np.arange(11)
CALLS = [533_000, 253_500, 819_000, 637_000, 4_829_500, 2_736_500, 4_342_000, 2_574_000, 5_356_000, 1_865_500, 3_763_500]  # fmt: skip
PUTS = [3_997_500, 1_456_000, 3_789_500, 2_028_000, 7_728_500, 2_905_500, 2_437_500, 734_500, 1_033_500, 201_500, 299_000]  # fmt: skip
CALL_DAY = [-21_320, -10_140, -32_760, -25_480, -193_180, -109_460, -173_680, 257_400, 535_600, 186_550, 376_350]  # fmt: skip
PUT_DAY = [719_550, 262_080, 682_110, 365_040, 1_391_130, 522_990, 170_625, 51_415, 72_345, 14_105, 20_930]  # fmt: skip
OI = np.array([CALLS, PUTS], np.float64)
X = 26_052.4


def change():
    found = oi_change(*(np.array([v]) for v in (4_933_500.0, 4_843_150.0, 4_829_500.0, 1300.0)))
    return f"{found.delta[0]:+,.0f}", f"{found.pct[0]:+.6f} %"


def mark():
    found = mark_price(*(np.array([v]) for v in (142.1, 142.6, 142.75)),
        quote_age_s=np.array([0.8]), trade_age_s=np.array([2.0]), tick=0.05)  # fmt: skip
    return (f"gives {found.price[0]:.2f}",)


def quality():
    found = chain_quality(
        np.array([1000.0, 2000.0, 500.0, 800.0, 700.0, np.nan]),
        np.array([20.0, 700.0, 5.0, 90.0, 60.0, np.nan]),
        legs=6, underlying_age_s=12.0, forward_source=ForwardSource.SYNTHETIC_MID,
    )  # fmt: skip
    return (
        f"{found.quality} ({', '.join(found.why)})", f"{found.completeness:.6f} complete",
        f"{found.stale_oi_share:.0%}".replace("%", " %"),
    )  # fmt: skip


def ratios():
    found = pcr(OI, OI)
    samples = zip(range(0, 901, 180), [0.905, 0.918, 0.934, 0.946, 0.958, found.by_oi], strict=True)
    slope = pcr_slope(list(samples), 900.0)
    return (
        f"Puts {found.pe_oi:,.0f} against calls {found.ce_oi:,.0f}: {found.by_oi:.6f}",
        f"{slope.per_hour:+.6f} an hour",
    )


def writing():
    found = coi_module.coi(np.array([[-456_300.0], [1_648_400.0]]))
    score = coi_score(1.0, -650.0, 1300.0, 54_320_500.0)
    return f"balance {found.balance:+.0f}.", f"score {score:+.6f}"


def pain():
    strike = np.array([7900.0, 8000.0, 8100.0])
    oi = np.array([[322_950.0, 5_966_225.0, 570_975.0], [1_110_975.0, 3_114_525.0, 2_259_900.0]])
    found = max_pain(strike, oi, 8000.0)
    return (f"8100: {found.strike:.0f}, where holders get {pain_curve(strike, oi)[1]:,.0f} rupees",)


def levels():
    found = sr_levels(STRIKE, OI, np.array([CALL_DAY, PUT_DAY], np.float64), X)
    below, above = found.support.strongest[0], found.resistance.strongest[0]
    return (
        f"support {below[0]:,.0f} at {below[1]:.2f}", f"resistance {above[0]:,.0f} at {above[1]:.2f}",
        f"second ratio {found.resistance.second_ratio:.6f}",
        f"weak towards {found.resistance.weak_towards}",
        f"broken {break_buffer(26_000.0, 0.05):.2f} below",
    )  # fmt: skip


def verdict():
    codes = np.array([[3], [2]], np.int8)  # SHORT_COVERING, SHORT_BUILDUP
    found = strike_verdict(
        codes, np.array([[-234_000.0], [604_500.0]]), np.array([[4_829_500.0], [7_728_500.0]])
    )
    em_w = em_window(X, 0.118, 900.0, 23_100.0)
    bands = option_bands(
        np.array([150.0]), np.array([4_550_000.0]), lot=65.0, tick=0.05,
        delta=np.array([0.52]), em_w=em_w,
    )  # fmt: skip
    return (
        f"flow {found.flow[0]:.6f}, balance {found.balance[0]:.6f}, score {found.score[0]:.6f}, Bull",
        f"had to move {bands.price[0]:.2f}: NONE", f"11.8 %: {em_w:.2f}",
    )  # fmt: skip


def direction():
    scores = {"pcr_level": -0.2, "pcr_slope": 0.6, "coi_balance": 0.8, "net_buildup": 0.7,
              "sr_position": 0.1, "iv_skew": 0.2, "futures": 0.7}  # fmt: skip
    parts = {Component(name): Part.of(score) for name, score in scores.items()}
    found = direction_score(parts | {Component.MAX_PAIN: NOT_APPLICABLE})
    sure = confidence_factor(found.score, found.agreement, found.coverage, Quality.OK)
    return (
        f"score {found.score:.6f}, agreement {found.agreement:.6f}, confidence {sure:.6f}",
    )  # fmt: skip


def futures():
    score = futures_score(BuildUp.LONG_BUILDUP, 0.0018, 0.00165)
    return f"0.180 %: {score:.2f}", f"is usual: {skew_score(-0.018, -0.0215):.3f}"


def volatility():
    found = straddle(146.85, 144.55, X)
    move = expected_move(X, 0.118, 0.014231354642313546)
    return f"= {found.price:.2f}, {found.move_pct:.6f} %", f"{move:.2f} to expiry"


def exposure():
    years, strike = 448_800 / (365 * 86_400), np.array([26_050.0])
    price = black76(X, strike, years, np.array([0.118]), RATE).price
    curve = smile(Quotes(strike, price, X, years, 0.05), RATE)
    held = np.array([[1_000_000.0], [400_000.0]])
    found = gex(strike, held, curve, forward=X, years=years, rate=RATE)
    return (f"net {found.net / 1e7:,.2f} crore, absolute {found.absolute / 1e7:,.2f} crore",)


def coaching():
    bought = fill_price(is_buy=True, bid=149.8, ask=150.2, qty=650, top_qty=None, tick=0.05)
    sold = fill_price(is_buy=False, bid=149.8, ask=150.2, qty=650, top_qty=None, tick=0.05)
    return (
        f"bought at {bought} and sold at {sold}",
        f"{position_size(500_000.0, 150.3, 112.725, 65)} lots of 65",
    )


def events():
    band = StraddleBand(level=24_500.0, straddle=345.0, at_s=0.0)
    return (
        f"PCR 1.13 leaves neutral for {pcr_band_from('neutral', 1.13)}",
        f"1.11 does {'not yet' if pcr_band_from('neutral', 1.11) == 'neutral' else 'too'}",
        f"the band is {band.low:,.2f} to {band.high:,.2f}",
    )


EXAMPLES = {
    "Open interest and its change": change,
    "Mark": mark,
    "Forward, reference level, ATM": lambda: (f"ATM is {atm_strike(STRIKE, 26_075.0):,.0f}",),
    "Quality, ages and states": quality,
    "PCR": ratios,
    "Change in open interest, calls against puts": writing,
    "Max pain": pain,
    "Support and resistance": levels,
    "Build-up and verdict": verdict,
    "Direction": direction,
    "Futures and skew": futures,
    "Volatility, straddle, expected move": volatility,
    "Gamma exposure": exposure,
    "Signal, coaching, paper trading": coaching,
    "Shares and commodities": lambda: (f"{range_position(1432.5, 1418.0, 1441.0):.6f}",),
    "Events": events,
}


def test_every_section_has_an_example_that_is_worked_out_again():
    assert set(EXAMPLES) == set(SECTIONS) - PLAIN


@pytest.mark.parametrize("title", EXAMPLES)
def test_a_worked_example_has_the_engine_s_figures(title):
    example = SECTIONS[title].partition("**Example.**")[2].replace("−", "-")

    for figure in EXAMPLES[title]():
        assert str(figure) in example


@pytest.mark.parametrize("title", EXAMPLES)
def test_every_section_says_what_how_to_read_and_when_not_to_trust(title):
    for word in ("**What.**", "**Read.**", "**Distrust.**", "**Example.**"):
        assert word in SECTIONS[title]


def test_every_metric_module_is_named():
    modules = {path.stem for path in Path(ROOT, "shared", "oimon", "core").glob("[a-z]*.py")}

    assert modules - set(re.findall(r"`(\w+)`", TEXT)) == set()


def test_every_field_at_the_top_of_an_analysis_is_named():
    fields = {field.name for field in dataclasses.fields(ChainAnalysis)}

    assert fields - set(re.findall(r"`(\w+)`", TEXT)) == set()


def test_the_events_are_the_closed_list():
    assert set(re.findall(r"`([A-Z]+(?:_[A-Z]+)+)`", SECTIONS["Events"])) == set(EventKind)
