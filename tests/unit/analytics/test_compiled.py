"""A book as machine code holds what a book by numpy holds; left out where numba is not installed."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from analytics.book import ChainBook
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
        "traded_s": st.sampled_from([0, 1_795_578_301]),
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
