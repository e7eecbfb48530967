"""The loops as machine code give what numpy gives; left out where numba is not installed."""

import numpy as np
import pytest

from analytics.desk import Desk, handle
from oimon.codec import encode
from oimon.core import fast
from oimon.core.build_up import build_up, option_bands
from oimon.core.gex import gex
from oimon.core.greeks import black76
from oimon.core.implied_vol import implied_vol
from oimon.core.open_interest import open_interest
from oimon.core.smile import Quotes, smiles
from tests.unit.analytics.recorded import recorded_entries

RATE = 0.055


@pytest.fixture
def both():
    """Return what a job gives by numpy and by machine code."""
    if not fast.use():
        pytest.skip("numba is not installed")
    fast.use(wanted=False)

    def run(job):
        by_numpy = job()
        fast.use()
        try:
            return by_numpy, job()
        finally:
            fast.use(wanted=False)

    yield run
    fast.use(wanted=False)


def options(count, seed):
    """Return prices of random options, some of them impossible, missing or dead."""
    dice = np.random.default_rng(seed)
    forward = dice.uniform(100, 60_000, count)
    strike = forward * np.exp(dice.uniform(-0.6, 0.6, count))
    years = 10 ** dice.uniform(np.log10(15 / 60 / 24 / 365), 0, count)
    sigma = 10 ** dice.uniform(np.log10(0.03), np.log10(3), count)
    is_call = dice.random(count) < 0.5
    price = np.array(
        [
            black76(f, np.array([k]), t, np.array([s]), RATE).price[0 if call else 1, 0]
            for f, k, t, s, call in zip(forward, strike, years, sigma, is_call, strict=True)
        ]
    )
    price[::17] *= 0.2
    price[5::31] = np.nan
    price[7::41] = forward[7::41] * 2
    years[11::43] = -1e-6
    years[13::47] = 1e-6
    return price, is_call, strike, forward, years


def test_volatilities_and_their_statuses_are_those_of_numpy(both):
    price, is_call, strike, forward, years = options(4000, 3)
    ours, theirs = both(
        lambda: implied_vol(
            price, is_call, strike, forward=forward, years=years, rate=RATE, tick=0.05
        )
    )
    assert np.array_equal(ours.status, theirs.status)
    assert len(set(ours.status.tolist())) >= 6
    known = ours.status == 0
    assert np.abs(ours.sigma - theirs.sigma)[known].max() < 1e-9
    assert np.isnan(theirs.sigma[~known]).all()


def test_one_number_for_all_options_serves_as_well(both):
    strike = np.array([90.0, 100.0, 110.0])
    price = np.array([1.0, 4.0, 1.0])
    ours, theirs = both(
        lambda: implied_vol(
            price, strike >= 100, strike, forward=100.0, years=0.1, rate=RATE, tick=0.05
        )
    )
    assert np.allclose(ours.sigma, theirs.sigma, rtol=1e-13)


def chain(forward=26_052.4, years=6 / 365):
    strike = 26_050 + 50.0 * np.arange(-60, 60)
    x = np.log(strike / forward)
    greeks = black76(forward, strike, years, 0.12 - 0.2 * x + 3 * x * x, RATE)
    return Quotes(strike, np.round(greeks.price / 0.05) * 0.05, forward, years, 0.05)


def test_smiles_deltas_and_greeks_are_those_of_numpy(both):
    quotes = [chain(), chain(25_900.0, 20 / 365)]
    for ours, theirs in zip(*both(lambda: smiles(quotes, RATE)), strict=True):
        assert np.array_equal(ours.status, theirs.status)
        assert np.allclose(ours.iv, theirs.iv, rtol=1e-12, equal_nan=True)
        assert np.allclose(ours.delta, theirs.delta, rtol=1e-10, equal_nan=True)
        assert (ours.atm_iv, ours.rr25) == pytest.approx((theirs.atm_iv, theirs.rr25), rel=1e-12)
    ours, theirs = both(lambda: black76(26_000.0, quotes[0].strike, 0.02, np.full(120, 0.15), RATE))
    for name in ("price", "delta", "gamma", "vega", "theta"):
        assert np.allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=1e-12)


def test_zero_gamma_is_that_of_numpy_wherever_it_lies_and_where_there_is_none(both):
    quotes, found = chain(), set()
    curve = smiles([quotes], RATE)[0]
    for seed in range(60):
        dice = np.random.default_rng(seed)
        oi = dice.integers(0, 50_000, (2, 120)).astype(float)
        oi[0, : seed * 2] = 0.0
        oi[1, 120 - seed :] = 0.0
        ours, theirs = both(
            lambda oi=oi: gex(
                quotes.strike, oi, curve, forward=quotes.forward, years=quotes.years, rate=RATE
            )
        )
        found.add(ours.zero_gamma is None)
        if ours.zero_gamma is None:
            assert theirs.zero_gamma is None
        else:
            assert theirs.zero_gamma == pytest.approx(ours.zero_gamma, rel=1e-11)
    assert found == {True, False}


def test_without_numba_it_is_numpy(monkeypatch):
    monkeypatch.setattr(fast, "find_spec", lambda name: None)
    assert not fast.use()
    assert fast.loops is None


def a_chain(seed):
    """Return a random chain: missing legs, empty strikes, equal walls, a level that may be a strike."""
    dice = np.random.default_rng(seed)
    n = int(dice.integers(0, 60))
    strike = 24_000 + 50.0 * np.arange(n)
    columns = {
        "oi": 65.0 * dice.integers(0, 40, (2, n)),
        "volume": 65.0 * dice.integers(0, 900, (2, n)),
        "oi_change": 65.0 * dice.integers(-20, 20, (2, n)),
        "oi_change_day": 65.0 * dice.integers(-20, 20, (2, n)),
        "oi_age_s": dice.uniform(0, 900, (2, n)),
    }
    for column in columns.values():
        column[dice.random((2, n)) < dice.choice([0.0, 0.1, 0.9])] = np.nan
    level = [None, 24_000 + 50.0 * n / 2, 24_012.3 + 50 * n / 3, 20_000.0][seed % 4]
    first = int(dice.integers(0, n + 1))
    return strike, columns, level, slice(first, min(first + 21, n))


def test_what_open_interest_says_is_what_numpy_reads(both):
    for seed in range(300):
        strike, columns, level, window = a_chain(seed)
        asked = {name: column for name, column in columns.items() if name not in ("oi", "volume")}
        ours, theirs = both(
            lambda s=strike, c=columns, a=asked, x=level, w=window: open_interest(
                s, c["oi"], c["volume"], **a, level=x, window=w
            )
        )
        assert theirs[:5] == ours[:5]
        for mine, other in zip(ours.levels, theirs.levels, strict=True):
            assert other._replace(strongest=()) == mine._replace(strongest=())
            assert [s for s, _ in other.strongest] == [s for s, _ in mine.strongest]
            assert [x for _, x in other.strongest] == pytest.approx(
                [x for _, x in mine.strongest], rel=1e-12
            )


def test_classes_are_those_of_numpy(both):
    dice = np.random.default_rng(5)
    then, change = dice.uniform(1, 500, (2, 400)), dice.normal(0, 8, (2, 400))
    oi_then, flow = (
        65.0 * dice.integers(0, 9_000, (2, 400)),
        65.0 * dice.integers(-200, 200, (2, 400)),
    )
    for column in (then, change, flow):
        column[dice.random((2, 400)) < 0.05] = np.nan
    bands = option_bands(then, oi_then, lot=65, tick=0.05)
    ours, theirs = both(lambda: build_up(change, flow, bands))
    assert np.array_equal(ours, theirs)
    assert set(ours.ravel().tolist()) == {0, 1, 2, 3, 4}


def answers(entries):
    """Return the bytes of all analyses of these entries."""
    desk, found = Desk(partition="NIFTY"), []
    for entry in entries:
        desk, outputs = handle(desk, entry)
        found += [encode(output.message) for output in outputs]
    return found


def test_recorded_beats_have_the_same_bytes_both_ways(both):
    entries = recorded_entries(240)

    ours, theirs = both(lambda: answers(entries))

    assert len(ours) == 240
    assert ours == theirs
