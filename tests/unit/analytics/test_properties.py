"""What must hold of a whole analysis, whatever the chain: scale, mirror, order, strikes that nobody trades, nonsense."""

from dataclasses import dataclass, fields, is_dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.analyse import analyse
from analytics.anchors import page_bases
from analytics.cells import COUNT, Cell
from analytics.report import expiry_fields
from analytics.situation import Before, ChainCells, ChainNow, FutureNow, MarketNow, PcrSample
from oimon import codec
from oimon.core.direction import Component
from oimon.core.greeks import black76
from oimon.messages import Instruments
from oimon.terms import MarketState
from tests.unit.analytics.days import START_US, Tape, make_batch, make_session, market_ticks

SPOT, STEP, LOT, TICK = 24_512.0, 50.0, 65, 0.05
DAYS = 2.0
NOW_S = START_US / 1e6
seeds = st.integers(0, 2**32 - 1)
FLOWS = (Cell.OI_CHANGE_DAY, Cell.OI_CHANGE_OPEN, Cell.OI_CHANGE_3M, Cell.OI_CHANGE_5M, Cell.OI_CHANGE_15M, Cell.OI_CHANGE_30M)  # fmt: skip
INTEREST = (Cell.OI, Cell.OI_PREV, Cell.OI_OPEN, *FLOWS)
whole_chain = settings(deadline=None, max_examples=40)


@dataclass(frozen=True, kw_only=True)
class Given:
    """What an analysis is made from."""

    chain: ChainNow
    market: MarketNow
    before: Before

    def with_rows(self, strike, cells, **chain):
        return replace(self, chain=replace(self.chain, rows=ChainCells(strike, cells), **chain))

    def found(self):
        (findings,) = analyse([self.chain], self.market, [self.before])
        return findings


def make_given(seed, *, each_side=5):
    """Return a chain in two-sided motion: strikes both sides of spot, priced by Black-76, whole lots of interest."""
    random = np.random.default_rng(seed)
    strike = 24_500.0 + STEP * np.arange(-each_side, each_side + 1)
    n, years = len(strike), DAYS / 365
    price = black76(SPOT + 8.0, strike, years, 0.12 + random.uniform(-0.005, 0.005, n), 0.055).price
    cells = np.full((COUNT, 2, n), np.nan)
    cells[Cell.MARK], cells[Cell.LTP], cells[Cell.IS_MID] = price, price, 1.0
    cells[Cell.BID], cells[Cell.ASK] = price - TICK, price + TICK
    cells[Cell.VOLUME] = LOT * random.integers(1, 10_000, (2, n))
    cells[Cell.OI] = LOT * random.integers(5_000, 60_000, (2, n))
    for cell in FLOWS:  # from far beyond the dead-band of 25 lots to nothing
        moved = random.integers(-1_200, 2_500, (2, n))
        cells[cell] = LOT * np.where(np.abs(moved) < 700, 0, moved)
    cells[Cell.OI_PREV] = cells[Cell.OI] - cells[Cell.OI_CHANGE_DAY]
    cells[Cell.OI_OPEN] = cells[Cell.OI] - cells[Cell.OI_CHANGE_OPEN]
    cells[Cell.OI_AGE_S] = 30.0
    moved = random.choice([-60.0, 0.0, 60.0], (2, n))  # rupees: beyond every dead-band, or nothing
    cells[Cell.PRICE_CHANGE_15M] = moved
    chain = ChainNow(
        expiry="2026-08-20",
        lot=LOT,
        tick=TICK,
        seconds_left=DAYS * 86_400,
        session_s=23_100.0,
        is_in_entry_window=True,
        rows=ChainCells(strike, cells),
    )
    slope = random.uniform(-0.05, 0.05)
    before = Before(
        sampled_s=NOW_S - 10.0,
        pcr=tuple(PcrSample(NOW_S - 900 + 150 * i, 1.0, 1.0 + slope * i) for i in range(6)),
        rr25_reference=0.0,
    )
    return Given(chain=chain, market=make_market(random), before=before)


def make_market(random):
    return MarketNow(
        ts_us=START_US,
        market=MarketState.OPEN,
        cadence_s=0.0,
        spot=SPOT,
        underlying_age_s=0.5,
        level_then=SPOT + float(random.uniform(-40, 40)),
        future=FutureNow(
            symbol="FUT",
            lot=LOT,
            tick=TICK,
            mark=SPOT + 30.0,
            mark_change=float(random.choice([-60.0, 60.0])),
            oi=LOT * 200_000.0,
            oi_change=LOT * float(random.choice([-9_000, 9_000])),
        ),
    )


def says(found):
    """Return what a chain's open interest says, as plain values that do not carry its unit."""
    interest, levels = found.interest, found.interest.levels
    return {
        "pcr": interest.pcr.by_oi,
        "pcr_window": interest.pcr_window.by_oi,
        "balance": interest.coi.balance,
        "case": interest.coi.case,
        "max_pain": interest.pain.strike,
        "zone": interest.pain.zone,
        "support": levels.support.strongest,
        "resistance": levels.resistance.strongest,
        "walls": (levels.support.wall, levels.resistance.wall),
        "verdict": found.flow.classes.verdicts.code.tolist(),
        "scores": {name.value: part.score for name, part in found.judgement.parts.items()},
        "direction": found.judgement.scored.score,
        "quality": found.quality.quality,
    }


def assert_same(got, expected):
    """Compare nested results; floats to nine digits, all else exactly."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        if isinstance(value, dict):
            assert_same(got[name], value)
        elif isinstance(value, tuple | float) and name != "zone":
            assert np.allclose(np.array(got[name], float), np.array(value, float), rtol=1e-9, atol=1e-9), name  # fmt: skip
        else:
            assert got[name] == value, name


@whole_chain
@given(seeds, st.integers(2, 1_000))
def test_scaling_all_open_interest_changes_nothing_that_it_says(seed, factor):
    market = make_given(seed)
    cells = market.chain.cells.copy()
    cells[list(INTEREST)] *= factor

    # The future has a chain of its own; that one is as it was.
    scaled = market.with_rows(market.chain.strike, cells).found()

    assert_same(says(scaled), says(market.found()))


@whole_chain
@given(seeds, st.sampled_from([0.02, 0.1, 7.0, 1_000.0]))
def test_the_unit_of_open_interest_changes_nothing_that_it_says(seed, factor):
    market = make_given(seed)
    cells = market.chain.cells.copy()
    cells[list(INTEREST)] *= factor

    scaled = market.with_rows(market.chain.strike, cells, lot=LOT * factor).found()

    assert_same(says(scaled), says(market.found()))


def mirrored(market):
    """Return the market in a mirror at spot: calls are puts, strikes above are below, what rose fell."""
    chain, seen, future = market.chain, market.market, market.market.future
    turned = replace(
        seen,
        level_then=2 * SPOT - seen.level_then,
        future=replace(
            future,
            mark=2 * SPOT - future.mark,
            mark_change=-future.mark_change,
            # what longs do on one side shorts do on the other: interest itself has no side
        ),
    )
    samples = (PcrSample(at, calls, 2.0 - puts) for at, calls, puts in market.before.pcr)
    before = replace(market.before, pcr=tuple(samples))
    strike = (2 * SPOT - chain.strike)[::-1].copy()
    return replace(
        market.with_rows(strike, chain.cells[:, ::-1, ::-1].copy()), market=turned, before=before
    )


@whole_chain
@given(seeds)
def test_a_mirror_turns_every_score(seed):
    market = make_given(seed)

    found, turned = market.found(), mirrored(market).found()

    ours, theirs = (f.flow.classes.verdicts for f in (found, turned))
    assert np.allclose(theirs.score[::-1], -ours.score, atol=1e-12)
    assert (theirs.code[::-1] == 2 - ours.code).all()
    assert turned.reference.forward.price == pytest.approx(2 * SPOT - found.reference.forward.price)
    parts, others = found.judgement.parts, turned.judgement.parts
    for name in (Component.COI_BALANCE, Component.SR_POSITION, Component.PCR_SLOPE):
        assert others[name].score == pytest.approx(-parts[name].score, abs=1e-9), name
    # A ratio and its inverse lie on different pieces of the scale, and Black-76 knows no mirror: those turn their sign.
    pcr, inverse = (f.interest.pcr_window.by_oi for f in (found, turned))
    assert inverse == pytest.approx(1 / pcr)
    assert parts[Component.PCR_LEVEL].score * others[Component.PCR_LEVEL].score <= 0
    for name in (Component.NET_BUILDUP, Component.FUTURES, Component.MAX_PAIN):
        assert others[name].score == pytest.approx(-parts[name].score, abs=0.02), name
    assert turned.volatility.exposure.net == pytest.approx(
        -found.volatility.exposure.net, abs=0.05 * found.volatility.exposure.absolute
    )


def with_empty_strike(market, at):
    """Return the market with one more strike, which nobody holds and nobody quotes."""
    place = int(market.chain.strike.searchsorted(at))
    nobody = np.full((COUNT, 2), np.nan)
    nobody[list(INTEREST)], nobody[Cell.VOLUME], nobody[Cell.OI_AGE_S] = 0.0, 0.0, 30.0
    nobody[Cell.IS_MID] = 0.0
    cells = np.insert(market.chain.cells, place, nobody, axis=2)
    return market.with_rows(np.insert(market.chain.strike, place, at), cells), place


@whole_chain
@given(seeds, st.sampled_from([24_200.0, 24_275.0, 24_325.0, 24_675.0, 24_725.0, 24_800.0]))
def test_a_strike_that_nobody_holds_or_quotes_changes_nothing(seed, at):
    market = make_given(seed)

    wider, place = with_empty_strike(market, at)
    found, more = market.found(), wider.found()

    ours, theirs = says(found), says(more)
    assert theirs["verdict"].pop(place) == 1
    zone, wider_zone = ours.pop("zone"), theirs.pop("zone")
    assert wider_zone == zone or at in wider_zone  # it can only end at the new strike
    assert_same(theirs, ours)
    for name in ("atm_iv", "rr25"):
        assert getattr(more.volatility.curve, name) == getattr(found.volatility.curve, name)
    assert more.reference.forward == found.reference.forward
    assert more.volatility.exposure.net == pytest.approx(found.volatility.exposure.net)


@settings(deadline=None, max_examples=10)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_legs_changes_no_byte(random):
    session = make_session(strikes=5)
    order = list(range(len(session.instruments.token)))
    random.shuffle(order)
    told = {f.name: getattr(session.instruments, f.name) for f in fields(Instruments)}
    shuffled = replace(
        session,
        instruments=Instruments(**{name: [v[i] for i in order] for name, v in told.items()}),
    )
    answers = []

    for one, rows in ((session, None), (shuffled, np.argsort(order))):
        tape = Tape()
        tape.put(one)
        for minute in range(7):
            ticks = market_ticks(session, 60 * minute, oi_step=minute)
            if rows is not None:
                ticks["row"] = rows[ticks["row"]]
                ticks = ticks[order]
            tape.put(make_batch(one, ticks, START_US + 60_000_000 * minute))
            answers.append(codec.encode(tape.beat(60 * minute + 1)))

    assert answers[:7] == answers[7:]
    assert len(set(answers)) == 7


anything = st.one_of(
    st.just(0.0),
    st.just(float("nan")),
    st.floats(0, 1e6, allow_subnormal=False),
    st.sampled_from([0.05, 1.0, 24_500.0, 1e-9, 1e7]),
)
counted = st.one_of(st.just(0.0), st.just(float("nan")), st.integers(0, 10**12).map(float))


@st.composite
def nonsense(draw):
    """Draw any chain: numbers, zeros, missing legs, prices that contradict each other, an hour before expiry or after it."""
    n = draw(st.integers(1, 6))
    strike = np.cumsum(draw(st.lists(st.sampled_from([1.0, 50.0, 5_000.0]), min_size=n, max_size=n)))  # fmt: skip

    def column(values):
        return np.array(draw(st.lists(values, min_size=2 * n, max_size=2 * n))).reshape(2, n)

    cells = np.full((COUNT, 2, n), np.nan)
    cells[Cell.MARK], cells[Cell.OI], cells[Cell.VOLUME] = column(anything), column(counted), column(counted)  # fmt: skip
    cells[Cell.IS_MID] = column(st.sampled_from([0.0, 1.0]))
    cells[Cell.OI_CHANGE_15M] = cells[Cell.OI] - column(counted)
    cells[Cell.OI_CHANGE_DAY] = cells[Cell.OI] - column(counted)
    cells[Cell.PRICE_CHANGE_15M] = cells[Cell.MARK] - column(anything)
    cells[Cell.OI_AGE_S] = column(st.sampled_from([0.0, 700.0, float("nan")]))
    maybe = st.one_of(st.none(), st.floats(0.05, 1e6))
    market = make_market(np.random.default_rng(1))
    future = draw(st.sampled_from([None, market.future, replace(market.future, mark=None, oi=None)]))  # fmt: skip
    return Given(
        chain=ChainNow(
            expiry="2026-08-20",
            lot=draw(st.sampled_from([None, 1, LOT])),
            tick=draw(st.sampled_from([0.05, 1.0])),
            seconds_left=draw(st.sampled_from([-3_600.0, 0.0, 30.0, 3_600.0, 3e7])),
            session_s=23_100.0,
            is_in_entry_window=True,
            rows=ChainCells(strike, cells),
        ),
        market=replace(
            market, spot=draw(maybe), underlying_age_s=draw(st.sampled_from([0.0, 60.0])), level_then=draw(maybe), future=future,
        ),
        before=draw(st.sampled_from([Before(), make_given(1).before])),
    )  # fmt: skip


def unfinished(value, path=""):
    """Yield where a message holds NaN or infinity; in a column of a chain NaN is a null."""
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        yield f"{path} is {value}"
    elif isinstance(value, np.ndarray) and value.dtype.kind == "f" and np.isinf(value).any():
        yield f"{path} holds infinity"
    for name, part in parts_of(value):
        yield from unfinished(part, f"{path}.{name}")


def parts_of(value):
    if is_dataclass(value):
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, dict):
        return list(value.items())
    return list(enumerate(value)) if isinstance(value, list | tuple) else []


@settings(deadline=None, max_examples=150)
@given(nonsense())
def test_no_chain_of_numbers_zeros_and_gaps_gives_nan_infinity_or_an_exception(market):
    with np.errstate(all="raise", under="ignore"):
        found = market.found()

    told = expiry_fields(found, page_bases("a test"))
    assert list(unfinished(told)) == []
    assert 0 <= told["confidence_factor"] <= 1
    again = replace(market, before=found.after).found()
    assert list(unfinished(expiry_fields(again, page_bases("a test")))) == []
