"""What is taken from the beat before is what would have been found anew."""

import pytest

from analytics.desk import handle, replay
from analytics.run import without_memories
from oimon import codec
from tests.unit.analytics.days import (
    START_US,
    Tape,
    make_batch,
    make_beat,
    make_session,
    market_ticks,
)

TICKED_S = range(0, 361, 60)  # then nothing, until every price and all open interest is too old


def test_a_beat_that_takes_over_says_what_one_that_finds_all_anew_says():
    session, kept, anew = make_session(), Tape(), Tape()
    for tape in (kept, anew):
        tape.put(session)
    said = []

    for second in range(0, 1200, 7):
        if second - 6 in TICKED_S or second in TICKED_S:
            ticks = market_ticks(session, second, oi_step=second // 60)
            for tape in (kept, anew):
                tape.put(make_batch(session, ticks, START_US + second * 1_000_000))
        anew.desk.run = without_memories(anew.desk.run)
        answers = [codec.encode(tape.beat(second + 1)) for tape in (kept, anew)]
        said.append(answers[0])
        assert answers[0] == answers[1]

    assert len(set(said)) == len(said)
    assert kept.beat(1200).quality_why != codec.decode("analysis", 1, said[0]).quality_why


def test_a_beat_without_news_takes_its_cells_from_the_beat_before():
    session, tape = make_session(), Tape()
    tape.put(session)
    tape.put(make_batch(session, market_ticks(session, 0), START_US))
    tape.beat(1)
    tape.beat(2)
    before = tape.desk.run.standing

    tape.beat(3)
    same = tape.desk.run.standing
    tape.beat(62)

    assert before is not None
    assert same is before
    assert tape.desk.run.standing is not before  # quotes are too old now


@pytest.mark.parametrize("work", [handle, replay])
def test_a_beat_after_ticks_leaves_no_cells_behind(work):
    session, tape = make_session(), Tape()
    tape.put(session)
    tape.put(make_batch(session, market_ticks(session, 0), START_US))
    tape.beat(1)
    tape.beat(2)
    assert tape.desk.run.standing is not None

    tape.put(make_batch(session, market_ticks(session, 2), START_US + 2_000_000))
    work(tape.desk, tape.entry_of(make_beat(START_US + 3_000_000)))

    assert tape.desk.run.standing is None
    assert tape.desk.run.before
    for memory in tape.desk.run.before.values():
        assert memory.interest is None
        assert memory.classes is None
