"""A desk that was kept as bytes goes on as if it had never been away."""

import dataclasses
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest

from analytics import keeping
from analytics.book import BookState, ChainBook
from analytics.desk import Desk, replay
from analytics.history import Kept, RollingTicks
from analytics.keeping import KEEPING, freeze, thaw
from analytics.run import Listed, Standing
from analytics.situation import Classes, Interest
from oimon import codec
from oimon.messages import Gap, TickFlag
from oimon.terms import Segment
from tests.unit.analytics.days import (
    START_US,
    Tape,
    day_records,
    make_batch,
    make_beat,
    make_session,
    market_ticks,
    widened,
)
from tests.unit.analytics.recorded import recorded_entries

BEAT_S, TICKS_S = 5, 60
GAP_S, ADDED_S, NEW_RUN_S, END_S = 610, 1205, 2400, 2500
GOES_ON = 60  # entries compared after a cut
SHAPES = {
    1: "c01205d12d0d53f9",
    2: "57956692af4956fc",
    3: "d36c7cfac0da8cf2",
    4: "056e0060fb6578ab",
    5: "80656e393ed12a75",
    6: "9cdcdec8921755d6",
    7: "329d552306e3e288",
    8: "69a8676b5077af22",
}
"""Digest of the state's shape, by the number that stands for it."""


def long_day() -> Iterator[object]:
    """Give a day longer than the history kept: a gap, instruments added, the session said again, then another run."""
    session = make_session(strikes=5)
    yield session
    for second in range(0, END_S, BEAT_S):
        at_us = START_US + second * 1_000_000
        if second == GAP_S:
            gap = Gap(from_us=at_us - 20_000_000, to_us=at_us, why="cut by the test")
            yield gap
            past = [(1, gap.from_us + 1_000_000, 1300), (2, gap.from_us, 650)]
            yield replace(gap, filled=True, rows=[1, 2], oi=past)
        if second == ADDED_S:
            session = widened(session)
            yield session
        if second == NEW_RUN_S:
            session = make_session(run="r2", strikes=5)
            yield session
        if second % TICKS_S == 0:
            ticks = market_ticks(session, second, oi_step=second // TICKS_S)
            yield make_batch(session, ticks[:-1] if second % 120 else ticks, at_us)
        yield make_beat(at_us + 500_000)


def encoded(answers):
    return [codec.encode(answer) for answer in answers]


def kept(tape):
    """Return a tape that goes on from the bytes of another one's desk."""
    return Tape(desk=thaw("NIFTY", freeze(tape.desk)), n=tape.n)


def assert_goes_on(messages, cuts):
    """Assert that a desk frozen and thawed after so many messages answers the next ones as if it had not been."""
    tape, copies, compared = Tape(), {}, dict.fromkeys(cuts, 0)
    for place, message in enumerate(messages):
        if place in cuts:
            copies[place] = kept(tape)
        copies = {cut: copy for cut, copy in copies.items() if place - cut < GOES_ON}
        answer = encoded(tape.put(message))
        for cut, copy in copies.items():
            assert encoded(copy.put(message)) == answer, f"cut at {cut}, differs at {place}"
            compared[cut] += len(answer)
    assert min(compared.values()) > GOES_ON / 2


def test_a_thawed_desk_answers_as_the_one_that_was_frozen():
    assert_goes_on(long_day(), {0, 1, 2, 3, 90, 134, 136, 264, 266, 460})


def test_the_recorded_day_goes_on_from_a_snapshot():
    messages = (entry.message for entry in recorded_entries(1100))

    assert_goes_on(messages, {1, 500, 961, 1009})


def test_a_hole_in_the_log_is_seen_across_a_snapshot():
    messages, tape = list(long_day()), Tape()
    for message in messages[:100]:
        tape.put(message)
    again = kept(tape)

    again.n += 3

    assert [again.put(messages[100])[0].is_gapped, tape.put(messages[100])[0].is_gapped] == [
        True,
        False,
    ]


@pytest.mark.parametrize("segment", [Segment.MCX, Segment.NSE])
def test_a_quote_board_survives_a_snapshot(segment):
    session, tape = make_session(strikes=3, segment=segment), Tape()
    ticks = market_ticks(session, 0)
    ticks["flags"] |= TickFlag.DAY
    days = day_records(len(ticks), open=100, high=120, low=90, close=95, average=105)
    tape.put(session)
    tape.put(make_batch(session, ticks, START_US, days))

    assert encoded([kept(tape).beat(1)]) == encoded([tape.beat(1)])


def test_working_a_log_again_leaves_the_state_that_answering_it_left():
    answering, again = Tape(), Desk(partition="NIFTY")

    for message in long_day():
        answering.put(message)
        again = replay(again, answering.entry)

    assert freeze(again) == freeze(answering.desk)


def test_freezing_a_thawed_desk_gives_the_same_bytes():
    tape = Tape()
    for message in long_day():
        tape.put(message)
    frozen = freeze(tape.desk)

    desk = thaw("NIFTY", frozen)

    assert freeze(desk) == frozen
    assert desk.run.standing is None
    assert all(b.interest is None and b.classes is None for b in desk.run.before.values())


@pytest.fixture(scope="module")
def frozen():
    tape = Tape()
    for message, _ in zip(long_day(), range(300), strict=False):
        tape.put(message)
    return freeze(tape.desk)


def test_damaged_bytes_are_refused(frozen):
    for place in range(0, len(frozen), 61):
        with pytest.raises(ValueError, match="no state"):
            thaw("NIFTY", frozen[:place])
        with pytest.raises(ValueError, match="no state"):
            thaw("NIFTY", frozen[:place] + bytes([frozen[place] ^ 0xFF]) + frozen[place + 1 :])


def test_a_state_that_does_not_fit_itself_is_refused(frozen):
    desk = thaw("NIFTY", frozen)
    desk.run.history.symbols = desk.run.history.symbols[:-1]

    with pytest.raises(ValueError, match="no state"):
        thaw("NIFTY", freeze(desk))

    desk = thaw("NIFTY", frozen)
    desk.run.book._cells = desk.run.book._cells[:, :-1]
    with pytest.raises(ValueError, match="no state"):
        thaw("NIFTY", freeze(desk))


def test_a_value_that_it_does_not_know_how_to_keep_is_a_mistake_and_not_left_out(frozen):
    desk = thaw("NIFTY", frozen)
    desk.run.history.symbols = object()

    with pytest.raises(TypeError):
        freeze(desk)
    with pytest.raises(TypeError, match="no value of type object"):
        keeping._ENCODER.encode(object())


def test_another_partitions_state_is_refused(frozen):
    with pytest.raises(ValueError, match="of NIFTY, not of BANKNIFTY"):
        thaw("BANKNIFTY", frozen)


def test_a_new_shape_of_the_state_needs_a_new_number():
    roots = (Desk, BookState, Kept)

    digest = hashlib.sha256("\n".join(sorted(shapes(roots))).encode()).hexdigest()[:16]

    assert SHAPES[KEEPING.schema] == digest, (
        "the state's shape has changed: raise SCHEMA in analytics/keeping.py and add the digest here"
    )


def test_what_has_no_types_of_its_own_is_kept_whole():
    session = make_session(strikes=3)

    book, history = vars(ChainBook(session)), vars(RollingTicks(session.instruments.symbol))

    derived = (
        {"layout", "lots", "is_index", "tells_oi_open", "told_prev", "waiting", "ticks_waiting"},
        {"rows", "unseen", "fills"},
    )
    told = (
        {field.name for field in dataclasses.fields(BookState)},
        {"symbols", "oldest", "times", "levels", "interest", "prices"},
    )
    for names, kept_names, made in zip((book, history), told, derived, strict=True):
        assert {name.removeprefix("_") for name in names} == kept_names | made


def shapes(types) -> set[str]:
    """Return one line of each record and enum that can be reached: its name, its fields and their types."""
    lines: set[str] = set()
    waiting, seen = list(types), {Standing, Listed, Interest, Classes}  # memories are not kept
    while waiting:
        hint = waiting.pop()
        if hint in seen:
            continue
        seen.add(hint)
        waiting += [arg for arg in get_args(hint) if arg is not Ellipsis]
        if dataclasses.is_dataclass(hint):
            hints = get_type_hints(hint)
            waiting += hints.values()
            lines.add(f"{hint.__name__}: {[(name, told(hints[name])) for name in hints]}")
        elif isinstance(hint, type) and issubclass(hint, Enum):
            lines.add(f"{hint.__name__}: {[member.value for member in hint]}")
    return lines


def told(hint: Any) -> str:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is np.ndarray:
        return f"array of {get_args(parts[1])[0].__name__}"
    name = getattr(origin or hint, "__name__", str(origin or hint))
    return f"{name}[{', '.join(map(told, parts))}]" if parts else name
