"""A book as machine code holds what a book by numpy holds; left out where numba is not installed."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.anchors import NAMES, Base, anchors
from analytics.book import ChainBook
from analytics.cells import COUNT, KEPT, WINDOWS, Cell, fill_changes, is_fresh, marked
from analytics.history import Then
from analytics.packing import LTP_STEPS, MARK_STEPS, row_of
from analytics.situation import ChainCells
from oimon.codec import encode
from oimon.core import fast
from tests.unit.analytics.days import START_US, Tape, make_batch, make_session, make_ticks

SESSION = make_session(strikes=3)
paise = st.sampled_from([0, 5, 10, 15, 12_385, 12_390, 12_395, 12_400, 2**31 - 1, -5])
tick = st.fixed_dictionaries(
    {
        "rows": st.sampled_from([[0], [3], [3], [4]]),  # few, so that each has several
        "flags": st.one_of(st.just(15), st.integers(0, 31)),
        "seq": st.integers(0, 9),
        "traded_s": st.sampled_from([0, START_US // 1_000_000, 1_795_578_301]),
        "ltp": paise,
        "bid": paise,
        "ask": paise,
        "volume": st.sampled_from([0, 65, 130, 195, 260, 325, 390, 455, -1, 2**62]),
        # from one to the next some are leaps, some told twice
        "oi": st.sampled_from([0, 65, 65_000, 650_000, 650_000, 6_500_000, 66_000_000, -65, 2**62]),
    }
)

SEEN = {
    "rows": [3],
    "flags": 15,
    "seq": 1,
    "traded_s": 0,
    "ltp": 5,
    "bid": 5,
    "ask": 10,
    "volume": 65,
}


def told(*oi):
    """Return one leg's ticks, a second apart, with this open interest."""
    return [(SEEN | {"oi": each}, later_s) for later_s, each in enumerate(oi)]


@pytest.fixture(scope="module")
def machine_code():
    """Return how a job is done as machine code."""
    if not fast.use():
        pytest.skip("numba is not installed")
    fast.use(wanted=False)

    def run(job):
        fast.use()
        try:
            return job()
        finally:
            fast.use(wanted=False)

    return run


def taken_in(batches):
    """Return what a book holds, and what it dropped, after these batches, looked at after each."""
    book = ChainBook(SESSION)
    for batch in batches:
        book.apply(batch)
        state = book.state()
    return state.cells.tobytes(), state.delivered.tobytes(), state.dropped


@settings(deadline=None, max_examples=300)
@given(
    ticks=st.lists(
        st.tuples(tick, st.sampled_from([0, 0, 0, 1, 2, 90, -1])), min_size=1, max_size=60
    ),
    cut=st.integers(0, 60),
)
@example(ticks=told(65_000, 650_000, 650_000), cut=0)
@example(ticks=told(65_000, 650_000, 65_065), cut=1)
@example(ticks=told(65_000_000, 650_000, 650_000), cut=1)
def test_any_ticks_leave_what_they_leave_by_numpy(machine_code, ticks, cut):
    made = [
        make_ticks(
            SESSION,
            fields["rows"],
            START_US + later_s * 1_000_000,
            **{name: value for name, value in fields.items() if name != "rows"},
        )
        for fields, later_s in ticks
    ]
    for i, each in enumerate(made):
        each["received_after_us"] = i
    parts = [np.concatenate(part) for part in (made[:cut], made[cut:]) if part]
    batches = [make_batch(SESSION, part, START_US) for part in parts]

    assert machine_code(lambda: taken_in(batches)) == taken_in(batches)


def test_a_beat_before_the_first_tick_is_answered_alike(machine_code):
    def first_beat():
        tape = Tape()
        tape.put(SESSION)
        return encode(tape.beat(1))

    assert machine_code(first_beat) == first_beat()


def matrix(seed):
    """Return cells of a book, some of them unknown, steps of prices, and what was known before."""
    dice = np.random.default_rng(seed)
    n, now_us = 60, START_US
    kept = np.full((KEPT, n), np.nan)
    bid = dice.integers(0, 40, n) * 0.05
    kept[Cell.BID], kept[Cell.ASK] = bid, bid + dice.choice([-0.05, 0.0, 0.05, 0.5, 9.0], n)
    kept[Cell.LTP] = dice.integers(0, 40, n) * 0.05
    for cell in (Cell.QUOTED_US, Cell.TRADED_US, Cell.OI_SEEN_US):
        kept[cell] = now_us - dice.choice([0.0, 59.9, 60.0, 60.1, 599.0, 600.0, 601.0], n) * 1e6
    for cell in (Cell.OI, Cell.OI_PREV, Cell.OI_OPEN):
        kept[cell] = 65.0 * dice.integers(0, 900, n)
    kept[dice.random(kept.shape) < 0.1] = np.nan
    column = lambda: np.where(dice.random(n) < 0.3, np.nan, 65.0 * dice.integers(0, 900, n))  # noqa: E731
    age_s = dice.choice([np.nan, 299.0, 300.0, 900.0], n)
    then = {}
    for window_s in WINDOWS.values():
        mark = column()
        then[window_s] = Then(
            oi=column(), marks=lambda mark=mark: mark, first_oi=column(), first_mark=column(), first_age_s=age_s, level=None
        )  # fmt: skip
    return kept, np.full(n, 0.05), now_us, then


@pytest.mark.parametrize("seed", range(20))
def test_a_matrix_is_that_of_numpy_to_the_last_bit(machine_code, seed):
    kept, tick, now_us, then = matrix(seed)

    def made():
        cells = marked(kept, tick, now_us, 0.0)
        fill_changes(cells, then)
        return is_fresh(kept, now_us, 0.0), cells

    (fresh, cells), (fresh_too, cells_too) = machine_code(made), made()

    assert np.array_equal(fresh, fresh_too)
    assert np.array_equal(cells, cells_too, equal_nan=True)
    assert {0.0, 1.0} == set(cells[Cell.IS_MID])


@settings(deadline=None)
@given(
    values=st.lists(
        st.one_of(
            st.integers(-10, 2**33).map(lambda steps: steps / 200),
            st.floats(),
            st.just(float("nan")),
            st.just(-0.0),
        ),
        max_size=5,
    ),
    scale=st.sampled_from([MARK_STEPS, LTP_STEPS]),
)
def test_prices_become_the_numbers_that_they_become_by_numpy(machine_code, values, scale):
    column = np.array(values, np.float64)

    ours, theirs = machine_code(lambda: row_of(column, scale)), row_of(column, scale)

    assert (ours.dtype, ours.tobytes()) == (theirs.dtype, theirs.tobytes())


@pytest.mark.parametrize("seed", range(5))
def test_totals_of_changes_are_those_of_numpy(machine_code, seed):
    dice = np.random.default_rng(seed)
    cells = np.where(
        dice.random((COUNT, 2, 9)) < 0.4, np.nan, 65.0 * dice.integers(-99, 99, (COUNT, 2, 9))
    )
    cells[Cell.OI_CHANGE_30M] = np.nan
    counted = [Base()] * len(NAMES)

    def told():
        return anchors(ChainCells(np.arange(9.0), cells), counted)

    assert machine_code(told) == told()
    assert told()[-1].ce_change is None
