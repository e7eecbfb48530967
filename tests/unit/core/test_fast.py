"""The loops as machine code give what numpy gives; left out where numba is not installed."""

from dataclasses import astuple
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest

from analytics.desk import Desk, handle
from analytics.warming import warm_up
from oimon.codec import decode, encode
from oimon.core import fast
from oimon.core.build_up import build_up, option_bands
from oimon.core.forward import synthetic_forward
from oimon.core.gex import gex
from oimon.core.greeks import black76
from oimon.core.implied_vol import implied_vol
from oimon.core.mark import Marks
from oimon.core.net_build_up import ChainMarket, net_build_up, net_if_known
from oimon.core.one_pass import Columns, one_pass, reading_of
from oimon.core.open_interest import open_interest
from oimon.core.smile import Quotes, smiles
from oimon.core.verdict import strike_verdict
from tests.unit.analytics.days import START_US, Tape, make_batch, make_session, market_ticks
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


@pytest.fixture
def machine_code():
    """Have machine code used."""
    if not fast.use():
        pytest.skip("numba is not installed")
    yield
    fast.use(wanted=False)


def expiry(count, seed):
    """Return random options of one expiry, some of their prices impossible, missing or dead."""
    dice = np.random.default_rng(seed)
    forward, years = dice.uniform(100, 60_000), 10 ** dice.uniform(np.log10(15 / 525_600), 0)
    strike = forward * np.exp(dice.uniform(-0.6, 0.6, count))
    sigma = 10 ** dice.uniform(np.log10(0.03), np.log10(3), count)
    is_call = dice.random(count) < 0.5
    made = black76(forward, strike, years, sigma, RATE).price
    price = np.where(is_call, made[0], made[1])
    price[::17] *= 0.2
    price[5::31] = np.nan
    price[7::41] = forward * 2
    if seed % 20 == 0:
        years = 1e-6 if seed % 40 == 0 else -1e-6
    return price, is_call, strike, forward, years


@pytest.mark.parametrize(("count", "statuses"), [(1, 4), (8, 7), (200, 8)])
def test_volatilities_and_their_statuses_are_those_of_numpy(both, count, statuses):
    seen = set()
    for seed in range(100):
        price, is_call, strike, forward, years = expiry(count, seed)
        ours, theirs = both(
            lambda asked=(price, is_call, strike), forward=forward, years=years: implied_vol(
                *asked, forward=forward, years=years, rate=RATE, tick=0.05
            )
        )
        assert np.array_equal(ours.status, theirs.status)
        seen |= set(ours.status.tolist())
        known = ours.status == 0
        # Two machines' exponentials differ in the last bit of a discounted price: of 40,000 rupees that is as much as 1e-11.
        value = price / np.exp(-RATE * years) - np.maximum(
            0, np.where(is_call, 1, -1) * (forward - strike)
        )
        is_sound = value > 1e-4
        apart = np.abs(ours.sigma - theirs.sigma)
        assert apart[known & is_sound].max(initial=0) < 1e-9
        assert apart[known].max(initial=0) < 1e-3
        assert np.isnan(theirs.sigma[~known]).all()
    assert len(seen) >= statuses


def test_options_of_several_expiries_are_solved_by_numpy(both):
    price, is_call, strike, forward, years = expiry(200, 3)
    terms = {"forward": np.full(200, forward), "years": np.full(200, years), "rate": RATE}

    ours, theirs = both(lambda: implied_vol(price, is_call, strike, **terms, tick=0.05))

    assert np.array_equal(ours.sigma, theirs.sigma, equal_nan=True)
    assert np.array_equal(ours.status, theirs.status)


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


COLUMNS = np.array(
    Columns(oi=0, volume=1, mark=2, price_change=3, oi_change=4, oi_change_day=5, oi_age_s=6)
)


def a_chain(seed):
    """Return a random chain: missing legs, empty strikes, equal walls, changes of nothing, a level that may be a strike."""
    dice = np.random.default_rng(seed)
    n = int(dice.integers(0, 60))
    strike = 24_000 + 50.0 * np.arange(n)
    cells = np.stack([
        65.0 * dice.integers(0, 40, (2, n)) * dice.choice([1, 100]),
        65.0 * dice.integers(0, 900, (2, n)),
        np.round(dice.uniform(0.05, 300, (2, n)), 2),
        np.round(dice.normal(0, 3, (2, n)), 2) * (dice.random((2, n)) < 0.9),
        65.0 * dice.integers(-60, 60, (2, n)),
        65.0 * dice.integers(-20, 20, (2, n)),
        dice.uniform(0, 900, (2, n)),
    ])  # fmt: skip
    for column in cells:
        column[dice.random((2, n)) < dice.choice([0.0, 0.1, 0.9])] = np.nan
    delta = dice.uniform(-1, 1, (2, n))
    delta[dice.random((2, n)) < 0.2] = np.nan
    level = [None, 24_000 + 50.0 * n / 2, 24_012.3 + 50 * n / 3, 20_000.0][seed % 4]
    first = int(dice.integers(0, n + 1))
    return strike, cells, level, slice(first, first + 21), delta


def by_numpy(strike, cells, level, window, noise):
    """Return reading and classes of a chain by the functions that say what they are."""
    oi, volume, mark, moved, flowed, day, age = cells
    reading = open_interest(
        strike, oi, volume, oi_change=flowed, oi_change_day=day, oi_age_s=age, level=level, window=window
    )  # fmt: skip
    delta, em_w = (None, None) if noise is None else noise
    bands = option_bands(mark - moved, oi - flowed, lot=65, tick=0.05, delta=delta, em_w=em_w)
    return reading, build_up(moved, flowed, bands)


def test_one_pass_reads_what_numpy_reads(machine_code):
    seen = set()
    for seed in range(400):
        strike, cells, level, window, delta = a_chain(seed)
        noise = None if seed % 3 == 0 else (delta, 12.5)
        ours, codes = by_numpy(strike, cells, level, window, noise)

        numbers, others = one_pass(
            strike, cells, COLUMNS, level=level, window=window, lot=65, tick=0.05, noise=noise
        )

        theirs = reading_of(numbers, len(strike), window)
        assert theirs[:5] == ours[:5]
        for mine, other in zip(ours.levels, theirs.levels, strict=True):
            assert other._replace(strongest=()) == mine._replace(strongest=())
            assert [s for s, _ in other.strongest] == [s for s, _ in mine.strongest]
            assert [x for _, x in other.strongest] == pytest.approx(
                [x for _, x in mine.strongest], rel=1e-12
            )
        assert np.array_equal(codes, others)
        seen |= set(codes.ravel().tolist())
    assert seen == {0, 1, 2, 3, 4}


def test_of_equally_strong_levels_the_nearest_comes_first_as_by_numpy(machine_code):
    strike = np.array([1.0, 2.0, 3.0, 1_000.0, 5_000.0, 6_000.0, 7_000.0])
    cells, window = np.full((7, 2, 7), 65.0), slice(0, 7)

    numbers, _ = one_pass(
        strike, cells, COLUMNS, level=1_000.0, window=window, lot=65, tick=0.05, noise=None
    )

    support, resistance = reading_of(numbers, 7, window).levels
    assert [k for k, _ in support.strongest] == [1_000, 3, 2]
    assert [k for k, _ in resistance.strongest] == [1_000, 5_000, 6_000]


def test_what_each_leg_does_depends_on_the_noise_of_its_price(machine_code):
    cells = np.full((7, 2, 1), 100.0)
    cells[3], cells[4] = 5.0, 65.0 * 30

    def codes(noise):
        asked = {"level": None, "window": slice(0, 1), "lot": 65, "tick": 0.05}
        return one_pass(np.array([100.0]), cells, COLUMNS, noise=noise, **asked)[1].tolist()

    assert codes(None) == [[1], [1]]
    assert codes((np.array([[0.5], [-0.4]]), 30.0)) == [[0], [1]]


def some_legs(seed):
    """Return strikes and a random chain's marks, open interest and changes, some of them unknown, each of shape (2, n)."""
    dice = np.random.default_rng(seed)
    n = int(dice.integers(1, 40))
    strike = 24_000 + 50.0 * np.arange(n)
    columns = [
        np.round(dice.uniform(0, 900, (2, n)), 2),
        65.0 * dice.integers(0, 9000, (2, n)),
        65.0 * dice.integers(-500, 500, (2, n)),
    ]
    for column in columns:
        column[dice.random((2, n)) < dice.choice([0.0, 0.2, 0.95])] = np.nan
    return dice, strike, *columns


def test_the_forward_is_that_of_numpy(both):
    sources = set()
    for seed in range(200):
        dice, strike, price, _, _ = some_legs(seed)
        price[0] = price[1] + dice.choice([24_700.0, 20.0]) - strike + dice.normal(0, 1)
        marks = Marks(price=price, is_mid=dice.random(price.shape) < dice.choice([0.1, 0.9]))
        spot = float(dice.choice([strike[0], strike[-1], 23_000.0, 24_725.0, 24_712.3]))
        asked = {"spot": spot, "years": 0.02, "future": float(dice.choice([24_700.0, 1.0]))}

        ours, theirs = both(lambda s=strike, m=marks, a=asked: synthetic_forward(s, m, **a))

        assert (ours.source, ours.strikes) == (theirs.source, theirs.strikes)
        assert ours.price == pytest.approx(theirs.price, rel=1e-12)
        sources.add(ours.source)
    assert len(sources) == 4


def test_verdicts_and_their_sum_are_those_of_numpy(both):
    nets = []
    for seed in range(100):
        dice, strike, _, oi, change = some_legs(seed)
        codes = dice.integers(0, 5, oi.shape).astype(np.int8)

        ours, theirs = both(lambda c=codes, d=change, o=oi: strike_verdict(c, d, o))

        assert np.array_equal(ours.code, theirs.code)
        for name in ("score", "flow", "balance"):
            assert np.allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-12, atol=1e-15)
        market = ChainMarket(len(strike), 24_310.5, 12.0, 40.0)
        told = {"forward": market.forward, "level_change": 12.0, "em_w": 40.0}
        by_numpy = net_build_up(strike, codes, change, oi, **told)
        fast.use()
        net = net_if_known(strike, codes, change, oi, market)
        fast.use(wanted=False)
        nets.append(net)
        assert (net is None) == np.isnan(change).all()
        if net is not None:
            assert astuple(net) == pytest.approx(astuple(by_numpy), rel=1e-11)
    assert None in nets


def test_a_smile_with_few_volatilities_or_none_is_that_of_numpy(both):
    full = chain()
    for known in (0, 1, 2, 5):
        price = full.price.copy()
        price[:, :50], price[:, 50 + known :] = np.nan, np.nan
        quotes = full._replace(price=price)

        (ours,), (theirs,) = both(lambda q=quotes: smiles([q], RATE))

        assert np.array_equal(ours.status, theirs.status)
        assert np.array_equal(ours.is_call, theirs.is_call)
        assert (ours.atm_iv is None) == (known == 0)
        for name in ("atm_iv", "call25", "put25"):
            one, other = getattr(ours, name), getattr(theirs, name)
            assert one == (None if other is None else pytest.approx(other, rel=1e-12))
        held = np.where(np.isnan(price), np.nan, 65.0)
        exposures = both(
            lambda q=quotes, c=theirs, o=held: gex(
                q.strike, o, c, forward=q.forward, years=q.years, rate=RATE
            )
        )
        assert [each is None for each in exposures] == [known == 0] * 2
        if known:
            ours, theirs = exposures
            assert (ours.net, ours.absolute) == pytest.approx((theirs.net, theirs.absolute))
            assert np.allclose(ours.per_strike, theirs.per_strike, equal_nan=True)


def test_without_machine_code_there_is_no_one_pass():
    strike, cells, level, window, _ = a_chain(1)
    asked = {"level": level, "window": window, "lot": 65, "tick": 0.05}

    assert one_pass(strike, cells, COLUMNS, noise=None, **asked) is None


def answers(entries):
    """Return the bytes of all analyses of these entries."""
    desk, found = Desk(partition="NIFTY"), []
    for entry in entries:
        desk, outputs = handle(desk, entry)
        found += [encode(output.message) for output in outputs]
    return found


def test_what_beats_call_was_compiled_before_them(machine_code, monkeypatch):
    called = {}

    def kept(name, loop):
        def call(*args):
            called.setdefault(name, set()).add(tuple(str(typeof(each)) for each in args))
            return loop(*args)

        return call

    names = fast.loops.__all__
    loops = SimpleNamespace(**{name: kept(name, getattr(fast.loops, name)) for name in names})
    typeof = import_module("numba").typeof
    monkeypatch.setattr(fast, "loops", loops)
    warm_up()
    compiled, called = called, {}

    answers(recorded_entries(40))

    assert {"one_pass", "smile", "gex", "write_message"} <= set(called)
    assert called == {name: compiled[name] for name in called}


def test_recorded_beats_have_the_same_bytes_both_ways(both):
    entries = recorded_entries(240)

    ours, theirs = both(lambda: answers(entries))

    assert len(ours) == 240
    assert ours == theirs


def test_beats_before_any_price_of_the_underlying_have_the_same_bytes_both_ways(both):
    session = make_session(strikes=3)
    ticks = market_ticks(session, 0)[1:]  # all but the index

    def told():
        tape = Tape()
        tape.put(session)
        found = [encode(tape.beat(1))]
        tape.put(make_batch(session, ticks, START_US + 1_000_000))
        return [*found, encode(tape.beat(2))]

    ours, theirs = both(told)

    assert ours == theirs


def test_a_message_says_what_its_bytes_say_though_it_is_made_later(machine_code):
    desk = Desk(partition="NIFTY")
    for entry in recorded_entries(20):
        desk, outputs = handle(desk, entry)
    (message,) = [output.message for output in outputs]

    read = decode("analysis", 1, encode(message))

    for ours, theirs in zip((message, *message.more), (read, *read.more), strict=True):
        assert ours.chain.strike.tolist() == theirs.chain.strike.tolist()
        assert np.allclose(ours.chain.iv, theirs.chain.iv, rtol=1e-8, equal_nan=True)
        for side in ("ce", "pe"):
            one, other = getattr(ours.chain, side), getattr(theirs.chain, side)
            assert (one.build_up, one.mark_source) == (other.build_up, other.mark_source)
            assert np.array_equal(one.oi, other.oi, equal_nan=True)
        assert [row[:4] for row in ours.verdicts] == [row[:4] for row in theirs.verdicts]
