"""Regimes, prices and open interest against the specification's tables."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from analytics.reference import EACH_SIDE
from ingest.simulator import interest, path, pricing, regimes
from ingest.simulator.day import EXPIRY_WEEK, Plan, SimulatedDay
from ingest.simulator.dice import dice
from ingest.simulator.listing import listing
from ingest.simulator.path import _regimes, day_path, opened
from ingest.simulator.regimes import NAMES, REGIMES, TABLE, Name
from ingest.simulator.ticker import Part, Ticker
from ingest.simulator.universe import INDICES, SHARES
from oimon.core.chain import nearest_index, strike_window
from oimon.core.pcr import pcr_level_score

PAPER = """
LB    +1 +0.50  9 -0.4 900 2100 -1 +4 +2 -2 +8 +6 +1.2 +.010 SC .15 SB .10 LU .30 RANGE .42 SHOCK .03
SC    +1 +0.70 12 -1.0 600 1500 -4 -8 -6 -1 +4 +3 -1.0 +.015 LB .35 SB .10 LU .10 RANGE .42 SHOCK .03
SB    -1 -0.50 10 +0.6 900 2100 -2 +8 +6 -1 +4 +2 +1.2 -.010 LB .10 SC .30 LU .15 RANGE .42 SHOCK .03
LU    -1 -0.70 13 +1.2 600 1500 -1 -5 -4 -4 -8 -6 -1.0 -.020 LB .10 SC .10 SB .35 RANGE .42 SHOCK .03
RANGE  0  0     7 -0.6 900 2700  0 +4 +4  0 +4 +4 +0.1  0    LB .26 SC .21 SB .26 LU .21 SHOCK .06
SHOCK  0  0    30 +3.0  60  240 -2 -2 -2 -2 -2 -2  0   -.030 LB .20 SC .15 SB .25 LU .20 RANGE .20
"""
"""Analytics specification, 13.2 and 13.3: truth, drift in % and volatility in %, IV drift in points, least and mean dwell, flows of
calls, puts and futures in %, drift of the slope, what follows."""


def runs(codes):
    begun = regimes.starts(codes)
    lengths = np.diff(np.append(begun, len(codes)))
    return list(zip((NAMES[codes[at]] for at in begun), lengths.tolist(), strict=True))


def test_a_day_begins_in_range_and_no_regime_is_shorter_than_its_least():
    for seed in range(20):
        found = runs(regimes.walk(dice(seed, "x"), 23_100))

        assert found[0][0] is Name.RANGE
        assert all(length >= TABLE[name].min_s - 1 for name, length in found[:-1])


def test_regimes_follow_each_other_and_last_as_the_table_says():
    found = runs(regimes.walk(dice(1, "long"), 20_000_000))[:-1]

    lasted = {name: np.mean([s for n, s in found if n is name]) for name in Name}
    after_lb = [b for (a, _), (b, _) in pairwise(found) if a is Name.LB]
    for name, regime in TABLE.items():
        assert lasted[name] == pytest.approx(regime.mean_s, rel=0.1)
        assert sum(regime.follow.values()) == pytest.approx(1.0)
    for name, odds in TABLE[Name.LB].follow.items():
        assert after_lb.count(name) / len(after_lb) == pytest.approx(odds, abs=0.03)


def test_the_regimes_are_those_of_the_specification_s_table():
    for row in PAPER.split("\n")[1:-1]:
        name, *numbers = row.split()
        truth, drift, vol, iv, least, mean, *flows, slope = map(float, numbers[:14])
        follow = {
            Name(after): float(odds)
            for after, odds in zip(numbers[14::2], numbers[15::2], strict=True)
        }

        regime = TABLE[Name(name)]

        assert (regime.truth, regime.min_s, regime.mean_s) == (truth, least, mean)
        assert (100 * regime.drift, 100 * regime.vol) == pytest.approx((drift, vol))
        assert (100 * regime.iv_drift, regime.slope_drift) == pytest.approx((iv, slope))
        found = [*regime.ce_flow, *regime.pe_flow, regime.future_flow]
        assert [100 * each for each in found] == pytest.approx(flows)
        assert regime.follow == follow


def test_drift_and_volatility_of_a_regime_are_those_of_the_table():
    moves = {name: [] for name in Name}
    for seed in range(12):
        found = day_path(seed, INDICES[0], 23_100)
        step = np.diff(np.log(found.forward))
        for code, name in enumerate(NAMES):
            moves[name].append(step[found.regime[:-1] == code])

    for name in (Name.LB, Name.SC, Name.SB, Name.LU):
        found, regime = np.concatenate(moves[name]), TABLE[name]
        vol = found.std() * math.sqrt(252 * 23_100)
        assert vol == pytest.approx(regime.vol, rel=0.03)
        assert found.mean() * 3600 == pytest.approx(regime.drift, abs=0.003)


def whole_day_of(monkeypatch, name, seconds=200_000):
    codes = np.full(seconds, NAMES.index(name), np.int8)
    monkeypatch.setattr(path, "_regimes", lambda *_: codes)
    return day_path(1, INDICES[0], seconds)


def test_a_shock_jumps_once_a_minute_by_an_eighth_of_a_percent(monkeypatch):
    moves = np.diff(np.log(whole_day_of(monkeypatch, Name.SHOCK).forward))

    jumps = moves[np.abs(moves) > 6 * 0.30 / math.sqrt(252 * 200_000)]
    seen = math.erfc(6 * 0.30 / math.sqrt(252 * 200_000) / 0.0012 / math.sqrt(2))
    assert len(jumps) / seen == pytest.approx(200_000 / 60, rel=0.06)
    assert moves.var() == pytest.approx(0.30**2 / (252 * 200_000) + 0.0012**2 / 60, rel=0.1)


def test_a_range_draws_the_price_back_to_where_it_began(monkeypatch):
    level = np.log(whole_day_of(monkeypatch, Name.RANGE).forward / INDICES[0].level)

    assert np.polyfit(level[:-1], np.diff(level), 1)[0] == pytest.approx(-0.0012, rel=0.3)


def test_a_range_begins_where_the_regime_before_it_has_led():
    codes = np.repeat([NAMES.index(Name.LB), NAMES.index(Name.RANGE)], [10, 8_001])
    moves = np.repeat([0.01, 0.005, 0.0], [10, 1, 8_000])

    found = path._pulled(moves, codes.astype(np.int8))

    assert found[11] == pytest.approx(0.105)
    assert found[-1] == pytest.approx(0.10, abs=1e-5)


@pytest.mark.parametrize("name", list(Name))
def test_volatility_and_slope_drift_as_the_table_says_and_revert(monkeypatch, name):
    found = whole_day_of(monkeypatch, name, 3_601)

    left = 2e-5 * np.array([0.12 - found.atm_iv[:-1], -0.10 - found.slope[:-1]])
    iv, slope = np.diff([found.atm_iv, found.slope]) - left
    regime = TABLE[name]
    assert iv.sum() == pytest.approx(regime.iv_drift, abs=4 * 4e-5 * 60)
    assert iv.std() == pytest.approx(4e-5, rel=0.05)
    assert slope == pytest.approx(regime.slope_drift / 3600, abs=1e-12)


def test_volatility_and_slope_keep_within_their_limits():
    for mean, limits in ((0.12, (path._IV_FLOOR, math.inf)), (-0.10, path._SLOPE_RANGE)):
        fallen, risen = (path._reverting(mean, 2e-5, np.full(9, by), limits) for by in (-1.0, 1.0))
        assert (fallen[0], risen[0]) == (mean, mean)
        assert fallen[-1] == {0.12: 0.06, -0.10: -0.35}[mean]
        assert risen[-1] == pytest.approx({0.12: 8.12, -0.10: 0.05}[mean], abs=0.01)


def test_eight_of_ten_days_an_index_shares_its_regimes():
    shared = sum(
        np.array_equal(
            _regimes(seed, INDICES[1], 23_100),
            regimes.walk(dice(seed, "INDICES:regime"), 23_100),
        )
        for seed in range(60)
    )

    assert 40 <= shared <= 56


@pytest.mark.parametrize(
    ("market", "beta"), list(zip(INDICES, (1.0, 1.1, 1.05, 1.1, 0.98), strict=True))
)
def test_an_index_follows_the_common_factor_by_its_beta_and_has_four_percent_of_its_own(
    monkeypatch, market, beta
):
    codes = np.full(23_100, NAMES.index(Name.LB), np.int8)
    monkeypatch.setattr(path, "_regimes", lambda *_: codes)
    common = dice(5, "INDICES:path").standard_normal(23_100)[:-1]

    moves = np.diff(np.log(day_path(5, market, 23_100).forward)) * math.sqrt(252 * 23_100)

    slope, middle = np.polyfit(common, moves, 1)
    assert slope == pytest.approx(beta * math.sqrt(0.09**2 - 0.04**2), rel=0.01)
    assert (moves - slope * common - middle).std() == pytest.approx(0.04, rel=0.03)


def test_a_share_moves_by_itself_without_drift():
    found = day_path(7, SHARES[0], 23_100)

    assert np.std(np.diff(np.log(found.forward))) * math.sqrt(252 * 23_100) == pytest.approx(
        0.2, rel=0.03
    )


def test_the_smile_is_the_specification_s_and_prices_give_it_back():
    strike, years = np.array([25_500.0, 26_050.0, 26_600.0]), 5 / 365

    sigma = pricing.smile(strike, 26_050.0, years, 0.12, -0.10)

    x = math.log(25_500 / 26_050) / math.sqrt(years)
    assert sigma[0] == pytest.approx(0.12 + 0.35 * -0.10 * x + 0.21 * x * x)
    assert sigma[1] == pytest.approx(0.12)
    late = pricing.smile(strike, 26_050.0, 0.2 / 365, 0.12, -0.10)
    x = math.log(25_500 / 26_050) / math.sqrt(1 / 365)  # no less than a day
    assert late[0] == pytest.approx(0.12 + 0.35 * -0.10 * x + 0.21 * x * x)
    assert pricing.smile(strike, 26_050.0, years, 0.01, -0.10).min() == 0.05
    price, _ = pricing.chain_prices(strike, 26_050.0, years, 0.12, -0.10)
    assert price[0, 1] == pytest.approx(price[1, 1])
    assert price[0, 0] - price[1, 0] == pytest.approx(math.exp(-0.055 * years) * 550)


def test_an_expired_option_is_worth_what_it_is_in_the_money():
    price, delta = pricing.chain_prices(np.array([109.8, 120.0]), 110.0, 0.0, 0.12, -0.1)

    assert price == pytest.approx(np.array([[0.2, 0.0], [0.0, 10.0]]))
    assert delta.tolist() == [[1.0, 0.0], [0.0, -1.0]]


def test_spreads_are_a_tick_at_least_wider_in_the_wings_and_threefold_in_a_shock():
    price = np.array([[[10_000.0, 200.0], [1_000.0, 1_000.0]]] * 2)
    delta = np.array([[[0.5, 0.05], [-0.10, -0.099]]] * 2)

    half = pricing.half_spreads(price, delta, 5.0, np.array([False, True]))

    assert half[0].tolist() == [[15.0, 5.0], [5.0, 10.0]]
    assert half[1].tolist() == (3 * half[0]).tolist()


def test_quotes_lie_as_far_from_the_price_on_its_tick_as_the_half_spread_says():
    price = np.array([[10_052.4, 10_048.0, 3.2, 1.9]])
    part = Part(
        price=price, half=np.array([[15.1, 45.2, 5.0, 5.0]]), trades=np.ones((1, 4), np.int64),
        true=np.zeros((1, 4), np.int64), shown=np.zeros((1, 4), np.int64),
    )  # fmt: skip
    ticker = Ticker(np.full(4, 5.0), np.full(4, 65), np.full(4, 5), traded_s=0)

    found = ticker.quotes(np.array([1]), [part])

    assert found.ltp.tolist() == [[10_050, 10_050, 5, 5]]
    assert found.bid.tolist() == [[10_035, 10_005, 0, 0]]
    assert found.ask.tolist() == [[10_065, 10_095, 10, 10]]


def test_spreads_of_a_day_are_on_average_those_of_the_specification():
    tape = SimulatedDay(Plan(seed=3), replace(INDICES[0], expiries=1)).tape
    (expiry,), strike, way = tape._listed.options, tape._listed.strike, tape.path
    wider = []
    for at, quotes in tape.blocks(1_155):
        for place, second in enumerate(at.tolist()):
            price, delta = pricing.chain_prices(
                strike, float(way.forward[second]), tape._years(expiry, second), way.atm_iv[second], way.slope[second]
            )  # fmt: skip
            in_shock = np.array([NAMES[way.regime[second]] is Name.SHOCK])
            half = pricing.half_spreads(100 * price[None], delta[None], 5, in_shock).ravel()
            bid, ask = quotes.bid[place, 4:], quotes.ask[place, 4:]
            wider.append(((ask - bid) / 2 - half)[bid > 0])

    found = np.concatenate(wider)
    assert len(found) > 2_000
    assert np.abs(found).max() < 2.5 + 1e-6  # paise: half a tick
    assert abs(found.mean()) < 0.1


def test_most_open_interest_is_at_round_strikes_calls_above_puts_below():
    strike = 24_550.0 + 50 * np.arange(61)

    weight = interest.weights(dice(1, "x"), strike, 26_050.0, 50, 60_000)
    base = interest.base_lots(weight, strike, np.array([26_050.0]))[0]

    assert strike[base[0].argmax()] > 26_050 > strike[base[1].argmax()]
    assert strike[base.argmax(axis=1)].tolist() == [26_500.0, 25_500.0]
    assert 0.5 * 60_000 < base.max() < 2 * 60_000


def test_the_base_is_the_specification_s_hump_at_round_strikes_more_by_chance():
    strike = np.array([25_950.0, 26_000.0, 26_050.0, 26_100.0])
    found = np.log(
        [interest.weights(dice(seed, "x"), strike, 26_050.0, 50, 60_000) for seed in range(600)]
    )

    assert found.std(axis=0) == pytest.approx(0.3, rel=0.12)
    typical = np.exp(found.mean(axis=0))
    assert typical / typical[0, 0] == pytest.approx(np.array([[1.0, 3.0, 1.0, 1.8]] * 2), rel=0.1)
    hump = interest.base_lots(np.ones((2, 1)), np.array([25_300.0]), np.array([25_000.0, 25_300.0]))
    # 13.4 by hand: 1.2 % out of the money, and at the money
    assert hump[0, :, 0] == pytest.approx([1.03, math.exp(-2.25) + 0.03])
    assert hump[1, :, 0] == pytest.approx(math.exp(-0.5625) + 0.03)


def test_activity_is_highest_at_the_money_and_a_tenth_far_away():
    found = interest.activity(np.array([25_000.0, 25_250.0, 30_000.0]), np.array([25_000.0]))

    assert found[0] == pytest.approx([1.1, math.exp(-0.5) + 0.1, 0.1])


def test_the_buckets_of_moneyness_are_three_tenths_of_a_percent_wide_each_way():
    strike = np.array([9_969.0, 9_970.0, 10_030.0, 10_031.0])
    codes = np.full(2_001, NAMES.index(Name.SB), np.int8)
    base = np.full((2_001, 2, 4), 1e7)

    true = interest.option_lots(dice(3, "x"), base, strike, np.full(2_001, 10_000.0), codes)

    flow = (true[-1] / base[0] - 1) * 900 / (2_000 * 5) / math.exp(0.125)
    flow /= interest.activity(strike, np.array([10_000.0]))
    expected = [[-0.02, 0.08, 0.08, 0.06], [0.02, 0.04, 0.04, -0.01]]
    assert flow == pytest.approx(np.array(expected), abs=0.004)


def test_days_open_at_levels_of_their_own_and_lean_no_way_together():
    levels, scores = [], []
    for seed in range(200):
        market = opened(seed, INDICES[0])
        strike = listing(market, EXPIRY_WEEK).strike
        weight = interest.weights(dice(seed, "lean"), strike, market.level, market.step, 60_000)
        held = interest.base_lots(weight, strike, np.array([market.level]))[0]
        near = strike_window(strike, strike[nearest_index(strike, market.level)], EACH_SIDE)
        calls, puts = held[:, near].sum(axis=1)
        levels.append(math.log(market.level / INDICES[0].level))
        scores.append(pcr_level_score(puts / calls))

    assert opened(7, INDICES[0]) == opened(7, INDICES[0])
    assert np.std(levels) == pytest.approx(0.02, rel=0.1)
    assert abs(np.mean(levels)) < 0.004
    assert abs(np.mean(scores)) < 0.09, "of one level on all days it is -0.15"


def test_writers_go_where_the_price_has_gone():
    strike, rising = 24_550.0 + 50 * np.arange(61), np.linspace(26_050.0, 26_550.0, 1_801)
    codes = np.full(1_801, NAMES.index(Name.RANGE), np.int8)
    weight = interest.weights(dice(1, "x"), strike, 26_050.0, 50, 60_000)
    even = np.ones_like(weight) * weight.mean()  # by moneyness alone

    for forward in (np.full(1_801, 26_050.0), rising):
        base = interest.base_lots(even, strike, forward)
        true = interest.option_lots(dice(2, "x"), base, strike, forward, codes)
        calls, puts = (true[-1] - true[-181]).sum(axis=1)
        assert calls / puts == pytest.approx(1.0, abs=0.1)

    held = interest.option_lots(dice(2, "x"), base[:1].repeat(1_801, axis=0), strike, rising, codes)
    calls, puts = (held[-1] - held[-181]).sum(axis=1)
    assert calls / puts > 1.5, "a base left behind at the open would write calls alone"


@pytest.mark.parametrize("name", list(Name))
def test_open_interest_at_the_money_flows_as_the_regime_s_row_says(name):
    strike, forward = np.array([26_000.0]), np.full(1_801, 26_000.0)
    codes = np.full(1_801, NAMES.index(name), np.int8)
    base = np.full((1_801, 2, 1), 1e6)

    true = interest.option_lots(dice(2, "x"), base, strike, forward, codes)

    grown = (true[-1] / base[0] - 1)[:, 0] / 10  # of ten windows of 15 minutes
    regime = REGIMES[codes[0]]
    for side, flow in ((0, regime.ce_flow[1]), (1, regime.pe_flow[1])):
        assert grown[side] == pytest.approx(1.1 * flow * math.exp(0.125), abs=0.006)


def test_in_a_range_the_future_s_open_interest_stays_in_its_dead_band():
    codes = np.full(4_620, NAMES.index(Name.RANGE), np.int8)

    true = interest.future_lots(dice(4, "x"), 240_000.0, codes)

    assert np.abs(true[180:] - true[:-180]).max() < 0.0025 * 240_000
    assert true[-1] > true[0]


def test_in_a_range_calls_and_puts_flow_alike_wherever_the_price_has_gone():
    tilts = []
    for seed in range(1, 9):
        tape = SimulatedDay(Plan(seed=seed, expiries=1), INDICES[0]).tape
        true, codes = tape.options[0].true, tape.path.regime[::5]
        gone = np.log(tape.path.forward / tape.path.forward[0])[::5]
        is_range = np.lib.stride_tricks.sliding_window_view(codes, 181) == NAMES.index(Name.RANGE)
        for step in np.flatnonzero(is_range.all(axis=1) & (np.abs(gone[180:]) > 0.006)):
            calls, puts = (true[step + 180] - true[step]).sum(axis=1)
            tilts.append(np.sign(gone[step + 180]) * (calls - puts) / (calls + puts))

    assert len(tilts) > 1_000
    assert abs(np.mean(tilts)) < 0.1


def test_open_interest_never_falls_below_zero():
    codes = np.full(200_000, NAMES.index(Name.SC), np.int8)

    true = interest.future_lots(dice(1, "x"), 100.0, codes)

    assert true.min() == 0
    assert true[0] == 100


@pytest.mark.parametrize("publish_s", [1.0, 5.0, 60.0, 180.0, 600.0])
def test_each_leg_publishes_what_is_true_at_its_own_times_and_repeats_it_between(publish_s):
    true = np.cumsum(np.ones((400, 2, 7), np.int64), axis=0)

    shown = interest.published(dice(5, "x"), true, publish_s)

    age = true - shown
    steps = max(1, math.ceil(publish_s / 5))
    assert age[steps:].max() <= steps
    assert age.min() == 0
    changes = np.count_nonzero(np.diff(shown, axis=0), axis=0)
    assert (np.abs(changes - 2_000 / max(publish_s, 5.0)) <= 1).all()
    if publish_s > 5:
        first = (np.diff(shown, axis=0) != 0).argmax(axis=0)
        assert len(set(first.ravel().tolist())) > 3, "legs publish at times of their own"
