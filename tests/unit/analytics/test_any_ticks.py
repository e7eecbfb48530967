"""Whatever a feed sends, a beat is answered with numbers or nulls, never with NaN, infinity or an exception."""

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.book import ChainBook
from oimon import codec
from oimon.messages import TickFlag
from tests.unit.analytics.days import (
    START_US,
    Tape,
    make_batch,
    make_beat,
    make_session,
    make_ticks,
)

SESSION = make_session(strikes=3)
ROWS = len(SESSION.instruments.token)
paise = st.one_of(st.just(0), st.integers(-5, 5), st.integers(1, 2**31 - 1))
quantity = st.one_of(st.just(0), st.integers(-5, 5), st.integers(0, 2**62))
tick = st.fixed_dictionaries(
    {
        "rows": st.integers(0, ROWS - 1).map(lambda row: [row]),
        "flags": st.integers(0, 31).map(lambda bits: bits & ~TickFlag.DAY),
        "seq": st.integers(0, 9),
        "ltp": paise,
        "bid": paise,
        "ask": paise,
        "volume": quantity,
        "oi": quantity,
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(tick, max_size=8), min_size=1, max_size=12), st.integers(1, 400))
def test_any_ticks_are_answered(batches, step_s):
    tape = Tape()
    tape.put(SESSION)

    for i, ticks in enumerate(batches):
        at_us = START_US + i * step_s * 1_000_000
        made = [
            make_ticks(SESSION, fields["rows"], at_us, **_without_rows(fields)) for fields in ticks
        ]
        if made:
            tape.put(make_batch(SESSION, np.concatenate(made), at_us))
        (answer,) = tape.put(make_beat(at_us + 1_000_000))
        plain = msgspec.json.decode(codec.encode(answer))

    assert plain["ts_us"] == at_us + 1_000_000
    assert 0 <= plain["confidence_factor"] <= 1
    assert len(plain["verdicts"]) == len(plain["chain"]["strike"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(tick, min_size=1, max_size=8), min_size=1, max_size=12))
def test_looking_at_a_book_between_batches_changes_nothing(batches):
    looked_at, left_alone = ChainBook(SESSION), ChainBook(SESSION)

    for i, ticks in enumerate(batches):
        at_us = START_US + i * 1_000
        made = [
            make_ticks(SESSION, fields["rows"], at_us, **_without_rows(fields)) for fields in ticks
        ]
        for book in (looked_at, left_alone):
            book.apply(make_batch(SESSION, np.concatenate(made), at_us))
        looked_at.cells()

    ours, theirs = looked_at.state(), left_alone.state()
    assert ours.cells.tobytes() == theirs.cells.tobytes()
    assert ours.delivered.tobytes() == theirs.delivered.tobytes()
    assert (ours.version, ours.dropped) == (theirs.version, theirs.dropped)


def _without_rows(fields):
    return {name: value for name, value in fields.items() if name != "rows"}
