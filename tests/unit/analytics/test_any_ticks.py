"""Whatever a feed sends, a beat is answered with numbers or nulls, never with NaN, infinity or an exception."""

import msgspec
import numpy as np
from hypothesis import example, given, settings
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
WHOLE = {"rows": [3], "flags": 31 & ~TickFlag.DAY, "ltp": 1, "bid": 1, "ask": 1, "volume": 1}


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


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(tick, st.integers(0, 3)), min_size=1, max_size=40))
@example(
    [(WHOLE | {"seq": seq, "oi": seq}, later) for seq, later in ((5, 1), (3, 1), (9, 0), (4, 1))]
)
def test_ticks_taken_in_at_once_leave_what_they_leave_one_by_one(ticks):
    made = [
        make_ticks(SESSION, fields["rows"], START_US + later * 1_000, **_without_rows(fields))
        for fields, later in ticks
    ]
    for i, each in enumerate(made):
        each["received_after_us"] = i
    one_by_one, at_once = ChainBook(SESSION), ChainBook(SESSION)

    for each in made:
        one_by_one.apply(make_batch(SESSION, each, START_US))
        one_by_one.cells()
    at_once.apply(make_batch(SESSION, np.concatenate(made), START_US))

    ours, theirs = at_once.state(), one_by_one.state()
    assert ours.cells.tobytes() == theirs.cells.tobytes()
    assert ours.delivered.tobytes() == theirs.delivered.tobytes()
    assert ours.dropped == theirs.dropped


def _without_rows(fields):
    return {name: value for name, value in fields.items() if name != "rows"}
